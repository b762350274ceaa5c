"""Large inputs: rows in JSON lines or CSV that are walked once, in the memory of one row."""

import json
from io import BytesIO

import pytest
from crossdock import Job, Run, State, Step, Workflow, batches, each, state, stop
from crossdock.errors import InputError, StateError
from crossdock.message import rows_of
from crossdock.state import SIZE_LIMIT, encode
from fix_command import Crossdock, WriteJob
from fix_measured import Measure

SUM = """
from crossdock import Job, each, state

total = 0

def add(state):
    global total
    total += int(state.data["n"])
    return state

job = Job(each(state.data, add), lambda state: state.replace(total=total))
"""

FORMS = {
    "jsonl": '{"n": 1}\n\n{"n": 2}\r\n   \n{"n": 3}',
    "ndjson": '\ufeff{"n": 1}\n{"n": 2}\n{"n": 3}\n',
    "csv": '\ufeffn,name\r\n1,"Amina\nWanjiru"\r\n\r\n2,b\r\n3,c\r\n',
    "CSV": "n\n1\n2\n3",
}


def rows(text: str | bytes, form: str):
    return rows_of(BytesIO(text.encode() if isinstance(text, str) else text), form, what="the sample")


@pytest.mark.parametrize("ending", FORMS)
def test_the_rows_of_a_file_are_the_data(crossdock: Crossdock, write_job: WriteJob, ending):
    file = write_job(FORMS[ending], f"rows.{ending}")

    done = crossdock("run", write_job(SUM), "--state", file)

    assert (done.returncode, done.json) == (0, {"data": None, "total": 6}), done.stderr


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_the_rows_may_come_from_standard_input(crossdock: Crossdock, write_job: WriteJob, form):
    done = crossdock("run", write_job(SUM), "--state", "-", "--state-format", form, stdin=FORMS[form])

    assert (done.returncode, done.json["total"]) == (0, 6), done.stderr


def test_a_form_that_is_told_wins_over_the_ending(crossdock: Crossdock, write_job: WriteJob):
    job = write_job("from crossdock import Job\njob = Job(lambda state: state)\n")

    done = crossdock("run", job, "--state", write_job('{"data": 7}', "x.csv"), "--state-format", "json")

    assert (done.returncode, done.json["data"]) == (0, 7), done.stderr


def test_the_job_has_no_standard_input_beside_the_rows(crossdock: Crossdock, write_job: WriteJob):
    job = write_job(
        "import sys\nfrom crossdock import Job\n"
        "job = Job(lambda state: state.result([sys.stdin.read(), [row['n'] for row in state.data]]))\n"
    )

    done = crossdock("run", job, "--state", "-", "--state-format", "jsonl", stdin=FORMS["jsonl"])

    assert done.json["data"] == ["", [1, 2, 3]]


def test_rows_go_into_a_table_and_into_batches(postgres, run_job):
    from crossdock.adaptors import postgresql

    postgres.execute("create table visits (n int, name text)")
    credentials = {"w": postgres.credential}
    text = "n,name\n" + "".join(f"{n},v{n}\n" for n in range(5000))

    run = run_job(
        postgresql.insert_many("visits", state.data), state={"data": rows(text, "csv")}, credentials=credentials
    )
    sizes = run_job(
        lambda s: s.result([len(batch) for batch in batches(s.data, 2000)]), state={"data": rows(text, "csv")}
    )

    assert run.outcome == "success", run.error
    assert postgres.execute("select count(*), sum(n) from visits") == [{"count": 5000, "sum": sum(range(5000))}]
    assert sizes.state.data == [2000, 2000, 1000]


def test_a_second_walk_is_an_error_that_says_what_to_do(run_job):
    run = run_job(
        each(state.data, lambda s: s), each(state.data, lambda s: s), state={"data": rows(FORMS["jsonl"], "jsonl")}
    )

    assert isinstance(run.error, StateError)
    assert "the rows of the sample are walked a second time" in run.error.message
    assert "rows = list(state.data)" in run.error.fix


def test_rows_are_null_where_a_state_is_written_down():
    source = rows(FORMS["jsonl"], "jsonl")

    assert encode(State(data=source)) == b'{"data":null}'
    assert "FORM" not in repr(source)
    assert list(source) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_rows_that_no_step_walked_do_not_reach_the_next_one_as_rows(run_job):
    run = run_job(lambda s: 1 / 0, state={"data": rows(FORMS["jsonl"], "jsonl"), "form": "visit"})

    assert (run.outcome, run.state.data, run.state.form) == ("failed", None, "visit")


SECRET = "Wanjiru"

BROKEN = {
    "no JSON": (
        "jsonl",
        f'{{"n": 1}}\n{{"name": "{SECRET}" "n": 2}}\n',
        2,
        "is not JSON: Expecting ',' delimiter in column",
    ),
    "NaN": ("jsonl", f'{{"n": 1}}\n\n{{"name": "{SECRET}", "n": NaN}}\n', 3, "NaN is not JSON"),
    "a key twice": ("jsonl", f'{{"n": 1, "n": "{SECRET}"}}\n', 1, "stands twice"),
    "a lone surrogate": ("jsonl", f'{{"n": "{SECRET}\\ud800"}}\n', 1, "surrogate"),
    "no UTF-8": ("jsonl", b'{"n": 1}\n{"n": "Wanjiru\xe9"}\n', 2, "is not UTF-8: byte 14"),
    "a JSON file": ("jsonl", f'[\n{{"name": "{SECRET}"}}\n]\n', 1, "is not JSON"),
    "a row that is too long": (
        "csv",
        f"n,name\n1,{SECRET}\n2,3,{SECRET}\n",
        3,
        "has 3 fields, and there are 2 columns",
    ),
    "a row that is too short": ("csv", f"n,name\n\n{SECRET}\n", 3, "has 1 fields"),
    "an open quote": ("csv", f'n,name\n1,"{SECRET}\n', 2, "can't be read"),
    "CSV that is no UTF-8": ("csv", b"n\nWanjiru\xe9\n", 2, "is not UTF-8"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_row_is_an_error_that_names_the_line_and_not_the_value(broken):
    form, text, line, told = BROKEN[broken]

    with pytest.raises(InputError) as caught:
        list(rows(text, form))

    assert f"line {line} of the sample" in caught.value.message or f"the sample: line {line} of" in caught.value.message
    assert told in caught.value.message
    assert SECRET not in caught.value.message
    assert caught.value.details["line"] == line


def test_a_file_without_line_breaks_does_not_fill_the_memory():
    endless = BytesIO(b"x" * (2 * SIZE_LIMIT))

    with pytest.raises(InputError, match="line 1 of the sample is longer than 10 MB"):
        list(rows_of(endless, "jsonl", what="the sample"))

    assert endless.tell() == SIZE_LIMIT + 1  # and no more was read


def test_a_broken_row_fails_the_run_after_those_before_it(crossdock: Crossdock, write_job: WriteJob):
    done = crossdock("run", write_job(SUM), "--state", write_job("n,m\n1,1\n2\n", "visits.csv"))

    assert done.returncode == 1
    assert "visits.csv': line 3 of the CSV has 1 fields" in done.json["errors"]["job"]["message"]


def test_a_file_that_is_not_there_is_refused_before_anything_runs(crossdock: Crossdock, write_job: WriteJob):
    done = crossdock("run", write_job(SUM), "--state", "nowhere.csv")

    assert (done.returncode, done.stdout) == (2, "")
    assert "the state file 'nowhere.csv' can't be read: No such file or directory" in done.stderr


@pytest.mark.parametrize("option", ["--trace", "--dry-run"])
def test_a_run_that_is_watched_walks_its_rows_too(crossdock: Crossdock, write_job: WriteJob, option):
    done = crossdock("run", write_job(SUM), "--state", write_job(FORMS["csv"], "rows.csv"), option)

    assert (done.returncode, done.json["total"]) == (0, 6), done.stderr


def test_a_run_that_is_killed_leaves_a_state_without_the_rows(crossdock: Crossdock, write_job: WriteJob):
    job = write_job("import os\nfrom crossdock import Job\njob = Job(lambda state: os._exit(9))\n")

    done = crossdock("run", job, "--state", write_job("n\n1\n", "rows.csv"))

    assert (done.returncode, done.json["data"]) == (4, None)


def test_a_job_over_rows_has_no_findings(crossdock: Crossdock, write_job: WriteJob):
    done = crossdock("check", "--strict", write_job(SUM.replace("global total", "global total  # counted")))

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_loop_over_a_large_file_takes_the_memory_of_one_row(measured: Measure, tmp_path, form):
    file = tmp_path / f"rows.{form}"
    with file.open("w") as target:
        target.write("n,text\n" if form == "csv" else "")
        for n in range(100_000):
            row = [n, "x" * 300]
            target.write(f"{n},{row[1]}\n" if form == "csv" else json.dumps({"n": n, "text": row[1]}) + "\n")

    cost = measured(
        "from crossdock import Job, Run, Workflow, each, state\n"
        "from crossdock.message import Message\n"
        "count = 0\n"
        "def add(state):\n"
        "    global count\n"
        "    count += len(state.data['text']) == 300\n"
        "    return state\n"
        f"message = Message.from_file({str(file)!r})\n"
        "def run():\n"
        "    run = Run(Workflow.of(Job(each(state.data, add))), message.input)\n"
        "    return [run.execute(), count]"
    )

    assert file.stat().st_size > 30_000_000
    assert cost.got == ["success", 100_000]
    assert cost.megabytes < 10


def test_a_loop_over_a_lazy_source_takes_less_than_10_mb(measured: Measure):
    cost = measured(
        "from crossdock import Job, Run, Workflow, each\n"
        "def rows(_):\n"
        "    return ({'n': n, 'text': 'x' * 300} for n in range(200_000))\n"
        "def run():\n"
        "    return Run(Workflow.of(Job(each(rows, lambda state: state.result(state.data['n']))))).execute()"
    )

    assert cost.got == "success"
    assert cost.megabytes < 10


def test_a_form_without_an_input_is_refused(crossdock: Crossdock, write_job: WriteJob):
    done = crossdock("run", write_job(SUM), "--state-format", "csv")

    assert (done.returncode, "--state-format needs --state" in done.stderr) == (2, True)


def counted(s: State) -> State:
    return s.replace(counted=[*s.get("counted", []), None if s.data is None else len(list(s.data))])


def test_of_a_workflow_the_first_step_has_the_rows_and_no_other():
    steps = Workflow("count", Step("one", Job(counted), next="two"), Step("two", Job(counted)))

    run = Run(steps, {"data": rows(FORMS["jsonl"], "jsonl")})

    assert (run.execute(), run.state.counted, run.state.data) == ("success", [3, None], None), run.error


def test_two_first_steps_can_not_both_walk_the_rows():
    steps = Workflow("count", Step("one", Job(counted)), Step("two", Job(counted)))

    run = Run(steps, {"data": rows(FORMS["jsonl"], "jsonl")})

    assert run.execute() == "failed"
    assert isinstance(run.error, StateError)


@pytest.mark.parametrize(("walked", "outcome"), [(False, "success"), (True, "failed")])
def test_a_failure_edge_gets_the_rows_that_the_step_received_and_they_are_walked_once(walked, outcome):
    def fail(s):
        return (list(s.data) if walked else []) / 0

    steps = Workflow("count", Step("one", Job(fail), next={"two": "on_failure"}), Step("two", Job(counted)))
    run = Run(steps, {"data": rows(FORMS["jsonl"], "jsonl")})

    assert run.execute() == outcome
    assert run.state.get("counted") == (None if walked else [3])
    assert isinstance(run.error, StateError) == walked


IGNORES = "from crossdock import Job, set_data\njob = Job(set_data('ready'))\n"


def test_rows_that_no_step_walks_are_an_error_that_names_the_file_and_the_step(
    crossdock: Crossdock, write_job: WriteJob
):
    done = crossdock("run", write_job(IGNORES), "--state", write_job("n\n1\n2\n", "visits.csv"))

    assert done.returncode == 1
    assert "no step walked the rows of the state file" in done.json["errors"]["job"]["message"]
    assert "visits.csv', and no step after the first one gets them" in done.json["errors"]["job"]["message"]
    assert "each(state.data, …)" in done.stderr


def test_the_work_of_a_step_that_left_its_rows_alone_is_undone_and_no_other_runs():
    ran = []
    steps = Workflow("count", Step("one", Job(lambda s: s), next={"two": "on_success"}), Step("two", Job(ran.append)))

    run = Run(steps, {"data": rows(FORMS["csv"], "csv")})

    assert (run.execute(), ran, run.walk.skipped()) == (
        "failed",
        [],
        {"two": "one: failed, and the edge is on_success"},
    )


@pytest.mark.parametrize("parallel", [1, 2])
def test_of_several_first_steps_one_has_to_walk_the_rows(parallel):
    idle, walks = Job(lambda s: s.without("data")), Job(counted)

    one_of_them = Run(
        Workflow("w", Step("a", idle), Step("b", walks)), {"data": rows(FORMS["csv"], "csv")}, parallel=parallel
    )
    none_of_them = Run(
        Workflow("w", Step("a", idle), Step("b", idle)), {"data": rows(FORMS["csv"], "csv")}, parallel=parallel
    )

    assert (one_of_them.execute(), none_of_them.execute()) == ("success", "failed")


def test_rows_that_were_not_read_to_their_end_are_a_warning(run_job, caplog):
    run = run_job(lambda s: s.result(next(iter(s.data))), state={"data": rows(FORMS["jsonl"], "jsonl")})

    assert (run.outcome, run.state.data) == ("success", {"n": 1})
    assert run.state.warnings == [{"code": "rows_not_read", "step": "job", "input": "the sample"}]
    assert "job did not read the rows of the sample to their end" in caplog.text


def test_a_job_that_stops_says_why_and_leaves_its_rows(run_job):
    run = run_job(stop("not today"), state={"data": rows(FORMS["csv"], "csv")})

    assert (run.outcome, run.stopped, run.state.get("warnings")) == ("success", "not today", None)


@pytest.mark.parametrize("empty", ["", "\ufeff", "\n\r\n"])
def test_a_table_without_a_header_is_an_error_and_one_without_rows_is_not(run_job, empty):
    broken = run_job(each(state.data, lambda s: s), state={"data": rows(empty, "csv")})
    no_rows = run_job(each(state.data, lambda s: s), state={"data": rows("n,name\n", "csv")})

    assert (broken.outcome, no_rows.outcome) == ("failed", "success")
    assert "the sample is empty, and a CSV begins with the names of its columns" in str(broken.error)
