"""The command line: what it is given, and what it says about that."""

import subprocess
import sys
from pathlib import Path

import pytest
from fix_command import Crossdock, WriteJob, without_privileges
from fix_distribution import ADAPTOR_NAMES

ONE = "from crossdock import Job, set_data\njob = Job(set_data(1))"
MARKS = "from pathlib import Path\nPath('it-ran').touch()\n"
TOKEN = "s3cret-Token"
HEAVY = ["httpx", "psycopg", "lxml", "pydantic", "sqlalchemy", "ruamel.yaml", "rich", "jsonschema", "jsonpath"]


def test_version(crossdock: Crossdock):
    import crossdock as package

    assert crossdock("--version").stdout == f"crossdock {package.__version__}\n"


IN_THIS_PROCESS = f"""
import sys
from crossdock.cli import main
try:
    main()
finally:
    print("heavy:", [name for name in {HEAVY} if name in sys.modules], "light:", "click" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["run", "--help"], ["check", "--help"], ["adaptors", "list"], ["run", "job.py"]],
)
def test_the_command_imports_nothing_heavy_itself(write_job: WriteJob, tmp_path, arguments):
    """What adaptors need is imported in child processes, and not even lxml or pydantic here."""
    write_job("from crossdock.adaptors import dhis2, http, postgresql\n" + ONE)
    done = subprocess.run(
        [sys.executable, "-c", IN_THIS_PROCESS, *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "heavy: [] light: True"), done.stderr


def test_a_job_imports_only_what_it_names(crossdock: Crossdock, write_job: WriteJob):
    job = write_job(
        "import sys\nfrom crossdock import Job, validate\nfrom crossdock.adaptors import http\nfrom crossdock.values import value_at\n"
        "NAMES = ('httpx', 'psycopg', 'lxml', 'jsonschema', 'jsonpath')\n"
        "job = Job(lambda state: state.result([name for name in NAMES if name in sys.modules]))"
    )
    assert crossdock("run", job).json == {"data": ["httpx"]}


def test_adaptors_list(crossdock: Crossdock):
    done = crossdock("adaptors", "list")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["NAME", "DISTRIBUTION", "VERSION", "STATUS"]
    assert [(line[0], line[1], line[3]) for line in lines[1:]] == [
        (name, f"crossdock-{name}", "ok") for name in ADAPTOR_NAMES
    ]


def test_adaptors_list_as_json(crossdock: Crossdock):
    listed = crossdock("adaptors", "list", "--json").json
    assert [entry["name"] for entry in listed] == ADAPTOR_NAMES
    assert {key: listed[1][key] for key in ("distribution", "status", "problem")} == {
        "distribution": "crossdock-http",
        "status": "ok",
        "problem": None,
    }


def test_adaptors_list_is_not_confused_by_files_in_the_folder(tmp_path):
    """A job may be called http.py or json.py; only the real command leaves its folder out of the way."""
    for name in ("http.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit(9)")
    command = Path(sys.executable).with_name("crossdock")
    done = subprocess.run([command, "adaptors", "list"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, "broken" in done.stdout, "http" in done.stdout) == (0, False, True), done.stdout


def test_adaptors_show(crossdock: Crossdock):
    shown = crossdock("adaptors", "show", "http").stdout
    assert "http: operations\n" in shown
    assert ["get_all", "Get", "the", "items"] in [line.split()[:4] for line in shown.splitlines()]
    assert "credential fields\n" in shown
    assert [line.split()[:2] for line in shown.splitlines() if line.startswith("  token")] == [["token", "secret"]]


def test_adaptors_show_as_json(crossdock: Crossdock):
    shown = crossdock("adaptors", "show", "http", "--json").json
    fields = {field["name"]: field for field in shown["credential"]}
    effects = {operation["name"]: operation["effect"] for operation in shown["operations"]}
    assert (fields["token"]["secret"], fields["base_url"]["secret"]) == (True, False)
    assert (effects["get"], effects["post"], effects["request"]) == ("read", "write", "depends on its arguments")


def test_adaptors_show_one_operation(crossdock: Crossdock):
    shown = crossdock("adaptors", "show", "http", "get_all").stdout
    assert shown.startswith("http.get_all(path: str, *, pages: str | ")
    assert "\neffect: read\n" in shown
    assert "\nExample:\n>>> get_all(" in shown
    assert crossdock("adaptors", "show", "http", "get_all", "--json").json["name"] == "get_all"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["rnu"], 2, "There is no command 'rnu'. Did you mean 'run'?"),
        (
            ["zzz"],
            2,
            "There is no command 'zzz'. The commands are: adaptors, backup, check, credentials, cursors, dead, doctor, export, graph, messages, new, project, prune, run, runs, serve, stats, store, trigger, worker.",
        ),
        (["adaptors", "lsit"], 2, "Did you mean 'list'?"),
        (["run", "job.py", "--outptu", "x"], 2, "Did you mean '--output'?"),
        (["run"], 2, "Name a job file, or a project and one of its workflows."),
        (["run", "job.py", "--timeout", "0"], 2, "--timeout"),
        (["run", "job.py", "--timeout", "soon"], 2, "--timeout"),
        (["run", "job.py", "--now", "yesterday"], 2, "write it as 2024-05-02T10:00:00Z"),
        (
            ["adaptors", "show", "http", "gett"],
            2,
            "the adaptor 'http' has no operation 'gett'\n  fix: Did you mean 'get'?",
        ),
        (
            ["adaptors", "show", "htpp"],
            3,
            f"no adaptor 'htpp' is installed; there are: {', '.join(ADAPTOR_NAMES)}\n  fix: Did you mean http? Else: pip install crossdock-htpp",
        ),
    ],
)
def test_cl_03_a_typo_is_told_the_closest_name(
    crossdock: Crossdock, write_job: WriteJob, tmp_path, arguments, code, said
):
    write_job(MARKS + ONE)
    done = crossdock(*arguments)
    assert (done.returncode, done.stdout, (tmp_path / "it-ran").exists()) == (code, "", False)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# name: what the file holds, what is said about it
BROKEN_STATES = {
    "empty": (b"", "is not JSON: Expecting value in line 1, column 1"),
    "cut-off": (b'{"data":\n {"id": 7', "is not JSON: Expecting ',' delimiter in line 2, column 10"),
    "list": (b"[1]", "holds a JSON value of type list, not an object"),
    "nan": (b'{"data": NaN}', "is not strict JSON: NaN is not JSON"),
    "twice": (b'{"data": 1, "data": 2}', "is not strict JSON: a key stands twice in one object at $.data"),
    "latin-1": ('{"data": "Äpfel"}'.encode("latin-1"), "is not UTF-8: byte 10"),
    "deep": (b'{"data": ' + b"[" * 100_000, "nests deeper than 100 levels"),
    "cursors": (b'{"cursors": [1]}', "holds 'cursors' of type list, not an object"),
}


@pytest.mark.parametrize("name", BROKEN_STATES)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_cl_02_a_broken_input_is_exit_2_and_nothing_ran(crossdock: Crossdock, write_job: WriteJob, tmp_path, name, way):
    content, said = BROKEN_STATES[name]
    (tmp_path / "state.json").write_bytes(content)
    with (tmp_path / "state.json").open("rb") as file:
        command = [sys.executable, "-m", "crossdock.cli", "run", write_job(MARKS + ONE), "--state"]
        done = subprocess.run(
            [*command, "-" if way == "stdin" else "state.json"],
            stdin=file,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
    assert (done.returncode, done.stdout, (tmp_path / "it-ran").exists()) == (2, "", False), done.stderr
    what = "standard input" if way == "stdin" else "the state file 'state.json'"
    assert f"crossdock: {what} {said}" in done.stderr
    assert "\n  fix: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "reason"),
    [("none.json", "No such file or directory"), (".", "Is a directory"), ("", "No such file or directory")],
)
def test_cl_02_an_input_that_is_not_there_is_exit_2_and_nothing_ran(
    crossdock: Crossdock, write_job: WriteJob, tmp_path, given, reason
):
    done = crossdock("run", write_job(MARKS + ONE), "--state", given)
    assert (done.returncode, done.stdout, (tmp_path / "it-ran").exists()) == (2, "", False)
    assert done.stderr == (
        f"crossdock: the state file {given!r} can't be read: {reason}\n"
        "  fix: Name an existing file, or - for standard input.\n"
    )


def test_cl_17_the_input_may_come_from_standard_input(crossdock: Crossdock, write_job: WriteJob):
    job = write_job("from crossdock import Job\njob = Job(lambda state: state.result(state.data + 1))")
    assert crossdock("run", job, "--state", "-", stdin='{"data": 41, "form": "visit"}').json == {
        "data": 42,
        "form": "visit",
    }


NOW = "from crossdock import Job, now\njob = Job(lambda state: state.result(now()))"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("2024-05-02T10:00:00Z", "2024-05-02T10:00:00+00:00"),
        ("2024-05-02T10:00:00", "2024-05-02T10:00:00+00:00"),
        ("2024-05-02", "2024-05-02T00:00:00+00:00"),
        ("2024-05-02T10:00:00+03:00", "2024-05-02T10:00:00+03:00"),
    ],
)
def test_now_is_the_clock_of_the_run(crossdock: Crossdock, write_job: WriteJob, given, read):
    assert crossdock("run", write_job(NOW), "--now", given).json == {"data": read}


def test_cl_01_a_job_that_is_not_there_is_refused_with_the_closest_name(crossdock: Crossdock, write_job: WriteJob):
    write_job(ONE, "visits.py")
    done = crossdock("run", "vists.py")
    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no job file vists.py\n  fix: Did you mean visits.py?\n" in done.stderr


def test_cl_01_a_job_that_can_not_be_read_is_refused(crossdock: Crossdock, write_job: WriteJob):
    job = write_job(ONE)
    job.chmod(0)
    done = crossdock("run", "job.py", preexec_fn=without_privileges)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (3, "", False)
    assert "job.py can't be read: Permission denied\n  fix: Correct its permissions" in done.stderr


# name: the path, its content, what is said; CL-01 and CL-14
BAD_JOBS: dict[str, tuple[str, bytes, str]] = {
    "folder": (".", b"", " is a folder, not a job file"),
    "below-a-file": ("job.py/x.py", b"", "job.py/x.py can't be read: Not a directory"),
    "binary": ("job.py", b"\x7fELF\x00\xff\xfe", "job.py is not a Python file: byte 5 is no UTF-8"),
    "zeros": ("job.py", b"x = 1\n\0\0", "job.py is not a Python file"),
    "not-python": ("job.txt", b"a: 1", "job.txt is not a Python file"),
    "empty": ("job.py", b"", "there is no 'job' in job.py"),
    "syntax": (
        "job.py",
        b"from crossdock import Job\njob = Job((1, 2)",
        "job.py:2:10: '(' was never closed: job = Job((1, 2)",
    ),
    "syntax-in-a-helper": ("job.py", b"import helper", "helper.py:2:5: invalid syntax: x = = 1"),
    "import": ("job.py", b"\nimport pandsa", "job.py:2: ModuleNotFoundError: No module named 'pandsa'"),
    "raises": ("job.py", b"def f():\n    return 1 / 0\n\njob = f()", "job.py:2: ZeroDivisionError: division by zero"),
    "exits": ("job.py", b"import sys\nsys.exit(0)", "job.py:2: the file ends Python while it loads"),
    "no-operations": ("job.py", b"from crossdock import Job\njob = Job()", "the job in job.py has no operations"),
    "no-job": (
        "job.py",
        b"from crossdock import Job, set_data\nwork = Job(set_data(1))",
        "there is no 'job', only the Job 'work', in job.py",
    ),
    "list": ("job.py", b"job = [1]", "'job' is of type list, not a Job, in job.py"),
    "wrong-member": ("job.py", b"from crossdock import Job\njob = Job(5)", " at job.py:2: operation 1 of the job: "),
    "wrong-argument": (
        "job.py",
        b"from crossdock.adaptors import http\nhttp.get(path='/', qurey={})",
        "job.py:2: http.get has no option 'qurey'; its options are: path, ",
    ),
    "lazy-misused": (
        "job.py",
        b"from crossdock import state\nif state.data: pass",
        " at job.py:2: state.data is a lazy path",
    ),
    "no-adaptor": (
        "job.py",
        b"from crossdock.adaptors import htpp",
        f"no adaptor 'htpp' is installed; there are: {', '.join(ADAPTOR_NAMES)}",
    ),
}


@pytest.mark.parametrize("name", BAD_JOBS)
def test_cl_14_a_bad_job_is_refused_with_its_place(crossdock: Crossdock, tmp_path, name):
    path, content, said = BAD_JOBS[name]
    (tmp_path / "helper.py").write_text("# helps\nx = = 1")
    (tmp_path / ("job.txt" if path == "job.txt" else "job.py")).write_bytes(content)
    done = crossdock("run", path)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (3, "", False), done.stderr
    outcome, error, *_, fix = done.stderr.splitlines()
    assert " refused in " in outcome
    assert said in error
    assert fix.startswith("  fix: ")


def test_cl_14_verbose_shows_where_it_comes_from(crossdock: Crossdock, write_job: WriteJob):
    job = write_job("def deeper():\n    return 1 / 0\njob = deeper()")
    assert "Traceback" not in crossdock("run", job).stderr
    assert "in deeper\n    return 1 / 0" in crossdock("run", job, "--verbose").stderr


def test_a_job_imports_its_neighbours_and_hides_none_of_pythons_modules(crossdock: Crossdock, tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "json.py").write_text("raise RuntimeError('this is not the json of Python')")
    (folder / "districts.py").write_text("NAMES = {'KSM': 'Kisumu'}")
    (folder / "job.py").write_text(
        "import json\nfrom crossdock import Job, set_data\nfrom districts import NAMES\njob = Job(set_data(NAMES))"
    )

    assert crossdock("run", folder / "job.py").json == {"data": {"KSM": "Kisumu"}}


def test_adaptors_show_marks_secrets_also_inside_of_a_field(crossdock: Crossdock):
    fields = {
        field["name"]: field["secret"] for field in crossdock("adaptors", "show", "http", "--json").json["credential"]
    }

    assert {name for name, secret in fields.items() if secret} == {
        "password",
        "token",
        "api_key",
        "oauth2",
        "key",
        "proxy",
    }
