"""Where the result and everything else goes: standard output, standard error, a file."""

import json
import os
import pty
import stat
from pathlib import Path

import pytest
from fix_command import Crossdock, StartCrossdock, WriteJob, WriteJson, without_privileges

SECRET = "s3cret-Token/1"
ONE = "from crossdock import Job, set_data\njob = Job(set_data(1))"
MARKS = "from pathlib import Path\nPath('it-ran').touch()\n"

CHATTER = """
import logging, os, subprocess, sys
from crossdock import Job, log

SECRET = os.environ["TOKEN"]
print("1 import", SECRET)
os.write(1, f"2 import {SECRET}\\n".encode())
subprocess.run(["echo", "3 import", SECRET])

def chatter(state):
    print("4 print", SECRET)
    print("5 stderr", SECRET, file=sys.stderr)
    os.write(1, f"6 write {SECRET}\\n".encode())
    subprocess.run(["echo", "7 process", SECRET])
    subprocess.run(f"echo 8 shell '{SECRET}' >&2", shell=True)
    logging.getLogger("job").warning("9 logged %s", SECRET)
    log(f"10 log {SECRET}")
    return state.result("done")

job = Job(chatter)
"""


@pytest.mark.parametrize("output", ["stdout", "file"])
def test_standard_output_is_json_only_and_all_else_is_redacted(
    crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson, tmp_path, output
):
    credentials = write_json({"kobo": {"adaptor": "http", "token": "env:TOKEN"}}, "credentials.json")
    to_file = ["--output", "result.json"] if output == "file" else []
    done = crossdock("run", write_job(CHATTER), "--credentials", credentials, *to_file, env={"TOKEN": SECRET})
    result = (tmp_path / "result.json").read_text() if to_file else done.stdout
    assert (done.returncode, json.loads(result)) == (0, {"data": "done"}), done.stderr
    assert done.stdout == ("" if to_file else result)
    lines = [line.removeprefix("warning: ") for line in done.stderr.splitlines()]
    said = [line for line in lines if line[:1].isdigit()]
    assert said == [
        "1 import ***",
        "2 import ***",
        "3 import ***",
        "4 print ***",
        "5 stderr ***",
        "6 write ***",
        "7 process ***",
        "8 shell ***",
        "9 logged ***",
        "10 log ***",
    ]
    assert SECRET not in done.stderr + result


@pytest.mark.parametrize("form", ["plain", "configuration"])
def test_a_secret_in_any_form_of_credential_is_masked_while_a_job_is_imported(
    crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson, form
):
    fields = {"base_url": "http://localhost:9", "token": SECRET}
    job = write_job(f"from crossdock.adaptors import http\nprint('loading', {SECRET!r})\n{ONE}")
    given = write_json(fields if form == "plain" else {"configuration": fields})
    done = crossdock("run", job, "--credentials" if form == "plain" else "--state", given)
    assert (done.returncode, done.stderr.splitlines()[0]) == (0, "loading ***"), done.stderr


def test_an_input_that_holds_a_secret_is_masked_also_when_the_job_is_gone(
    crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson
):
    credentials = write_json({"kobo": {"adaptor": "http", "token": SECRET}}, "credentials.json")
    job = write_job("import os\nfrom crossdock import Job, tap\njob = Job(tap(os._exit, 0))")
    done = crossdock("run", job, "--credentials", credentials, "--state", write_json({"data": f"a {SECRET}"}))
    assert (done.returncode, done.json["data"]) == (4, "a ***"), done.stderr


# redirection: what is said about it
CLOSED = {">&-": "it is closed", ">/dev/full": "No space left on device"}


@pytest.mark.parametrize("redirect", CLOSED)
@pytest.mark.parametrize("command", [["run", "job.py"], ["adaptors", "list"], ["adaptors", "show", "http"]])
def test_cl_07_output_that_can_not_be_written_is_exit_4(
    start_crossdock: StartCrossdock, write_job: WriteJob, command, redirect
):
    write_job(ONE)
    process = start_crossdock(*command, redirect=redirect)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (4, False), err
    assert f"the result can't be written to standard output: {CLOSED[redirect]}\n  fix: " in err


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", "<&- 2>&-", "<&-"])
def test_cl_07_a_closed_standard_error_or_input_loses_no_result(
    start_crossdock: StartCrossdock, write_job: WriteJob, redirect
):
    write_job("from crossdock import Job, log, set_data, tap\njob = Job(tap(print, 'x' * 100_000), set_data(1))")
    process = start_crossdock("run", "job.py", redirect=redirect)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)) == (0, {"data": 1})


@pytest.mark.parametrize("redirect", [">&- 2>&-", "<&- >&- 2>&-"])
def test_cl_07_all_closed_the_result_still_gets_into_its_file(
    start_crossdock: StartCrossdock, write_job: WriteJob, tmp_path, redirect
):
    """As a careless daemon starts it: no pipe of ours may get the number of a standard descriptor."""
    write_job("from crossdock import Job, set_data, tap\njob = Job(tap(print, 'noise'), set_data(1))")
    process = start_crossdock("run", "job.py", "--output", "result.json", redirect=redirect)
    assert process.communicate(timeout=60) == ("", "")
    assert (process.returncode, json.loads((tmp_path / "result.json").read_text())) == (0, {"data": 1})


@pytest.mark.parametrize(
    ("command", "code"),
    [(["run", "job.py"], 0), (["run", "failing.py"], 1), (["adaptors", "list"], 0), (["adaptors", "show", "http"], 0)],
)
@pytest.mark.parametrize("read", [0, 10])
def test_a_reader_that_closes_early_ends_the_command_quietly(
    start_crossdock: StartCrossdock, write_job: WriteJob, write_json: WriteJson, command, code, read
):
    write_job("from crossdock import Job, set_data\njob = Job(set_data('x' * 5_000_000))")
    write_job("from crossdock import Job\njob = Job(lambda state: 1 / 0)", "failing.py")
    process = start_crossdock(*command)
    assert len(os.read(process.stdout.fileno(), read)) == read
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(60) == code, err
    assert "Broken" not in err
    assert "can't be written" not in err
    assert "Traceback" not in err


def test_the_output_file_is_private_and_replaced_whole(crossdock: Crossdock, write_job: WriteJob, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    target = folder / "result.json"
    target.write_text("the result of yesterday")
    target.chmod(0o644)
    with target.open() as reader:
        assert crossdock("run", write_job(ONE), "--output", target).returncode == 0
        assert reader.read() == "the result of yesterday"
    assert json.loads(target.read_text()) == {"data": 1}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(folder) == ["result.json"]


def outputs(folder: Path) -> dict[str, Path]:
    """Make outputs that can't be, by what is wrong with them."""
    (folder / "real.json").write_text("untouched")
    (folder / "link.json").symlink_to("real.json")
    (folder / "dangling.json").symlink_to("nowhere.json")
    return {
        "is a symbolic link": folder / "link.json",
        "is a symbolic link ": folder / "dangling.json",
        "is a folder": folder,
        "lies in a folder that does not exist": folder / "no" / "result.json",
    }


@pytest.mark.parametrize(
    "problem", ["is a symbolic link", "is a symbolic link ", "is a folder", "lies in a folder that does not exist"]
)
def test_an_output_that_can_not_be_is_refused_before_the_job_is_imported(
    crossdock: Crossdock, write_job: WriteJob, tmp_path, problem
):
    target = outputs(tmp_path)[problem]
    done = crossdock("run", write_job(MARKS + ONE), "--output", target)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{str(target)!r} {problem.strip()}; nothing ran\n  fix: " in done.stderr
    assert not (tmp_path / "it-ran").exists()
    assert (tmp_path / "real.json").read_text() == "untouched"
    assert not (tmp_path / "nowhere.json").exists()


@pytest.mark.parametrize("there", [False, True])
def test_an_output_in_a_folder_without_permission_is_refused(
    crossdock: Crossdock, write_job: WriteJob, tmp_path, there
):
    """A file that is there can't be replaced either: that takes the folder's permission."""
    folder = tmp_path / "locked"
    folder.mkdir()
    if there:
        (folder / "result.json").write_text("untouched")
    folder.chmod(0o500)
    job = write_job(MARKS + ONE)
    done = crossdock("run", job, "--output", folder / "result.json", preexec_fn=without_privileges)
    assert (done.returncode, (tmp_path / "it-ran").exists()) == (3, False), done.stderr
    assert "in a folder that can't be written to" in done.stderr


@pytest.mark.parametrize("output", ["/dev/full", "gone/result.json"])
def test_cl_07_an_output_that_fails_after_the_run_is_exit_4(
    crossdock: Crossdock, write_job: WriteJob, tmp_path, output
):
    (tmp_path / "gone").mkdir()
    job = write_job("import shutil\nfrom crossdock import Job, tap\njob = Job(tap(shutil.rmtree, 'gone'))")
    done = crossdock("run", job, "--output", output)
    assert (done.returncode, "Traceback" in done.stderr) == (4, False), done.stderr
    assert f"the result can't be written to {output}: " in done.stderr


WRITTEN = {
    0: ONE,
    1: "from crossdock import Job\njob = Job(lambda state: 1 / 0)",
    4: "from crossdock import Job\njob = Job(lambda state: None)",
    5: "from crossdock import Job, set_data\njob = Job(set_data('x' * 11_000_000))",
    6: "from crossdock import Job, each\njob = Job(each([0], lambda state: 1 / state.data, on_error='collect'))",
}


@pytest.mark.parametrize("code", WRITTEN)
def test_the_result_is_written_to_the_file_for_every_outcome(crossdock: Crossdock, write_job: WriteJob, tmp_path, code):
    done = crossdock("run", write_job(WRITTEN[code]), "--output", "result.json")
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "data" in json.loads((tmp_path / "result.json").read_text())


@pytest.mark.parametrize(("code", "arguments"), [(2, ["job.py", "--state", "none.json"]), (3, ["none.py"])])
def test_no_result_is_written_where_nothing_ran(crossdock: Crossdock, write_job: WriteJob, tmp_path, code, arguments):
    write_job(ONE)
    (tmp_path / "result.json").write_text("the result of yesterday")
    done = crossdock("run", *arguments, "--output", "result.json")
    assert (done.returncode, done.stdout) == (code, "")
    assert (tmp_path / "result.json").read_text() == "the result of yesterday"


PLAIN = {
    "C": {"LANG": "C"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no-color": {"NO_COLOR": "1"},
    "narrow": {"COLUMNS": "20", "TERM": "xterm-256color"},
}


@pytest.mark.parametrize("name", PLAIN)
def test_cl_12_any_locale_gets_its_text_and_no_terminal_codes(crossdock: Crossdock, write_job: WriteJob, name):
    job = write_job(
        "from crossdock import Job, JobError, set_data\n"
        "def refuse(state):\n"
        "    print('naïve \\x1b[31mred\\x1b[0m')\n"
        "    raise JobError('X', 'no Äpfel \\x1b[1m')\n"
        "job = Job(set_data('Ünïcode ✓'), refuse)\n"
    )
    done = crossdock("run", job, env=PLAIN[name])
    assert done.returncode == 1, done.stderr
    assert done.json["errors"]["job"]["message"] == "no Äpfel \\x1b[1m"
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("command", [["--help"], ["adaptors", "list"], ["adaptors", "show", "http", "request"]])
def test_cl_12_every_command_prints_in_any_locale(crossdock: Crossdock, command, name):
    done = crossdock(*command, env=PLAIN[name])
    assert (done.returncode, "\x1b" in done.stdout) == (0, False), done.stderr
    assert len(done.stdout) > 100


def test_cl_12_a_job_with_windows_line_ends_runs(crossdock: Crossdock, tmp_path):
    (tmp_path / "job.py").write_bytes(b"\xef\xbb\xbf" + ONE.replace("\n", "\r\n").encode())
    assert crossdock("run", "job.py").json == {"data": 1}


def test_cl_12_progress_on_a_terminal_does_not_get_into_the_result(
    start_crossdock: StartCrossdock, write_job: WriteJob
):
    terminal, their_end = pty.openpty()
    process = start_crossdock("run", write_job(ONE), stderr=their_end, env={"TERM": "xterm"})
    os.close(their_end)
    out = process.stdout.read()
    assert (process.wait(60), json.loads(out)) == (0, {"data": 1})
    seen = b""
    try:
        while chunk := os.read(terminal, 65536):
            seen += chunk
    except OSError:  # on Linux the end of a terminal is an error
        pass
    os.close(terminal)
    assert b"\x1b" in seen
    assert b"success" in seen
