"""The files of a run: where they lie, which names are refused, and that nothing is left of them."""

import os
import select
import signal
import stat
import threading
from pathlib import Path

import pytest
from crossdock import Run, each, in_run, run_file, set_data
from crossdock.errors import FileNameError, NoRunError
from crossdock.scope import open_run
from crossdock.testing import RunJob
from fix_command import Crossdock, StartCrossdock, WriteJob

KEEPS = """
import os, threading
from crossdock import Job, run_file

def keep(state):
    file = run_file("scans/7.txt", create=True)
    file.write_text("grey")
    return state.replace(file=str(file), mode=oct(os.stat(file.parent.parent).st_mode)[-3:])

"""

ENDS = {
    "well": ("job = Job(keep)", [], 0),
    "with an error": ("job = Job(keep, lambda state: 1 / 0)", [], 1),
    "by sys.exit": ("import sys\njob = Job(keep, lambda state: sys.exit(0))", [], 4),
    "by os._exit": ("job = Job(keep, lambda state: os._exit(3))", [], 4),
    "by kill -9": ("job = Job(keep, lambda state: os.kill(os.getpid(), 9))", [], 4),
    "by its time limit": ("job = Job(keep, lambda state: threading.Event().wait())", ["--timeout", "1"], 5),
}


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("end", ENDS)
def test_of_the_files_of_a_run_nothing_is_left_however_it_ends(
    crossdock: Crossdock, write_job: WriteJob, temporary: Path, end: str
):
    source, options, code = ENDS[end]
    done = crossdock("run", write_job(KEEPS + source), *options, env={"TMPDIR": str(temporary)})

    assert done.returncode == code, done.stderr
    assert list(temporary.iterdir()) == []
    if end == "well":
        assert (Path(done.json["file"]).parts[: len(temporary.parts)], done.json["mode"]) == (temporary.parts, "700")


WAITS = "def wait(state):\n    print(os.getpid(), state.file, flush=True)\n    threading.Event().wait()\njob = Job(keep, wait)"


def test_of_the_files_of_a_run_nothing_is_left_when_somebody_kills_its_process(
    start_crossdock: StartCrossdock, write_job: WriteJob, temporary: Path
):
    command = start_crossdock("run", write_job(KEEPS + WAITS), env={"TMPDIR": str(temporary)})
    pid, file = command.stderr.readline().split()
    assert Path(file).read_text() == "grey"

    os.kill(int(pid), signal.SIGKILL)

    assert command.wait(timeout=20) == 4
    assert list(temporary.iterdir()) == []


@pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="it waits for a process that is not its child: run it on Linux"
)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_of_the_files_of_a_run_nothing_is_left_when_its_command_is_killed(
    start_crossdock: StartCrossdock, write_job: WriteJob, temporary: Path, number: signal.Signals
):
    command = start_crossdock("run", write_job(KEEPS + WAITS), env={"TMPDIR": str(temporary)})
    child = os.pidfd_open(int(command.stderr.readline().split()[0]))

    command.send_signal(number)
    command.wait(timeout=20)

    assert select.select([child], [], [], 20)[0] == [child]
    os.close(child)
    assert list(temporary.iterdir()) == []


def test_a_run_that_keeps_no_file_makes_no_folder(crossdock: Crossdock, write_job: WriteJob, temporary: Path):
    job = write_job(
        "import os\nfrom crossdock import Job\njob = Job(lambda s: s.result(os.listdir(os.environ['TMPDIR'])))"
    )

    assert crossdock("run", job, env={"TMPDIR": str(temporary)}).json == {"data": []}


def test_files_in_a_folder_that_was_given_stay(crossdock: Crossdock, write_job: WriteJob, tmp_path: Path):
    job = write_job("import os\n" + KEEPS + "os.chdir('/')\njob = Job(keep)")

    done = crossdock("run", job, "--files", "kept/here")

    assert (tmp_path / "kept/here/scans/7.txt").read_text() == "grey"
    assert (done.returncode, done.json["mode"]) == (0, "700")
    assert crossdock("run", job, "--files", "kept/here").returncode == 0


def test_the_temporary_folder_of_a_run_in_this_process_ends_with_it(run_job: RunJob):
    kept = []

    def keep(state):
        kept.append(run_file("a.txt", create=True))
        kept[0].write_text("x")
        kept.append(run_file("a.txt").read_text())
        raise KeyboardInterrupt

    run = run_job(keep)

    assert (run.outcome, kept[1], kept[0].parent.exists()) == ("interrupted", "x", False)


def test_all_items_of_a_run_share_one_folder_wherever_they_go(
    run_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    def keep(state):
        os.chdir("/")
        run_file(f"{state.data}.txt", create=True).write_text("x")
        return state

    run_job(each(range(20), keep, concurrency=8), files=Path("kept"))

    assert len(list((tmp_path / "kept").iterdir())) == 20


NAMES = {
    "absolute": ("/etc/passwd", "is an absolute path"),
    "up": ("../secret.txt", "has a '..' in it"),
    "up and down": ("a/../../secret.txt", "has a '..' in it"),
    "up and stay": ("a/../b", "has a '..' in it"),
    "empty": ("", "names no file"),
    "the folder": (".", "names no file"),
    "root": ("/", "names no file"),
    "NUL": ("a\0.txt", "has a NUL character in it"),
    "backslash": ("..\\secret.txt", "has a backslash in it"),
    "no unicode": ("\ud800", "it is no text that a file can be named"),
    "too long": ("x" * 300, "can't be used: File name too long"),
    "too long on the way": ("x" * 300 + "/a", "can't be used: File name too long"),
    "no text": (7, "got a value of type int"),
    "linked folder": ("out/secret.txt", "leads out of the folder"),
    "linked file": ("link.txt", "leads out of the folder"),
    "link to nothing": ("dangling.txt", "leads out of the folder"),
    "link to itself": ("loop", "can't be used: Too many levels of symbolic links"),
    "folder": ("inside", "is no regular file"),
    "pipe": ("pipe", "is no regular file"),
    "below a file": ("file.txt/a", "can't be used: Not a directory"),
}


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_not_safe_is_refused(run_job: RunJob, tmp_path: Path, name: str, create: bool):
    folder = tmp_path / "kept"
    (folder / "inside").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("s3cret")
    (folder / "file.txt").touch()
    (folder / "out").symlink_to(tmp_path)
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "dangling.txt").symlink_to(tmp_path / "new.txt")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    given, said = NAMES[name]
    before = sorted(map(str, tmp_path.rglob("*")))

    run = run_job(lambda state: state.result(run_file(given, create=create)), files=folder)

    assert isinstance(run.error, FileNameError), run.error
    assert (said in run.error.message, run.error.code) == (True, "unsafe_file"), run.error.message
    assert sorted(map(str, tmp_path.rglob("*"))) == before


def test_a_name_without_a_file_is_refused_unless_it_may_be_new(run_job: RunJob):
    run = run_job(lambda state: state.result(run_file("new.txt")))

    assert run.error.message == "the file name 'new.txt' can't be used: No such file or directory"
    assert "create=True" in run.error.fix


def test_a_link_that_stays_in_the_folder_is_followed(run_job: RunJob, tmp_path: Path):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").symlink_to("a.txt")

    run = run_job(lambda state: state.result(run_file("b.txt").read_text()), files=tmp_path)

    assert run.state.data == "x"


def test_there_is_no_file_outside_of_a_run_or_after_its_end(run_job: RunJob):
    with pytest.raises(NoRunError, match=r"run_file\(…\) needs a run"):
        run_file("a.txt", create=True)

    late = []
    run_job(lambda state: late.append(in_run(run_file)) or state)
    with pytest.raises(NoRunError, match="the run has ended"):
        late[0]("a.txt", create=True)


def test_open_run_is_the_run_in_progress_or_none(run_job: RunJob):
    seen: list[Run | None] = []

    def look(state):
        thread = threading.Thread(target=in_run(lambda: seen.append(open_run())))
        thread.start()
        thread.join()
        return state

    run = run_job(look)

    assert (seen, open_run()) == ([run], None)


FOLDERS = (
    "from crossdock import Job\nfrom crossdock.scope import open_run\n"
    "job = Job(lambda state: state.result([str(open_run().record), str(open_run().replay)]))"
)


def test_record_makes_a_private_folder_and_the_run_knows_it(crossdock: Crossdock, write_job: WriteJob, tmp_path: Path):
    done = crossdock("run", write_job(FOLDERS), "--record", "new/tape")

    assert done.json["data"] == [str(tmp_path / "new/tape"), "None"]
    assert stat.S_IMODE((tmp_path / "new/tape").stat().st_mode) == 0o700


def test_replay_reads_a_folder_that_is_there(crossdock: Crossdock, write_job: WriteJob, tmp_path: Path):
    (tmp_path / "tape").mkdir()

    assert crossdock("run", write_job(FOLDERS), "--replay", "tape").json["data"] == ["None", str(tmp_path / "tape")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--record", "a", "--replay", "tape"], "--record and --replay can't be given together."),
        (["--replay", "none"], "Invalid value for '--replay': Directory"),
        (["--replay", "job.py"], "Invalid value for '--replay': Directory"),
        (["--record", "job.py"], "Invalid value for '--record': Directory"),
        (["--files", "job.py/x"], "Invalid value for '--files': the folder"),
    ],
)
def test_a_folder_that_can_not_be_used_is_wrong_usage(
    crossdock: Crossdock, write_job: WriteJob, tmp_path: Path, options, said
):
    (tmp_path / "tape").mkdir()
    job = write_job("from pathlib import Path\nPath('it-ran').touch()\n" + FOLDERS)

    done = crossdock("run", job, *options)

    assert (done.returncode, done.stdout, said in done.stderr) == (2, "", True), done.stderr
    assert not (tmp_path / "it-ran").exists()
    assert not (tmp_path / "a").exists()


def test_a_run_does_not_look_at_record_and_replay_itself(run_job: RunJob, tmp_path: Path):
    run = run_job(set_data(1), record=tmp_path / "a", replay=tmp_path / "b")

    assert (run.outcome, run.record, run.replay) == ("success", tmp_path / "a", tmp_path / "b")
