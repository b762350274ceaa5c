"""Mapping tables: files beside the job, the policy for unknown codes, and their count in the run."""

import json
import logging
import threading

import pytest
from crossdock import JobError, each, in_run, load_job
from crossdock.values import Table, TableError, table

FILES = {
    "t.csv": "code,name\n125080000,female\n125080001, male \n007,\n",
    "t.json": '{"125080000": "female", "125080001": "male", "007": null}',
    "t.yaml": "125080000: female\n125080001: male\n007:\n",
    "rows.json": '[{"code": 125080000, "name": "female"}, {"code": "125080001", "name": "male"}, {"code": "007", "name": ""}]',
    "rows.yml": "- {code: 125080000, name: female}\n- {code: 125080001, name: male}\n- {code: '007', name: }\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_table_is_read_from_csv_json_and_yaml(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])

    sexes = table(tmp_path / name, unknown="null")

    assert dict(sexes) == {"125080000": "female", "125080001": "male", "007": None}
    assert (len(sexes), sexes.name) == (3, name)


@pytest.mark.parametrize("code", [125080001, "125080001", " 125080001 ", 125080001.0])
def test_a_code_is_one_as_number_and_as_text(code):
    sexes = table({125080001: "male"}, unknown="error")

    assert sexes[code] == sexes(code) == sexes.get(code) == "male"
    assert code in sexes


def test_nothing_means_nothing_whatever_the_policy():
    assert [table({"a": 1}, unknown="error")[nothing] for nothing in (None, "", " ")] == [None] * 3


@pytest.mark.parametrize("code", [True, ["a"], {}, float("nan")])
def test_what_is_no_code_is_an_error_that_names_the_table(code):
    with pytest.raises(JobError, match="is no text in sexes") as caught:
        table({"a": 1}, unknown="null", name="sexes")[code]

    assert caught.value.code == "BAD_TEXT"


def test_columns_are_chosen_by_name_and_many_give_the_whole_row(tmp_path):
    (tmp_path / "d.csv").write_text("\ufeffid;code;name;region\n1;KSM;Kisumu;Nyanza\n2;NBO;Nairobi;\n", "utf-8")
    open_table = lambda **options: table(tmp_path / "d.csv", delimiter=";", **options)  # noqa: E731

    assert open_table(key="code", value="name")["KSM"] == "Kisumu"
    assert open_table(key="code")["KSM"] == {"id": "1", "code": "KSM", "name": "Kisumu", "region": "Nyanza"}
    assert open_table()["1"]["code"] == "KSM"
    assert dict(open_table(key="code", value="region")) == {"KSM": "Nyanza", "NBO": None}


def test_a_value_column_of_an_object_of_objects():
    codes = {"KSM": {"name": "Kisumu"}, "NBO": {"name": "Nairobi"}}

    assert table(codes, value="name")["KSM"] == "Kisumu"
    assert table(codes)["KSM"] == {"name": "Kisumu"}


def test_yaml_codes_are_what_is_written(tmp_path):
    (tmp_path / "t.yaml").write_text("NO: Norway\n0123: a\n1.10: b\nyes: c\n~: d\nn: 5\nt: true\n")

    assert dict(table(tmp_path / "t.yaml")) == {
        "NO": "Norway",
        "0123": "a",
        "1.10": "b",
        "yes": "c",
        "~": "d",
        "n": 5,
        "t": True,
    }


# Unknown codes


@pytest.mark.parametrize(
    ("unknown", "given", "counted"), [("warn", None, True), ("keep", "XX", True), ("null", None, False)]
)
def test_an_unknown_code_gives_what_the_policy_says_and_is_counted(run_job, unknown, given, counted):
    districts = table({"KSM": "Kisumu"}, unknown=unknown, name="districts.csv")

    run = run_job(lambda state: state.result([districts["XX"], districts["XX"], districts["KSM"]]))

    warning = {"table": "districts.csv", "count": 2, "examples": ["'XX'"], "code": "unknown_code"}
    assert (run.outcome, run.state.data) == ("success", [given, given, "Kisumu"])
    assert run.state.get("warnings", []) == ([warning] if counted else [])


def test_an_unknown_code_may_be_an_error_with_what_was_meant(run_job):
    districts = table({"KSM": "Kisumu"}, unknown="error", name="districts.csv")

    record = run_job(lambda state: state.result(districts["KSN"])).state.errors["job"]

    assert record["code"] == "UNKNOWN_CODE"
    assert record["message"] == "'KSN' is an unknown code in districts.csv"
    assert record["fix"] == "Did you mean 'KSM'? Else add it to districts.csv."
    with pytest.raises(JobError) as caught:
        districts["???"]
    assert caught.value.fix == "Add it to districts.csv."


def test_get_and_in_leave_the_policy_aside(run_job):
    districts = table({"KSM": "Kisumu"}, unknown="error")

    run = run_job(lambda state: state.result([districts.get("XX"), districts.get(7, "none"), "XX" in districts]))

    assert run.state.data == [None, "none", False]
    assert "warnings" not in run.state


def test_a_kept_code_stays_as_it_came():
    assert table({"1": "a"}, unknown="keep")[9] == 9


@pytest.mark.parametrize("concurrency", [1, 4])
def test_there_is_one_warning_for_a_thousand_items(run_job, caplog, concurrency):
    concerns = table({"a": "A"}, warning="UNMAPPED_CONCERN", name="concerns.csv")
    places = table({"a": "A"}, name="places.csv")

    def read(state):
        concerns[f"code {state.data % 20}"]
        concerns[f"code {state.data % 20}"]
        if state.data % 100 == 0:
            places[state.data]
        return state

    with caplog.at_level(logging.WARNING):
        run = run_job(each(list(range(1000)), read, concurrency=concurrency))

    assert run.outcome == "success"
    assert [(w["code"], w["table"], w["count"], len(w["examples"])) for w in run.state.warnings] == [
        ("UNMAPPED_CONCERN", "concerns.csv", 2000, 10),
        ("unknown_code", "places.csv", 10, 10),
    ]
    assert run.state.warnings[0]["examples"][:2] == ["'code 0'", "'code 1'"]
    told = [record.getMessage() for record in caplog.records if "UNMAPPED_CONCERN" in record.getMessage()]
    assert 1 <= len(told) <= 8
    assert told[0] == "UNMAPPED_CONCERN table='concerns.csv' example=\"'code 0'\""


def test_the_count_outlives_failed_items_and_a_failed_step(run_job):
    codes = table({"a": "A"}, name="codes")

    def read(state):
        codes["x"]
        raise JobError("NO", "no")

    collected = run_job(each([1, 2, 3], read, on_error="collect"))
    failed = run_job(each([1, 2, 3], read))

    assert [w["count"] for w in collected.state.warnings] == [3]
    assert [w["count"] for w in failed.state.warnings] == [1]


def test_other_warnings_stand_beside_it_in_their_order(run_job):
    from crossdock import warn

    codes = table({"a": "A"}, name="codes")

    def read(state):
        warn("BEFORE", n=state.data)
        codes["x"]
        return state

    run = run_job(each([1, 2], read))

    assert [(w["code"], w.get("n"), w.get("count")) for w in run.state.warnings] == [
        ("BEFORE", 1, None),
        ("unknown_code", None, 2),
        ("BEFORE", 2, None),
    ]


def test_threads_of_a_job_count_too(run_job):
    codes = table({"a": "A"}, name="codes")

    def read(state):
        threads = [threading.Thread(target=in_run(codes), args=("x",)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return state

    assert [w["count"] for w in run_job(read).state.warnings] == [20]


def test_outside_of_a_run_it_is_a_line_in_the_log(caplog):
    with caplog.at_level(logging.WARNING):
        assert table({"a": "A"}, name="codes")["x"] is None

    assert caplog.messages == ["unknown_code table='codes' example=\"'x'\""]


def test_a_warning_shows_a_code_short_and_escaped(run_job):
    codes = table({"a": "A"})

    run = run_job(lambda state: state.result(codes["x" * 500 + "\x1b"]))

    assert run.state.warnings[0]["examples"] == ["'… (501 characters)'"]


# Where the file is


def test_a_table_lies_beside_the_job_that_names_it_wherever_that_is_run(crossdock, tmp_path):
    folder = tmp_path / "project" / "jobs"
    folder.mkdir(parents=True)
    (folder / "districts.csv").write_text("code,name\nKSM,Kisumu\n")
    (folder / "job.py").write_text(
        "from crossdock import Job\nfrom crossdock.values import table\nDISTRICTS = table('districts.csv')\n"
        "job = Job(lambda state: state.result([DISTRICTS[code] for code in state.data]))\n"
    )
    (tmp_path / "state.json").write_text(json.dumps({"data": ["KSM", "XX"]}))

    done = crossdock("run", "project/jobs/job.py", "--state", "state.json")

    assert done.json == {
        "data": ["Kisumu", None],
        "warnings": [{"table": "districts.csv", "count": 1, "examples": ["'XX'"], "code": "unknown_code"}],
    }


def test_a_table_lies_beside_the_helper_module_that_names_it(crossdock, tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "districts.json").write_text('{"KSM": "Kisumu"}')
    (lists / "codes.py").write_text("from crossdock.values import table\nDISTRICTS = table('districts.json')\n")
    (tmp_path / "sexes.yaml").write_text("1: male\n")
    (tmp_path / "more.py").write_text(
        "from crossdock.values import table\ndef sexes():\n    return table('sexes.yaml')\n"
    )
    (tmp_path / "job.py").write_text(
        "from crossdock import Job\nfrom lists.codes import DISTRICTS\nfrom more import sexes\n"
        "job = Job(lambda state: state.result([DISTRICTS('KSM'), sexes()(1)]))\n"
    )

    assert crossdock("run", "job.py").json == {"data": ["Kisumu", "male"]}


# What is wrong with a file

BROKEN = {
    "ragged.csv": ("code,name\nKSM\n", "line 2 of the CSV has 1 fields, and there are 2 columns"),
    "semicolon.csv": ("code;name\nKSM;Kisumu\n", "has only the column 'code;name'"),
    "empty.csv": ("", "has no rows with a code"),
    "header.csv": ("code,name\n", "has no rows with a code"),
    "blank.csv": ("code,name\n ,Kisumu\n", "has a row without a code"),
    "twice.csv": ("code,name\nKSM,Kisumu\nKSM,Kisii\n", "says two things of the code 'KSM'"),
    "number.json": ("5", "has no rows with a code"),
    "texts.json": ('["KSM"]', "has no rows with a code"),
    "cut.json": ('{"KSM": ', "is not JSON: Expecting value in line 1"),
    "twice.json": ('{"KSM": "Kisumu", "KSM": "Kisii"}', "a key stands twice in one object at $.KSM"),
    "bool.json": ('[{"code": true, "name": "x"}]', "has a code of which True is no text"),
    "gap.json": ('[{"code": "a", "name": "x"}, {"code": "b"}]', "has a row without the column 'name'"),
    "colon.yaml": ("KSM: Kisumu: town\n", "is not valid YAML in line 1"),
    "zeros.yaml": ("KSM: 007\n", "in line 1: a number that would not be kept as it is written"),
    "rows.yaml": ("- {code: 007, name: x}\n", "in line 1: a number that would not be kept"),
    "merge.yaml": ("a: &a {x: y}\nb: {<<: *a}\n", "in line 2: takes entries over with <<"),
    "codes.txt": ("KSM Kisumu", "is of no known kind"),
    "latin.csv": ("code,name\nKSM,Kisumé\n".encode("latin-1"), "is not UTF-8: byte 19"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_an_error_that_names_it_and_the_place(tmp_path, name):
    content, said = BROKEN[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(TableError) as caught:
        table(tmp_path / name)

    assert f"{name}" in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.fix.endswith(".")


def test_the_same_twice_is_no_contradiction(tmp_path):
    (tmp_path / "t.csv").write_text("code,name\nKSM,Kisumu\nKSM,Kisumu\n")

    assert dict(table(tmp_path / "t.csv")) == {"KSM": "Kisumu"}


def test_a_column_that_is_not_there_is_told_the_closest(tmp_path):
    (tmp_path / "t.csv").write_text("code,name\nKSM,Kisumu\n")

    with pytest.raises(TableError, match="has a row without the column 'nmae'") as caught:
        table(tmp_path / "t.csv", value="nmae")
    assert caught.value.fix == "Did you mean 'name'?"
    with pytest.raises(TableError, match="an object of codes, and has no column 'code'"):
        table({"a": 1}, key="code")


def test_a_job_whose_table_is_missing_is_refused_before_anything_runs(crossdock, tmp_path):
    (tmp_path / "districts.csv").write_text("code,name\nKSM,Kisumu\n")
    (tmp_path / "job.py").write_text(
        "from crossdock import Job, set_data\nfrom crossdock.values import table\nD = table('district.csv')\njob = Job(set_data(1))\n"
    )

    done = crossdock("run", "job.py")

    assert (done.returncode, done.stdout) == (3, "")
    assert "the table district.csv can't be read: No such file or directory" in done.stderr
    assert "Did you mean 'districts.csv'?" in done.stderr


def test_a_table_that_can_not_be_used_is_a_load_error(tmp_path):
    (tmp_path / "job.py").write_text("from crossdock.values import table\ntable('nothing.json')\n")

    with pytest.raises(TableError) as caught:
        load_job(tmp_path / "job.py")

    assert (caught.value.code, caught.value.outcome) == ("table_unusable", "refused")
    assert any("job.py:2" in note for note in caught.value.__notes__)


def test_an_unknown_policy_is_refused():
    with pytest.raises(Exception, match=r"table\(\) got unknown='ignore'"):
        table({"a": 1}, unknown="ignore")


def test_a_table_shows_its_size_and_not_what_is_in_it():
    assert repr(table({"a": "Amina"}, name="people")) == "<table 'people' of 1 codes, unknown='warn'>"
    assert isinstance(table({}), Table)
