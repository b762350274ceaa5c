"""`crossdock check`: what it looks at, what it prints, how it ends."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest
from crossdock.checking.check import check
from crossdock.checking.finding import Code
from fix_command import COMMAND, Crossdock, WriteJob
from fix_distribution import ACME, GOOD, USES, Install, path_of
from fix_documents import DOCUMENTS

ROOT = Path(__file__).parent.parent.parent
HEAD = "from crossdock import Job, each, log, set_data, state\nfrom crossdock.adaptors import http, postgresql\n"
CLEAN = HEAD + "job = Job(http.get('/x'))\n"
UNUSED_READ = HEAD + "def f(state):\n    http.get('/x').result()\n    return state\njob = Job(f)\n"
DESIGN = """
from crossdock import Job, cursor, each, save_cursor, state
from crossdock.adaptors import dhis2, http, postgresql
from crossdock.values import date, null_if


def visit_rows(state):
    return [
        {"visit_id": v["_id"], "seen_on": date(v["today"], "%d/%m/%Y"), "phone": null_if(v.get("phone"), "", "NaN")}
        for v in state.visits
    ]


def tell_dhis2(state):
    visit = state.data
    hit = dhis2.get("events", {"program": "IpHINAT79UW", "filter": f"IsrhSrEFAX8:EQ:{visit['_id']}"}).result()
    return state if hit else dhis2.create("events", {"program": "IpHINAT79UW", "orgUnit": visit["clinic/code"]})


job = Job(
    http.get_all("/api/v2/assets/visits/data", query={"since": cursor("visits")}, pages="next").into("visits"),
    postgresql.upsert_many("visits", visit_rows, key="visit_id"),
    each(state.visits, tell_dhis2, concurrency=4, on_error="collect", key="_id"),
    save_cursor("visits", of=state.visits, at="_submission_time"),
)
"""
EIGHT = """from crossdock import Job, each, state
from crossdock.adaptors import http, odoo

rows = open("rows.csv").read()
TOKEN = "s3cret-t0ken-12345"


def tell(state):
    http.post("/tell", state.data)
    state.replace(told=True)


job = Job(
    http.gett("/visits"),
    http.get("/visits", qs={"since": f"{state.since}"}),
    each(state.data, tell),
)
"""


def test_cl_13_eight_planted_mistakes_are_found_in_one_go(crossdock: Crossdock, write_job: WriteJob):
    write_job(EIGHT)
    done = crossdock("check", "job.py")
    found = [re.fullmatch(r"job\.py:(\d+): (\w+) .+ → .+", line) for line in done.stdout.splitlines()]
    assert [(int(match[1]), match[2]) for match in found if match] == [
        (2, "adaptor_not_installed"),
        (4, "io_at_import"),
        (5, "secret_inline"),
        (9, "operation_dropped"),
        (10, "state_dropped"),
        (14, "unknown_operation"),
        (15, "lazy_misused"),
        (15, "unknown_option"),
    ]
    assert (done.returncode, done.stderr) == (3, "8 findings in 1 file\n")
    assert "s3cret" not in done.stdout + done.stderr  # ★SE-10: it names the line, never the value


def test_the_words_of_a_finding(crossdock: Crossdock, write_job: WriteJob):
    write_job(HEAD + "job = Job(http.get('/x', qs={}), http.gett('/x'))")
    assert crossdock("check", "job.py").stdout.splitlines() == [
        "job.py:3: unknown_operation http has no operation 'gett' → Did you mean http.get?",
        "job.py:3: unknown_option http.get has no option 'qs', which is called query= → Did you mean query=?",
    ]


def test_findings_as_json(crossdock: Crossdock, write_job: WriteJob):
    write_job(HEAD + "job = Job(http.get())")
    done = crossdock("check", "job.py", "--json")
    assert done.json == [
        {
            "file": "job.py",
            "line": 3,
            "code": "missing_argument",
            "message": "http.get needs path",
            "fix": "Give it path.",
        }
    ]
    assert done.returncode == 3


def test_no_findings(crossdock: Crossdock, write_job: WriteJob):
    write_job(CLEAN)
    done = crossdock("check", "job.py")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no findings in 1 file\n")
    assert crossdock("check", "--json", "job.py").json == []


def test_advice_counts_only_with_strict(crossdock: Crossdock, write_job: WriteJob):
    write_job(UNUSED_READ)
    done = crossdock("check", "job.py")
    assert (done.returncode, done.stderr) == (0, "no findings and 1 piece of advice in 1 file\n")
    assert "advice_unused_result" in done.stdout
    assert crossdock("check", "--strict", "job.py").returncode == 3


def test_nothing_of_the_job_runs(crossdock: Crossdock, write_job: WriteJob, tmp_path: Path):
    write_job("from pathlib import Path\nPath('it-ran').touch()\n" + CLEAN + "import helper")
    write_job("from pathlib import Path\nPath('it-ran').touch()\n", "helper.py")
    done = crossdock("check", "job.py")
    assert (done.returncode, done.stderr) == (0, "no findings in 2 files\n")
    assert not (tmp_path / "it-ran").exists()


def test_a_folder_is_checked_with_what_its_jobs_import(crossdock: Crossdock, write_job: WriteJob, tmp_path: Path):
    folders = ["jobs", "jobs/inner", "jobs/.hidden"]
    for folder in folders:
        (tmp_path / folder).mkdir()
    write_job(CLEAN + "from mapping import rows\n", "jobs/one.py")
    write_job(HEAD + "main = Job(set_data(1))", "jobs/inner/two.py")
    write_job("from crossdock import nope", "jobs/mapping.py")
    write_job("from crossdock import nope", "jobs/of_nobody.py")
    write_job("from crossdock import nope\nfor job in []:\n    print(job)", "jobs/script.py")
    write_job("from crossdock import nope\njob = 1", "jobs/.hidden/three.py")
    write_job("def (", "jobs/broken.py")
    done = crossdock("check", "jobs", "jobs/one.py")
    assert [" ".join(line.split()[:2]) for line in done.stdout.splitlines()] == [
        "jobs/broken.py:1: syntax_error",
        "jobs/inner/two.py:3: no_job",
        "jobs/mapping.py:1: unknown_import",
    ]
    assert done.stderr == "3 findings in 4 files\n"


def test_paths_that_there_are_not(crossdock: Crossdock, write_job: WriteJob, tmp_path: Path):
    write_job(CLEAN, "visits.py")
    (tmp_path / "empty").mkdir()
    missing, empty = crossdock("check", "visit.py"), crossdock("check", "empty")
    assert (missing.returncode, missing.stderr) == (
        2,
        "crossdock: there is no file 'visit.py'\n  fix: Did you mean visits.py?\n",
    )
    assert (empty.returncode, "there is no job in the folder 'empty'" in empty.stderr) == (2, True)


def test_a_file_that_is_no_text(crossdock: Crossdock, tmp_path: Path):
    (tmp_path / "job.py").write_bytes(b"a = 1\nb = '\xff'\n")
    (tmp_path / "null.py").write_bytes(b"a = 1\0\n")
    (tmp_path / "deep.py").write_text("x = " + "-" * 100_000 + "1")
    done = crossdock("check", "job.py", "null.py", "deep.py")
    assert [" ".join(line.split()[:2]) for line in done.stdout.splitlines()] == [
        "deep.py:1: syntax_error",
        "job.py:2: syntax_error",
        "null.py:1: syntax_error",
    ]


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        (ACME.format(name="acme", api=2), "adaptor_wrong_api", "needs plugin API 2; this crossdock has 1"),
        ("1 / 0", "adaptor_broken", "does not load: ZeroDivisionError"),
        ("import sys\nsys.exit(0)", "adaptor_broken", "does not load: SystemExit"),
        ("x = 1", "adaptor_broken", "has no 'adaptor'"),
    ],
)
def test_an_adaptor_that_cannot_be_used(
    crossdock: Crossdock, write_job: WriteJob, install: Install, source, code, words
):
    folder = install("acme-x", source, entry="acme")
    write_job(USES.format(name="acme"))
    done = crossdock("check", "job.py", env=path_of(folder))
    assert done.stdout.startswith(f"job.py:2: {code} ")
    assert words in done.stdout
    assert done.stderr == "1 finding in 1 file\n"


def test_an_adaptor_of_others_is_known_by_its_declarations(crossdock: Crossdock, write_job: WriteJob, install: Install):
    folder = install("good-x", "print('loading')\n" + GOOD, entry="good")
    write_job(USES.format(name="good").replace("'hi'", "'hi', txt=1"))
    done = crossdock("check", "job.py", "--json", env=path_of(folder))
    assert [(finding["code"], finding["fix"]) for finding in done.json] == [("unknown_option", "Did you mean text=?")]


BARE = GOOD.replace('    """Say a text loudly."""\n', "")


def test_pl_11_an_operation_without_docs_is_advised_of_once_and_runs(
    crossdock: Crossdock, write_job: WriteJob, install: Install
):
    env = path_of(
        install("good-x", GOOD, entry="good"), install("bare-x", BARE.replace('"good"', '"bare"'), entry="bare")
    )
    write_job(
        "from crossdock import Job\nfrom crossdock.adaptors import bare, good\n\njob = Job(\n"
        "    good.shout('a'),\n    bare.shout('b').into('said'),\n    bare.shout('c'),\n)"
    )

    done = crossdock("check", "job.py", "--json", env=env)

    assert [(finding["line"], finding["code"]) for finding in done.json] == [(6, "advice_undocumented")]
    assert "bare.shout has no documentation" in done.json[0]["message"]
    assert done.returncode == 0
    assert crossdock("run", "job.py", env=env).json["data"] == "C"


DEFERRED = """
from __future__ import annotations
from crossdock import Adaptor, Operation, State
from crossdock.operation import OperationLike

adaptor = Adaptor("later")


@adaptor.operation()
def twice(state: State, operation: OperationLike | None, check: Callable[[], bool], *others: Operation) -> State:
    '''Do something twice.'''
    return state
"""


def test_annotations_that_are_not_evaluated_are_understood(write_job: WriteJob, install: Install):
    install("later-x", DEFERRED, entry="later")
    head = "from crossdock import Job, set_data\nfrom crossdock.adaptors import later\n"
    right = head + "job = Job(later.twice(set_data(1), lambda: True, set_data(2)))"
    wrong = head + "job = Job(later.twice(lambda state: None, lambda: True))"
    assert check([str(write_job(right))]).findings == []
    assert [finding.code for finding in check([str(write_job(wrong))]).findings] == [Code.RETURNS_NOTHING]


def test_what_nests_deeply_is_checked_too(write_job: WriteJob):
    branches = "".join(f"    elif state.data == {n}:\n        return state\n" for n in range(300))
    long_sum = "PASSWORD = " + " + ".join(["'ab1'"] * 300)
    source = f"{long_sum}\n{HEAD}def f(state):\n    if state.data:\n        return state\n{branches}job = Job(f)\n"
    found = check([str(write_job(source))]).findings
    assert [(finding.line, finding.code) for finding in found] == [(1, Code.SECRET_INLINE), (5, Code.RETURNS_NOTHING)]


def documented() -> list[tuple[str, str]]:
    """Give each block of Python in the documents that is a job, or a part of one."""
    found = []
    for path in DOCUMENTS:
        blocks = re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        named = [(f"{path.relative_to(ROOT)} {number}", block) for number, block in enumerate(blocks, 1)]
        found += [(name, block) for name, block in named if "crossdock.testing" not in block]
    return found


@pytest.mark.parametrize(("name", "block"), [*documented(), ("design", DESIGN)])
def test_no_false_finding_in_the_documents(write_job: WriteJob, name: str, block: str):
    found = [finding for finding in check([str(write_job(block))]).findings if not finding.is_advice]
    is_job = re.search(r"^job = ", block, re.MULTILINE) is not None
    assert [str(finding) for finding in found if is_job or finding.code != Code.NO_JOB] == []


@pytest.mark.parametrize("folder", ["examples", "examples/jobs", "tests/acceptance/jobs"])
def test_no_false_finding_in_the_examples_and_cases(folder: str):
    checked = check([str(ROOT / folder)])
    assert ([*map(str, checked.findings)], len(checked.files) >= 2) == ([], True)


def test_the_table_in_the_documents_has_every_code():
    text = (ROOT / "docs/check.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", text, re.MULTILINE)
    assert [row[0] for row in rows] == [str(code) for code in Code]


def test_every_code_is_used_in_the_source():
    folders = [ROOT / "core/crossdock/checking", ROOT / "core/crossdock/project"]
    source = "".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("*.py"))
    assert [code.name for code in Code if f"Code.{code.name}" not in source] == []


LONG = """
def step_{n}(state):
    rows = [{{"id": row["id"], "seen": row.get("seen"), "by": f"{{row['by']}}"}} for row in state.data]
    for row in rows:
        if row["seen"]:
            http.post("/x/{n}", row, query={{"n": {n}}}).result()
        else:
            log("not seen", row["id"])
    found = http.get("/x", query={{"since": cursor("x"), "id": state.data["id"]}}).result()
    return state.replace(found=found, rows=rows)
"""


def test_a_job_of_two_thousand_lines_takes_less_than_a_second_of_processor_time(write_job: WriteJob):
    steps = "".join(LONG.format(n=n) for n in range(200))
    listed = ", ".join(f"step_{n}" for n in range(200))
    source = HEAD.replace("Job,", "Job, cursor,") + steps + f"job = Job({listed})\n"
    job = str(write_job(source))
    check([job])  # imports the adaptors

    before = process_time()
    checked = check([job])
    seconds = process_time() - before

    assert (source.count("\n") >= 2000, checked.findings) == (True, [])
    assert seconds < 1, seconds


def test_on_a_terminal_the_same_words_in_colour_on_two_lines(write_job: WriteJob, tmp_path: Path):
    write_job(HEAD + "job = Job(http.get('/x', qs={}))")
    shown = on_a_terminal(["check", "job.py"], tmp_path)
    assert "\x1b[" in shown
    assert re.sub(r"\x1b\[[\d;]*m", "", shown).replace("\r", "").splitlines() == [
        "job.py:3: unknown_option http.get has no option 'qs', which is called query=",
        "    → Did you mean query=?",
        "1 finding in 1 file",
    ]


def on_a_terminal(arguments: list[str], folder: Path) -> str:
    """Give what the command writes to a terminal."""
    ours, its = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8", "HOME": str(folder)}
    with subprocess.Popen([*COMMAND, *arguments], stdout=its, stderr=its, cwd=folder, env=environment) as process:
        os.close(its)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:  # how Linux says that the other end is closed
            pass
        process.wait()
    os.close(ours)
    return shown.decode()


def test_run_says_what_it_always_said_of_a_faulty_job(crossdock: Crossdock, write_job: WriteJob):
    write_job(HEAD + "job = Job(http.get('/x', qs={}))")
    done = crossdock("run", "job.py")
    assert done.returncode == 3
    assert "has no option 'qs', which is called query" in done.stderr


def test_help_imports_none_of_it():
    code = "import sys; sys.argv = ['crossdock', '--help']\nfrom crossdock.cli import main\ntry:\n    main()\nfinally:\n    print([m for m in sys.modules if m.startswith('crossdock.checking')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert re.search(r"^  check +Find the mistakes of projects", done.stdout, re.MULTILINE)
