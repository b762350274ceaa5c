"""What a server does when somebody lays hands on the file of its store."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from crossdock.store.store import Store
from fix_operate import accept
from fix_serve import Served, until

PROJECT = """
    workflows:
      visits:
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""
NOTES = """
    from crossdock import Job

    def load(state):
        with open("load.txt", "a") as file:
            print(state.data["id"], file=file)
        return state

    job = Job(load)
"""


def removed(file: Path) -> None:
    """Remove the file, as who clears up does."""
    file.unlink()


def replaced(file: Path) -> None:
    """Put a copy in its place, as who restores a backup and forgets to stop the server does."""
    copy = Path(shutil.copy(file, file.with_name("copy")))
    copy.replace(file)


def health(served: Served) -> dict[str, str]:
    """Ask the server how it is."""
    try:
        with urlopen(f"{served.address}/health", timeout=30) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        return dict(json.load(error))


@pytest.mark.parametrize("laid_hands_on", [removed, replaced])
def test_in_01_nothing_is_acknowledged_that_would_go_into_a_file_that_nobody_finds(
    served: Served, laid_hands_on: Callable[[Path], None]
):
    served.write(PROJECT, load=NOTES)
    server = served.start()
    served.sent("visits", {"id": 1})

    laid_hands_on(served.folder / ".crossdock" / "crossdock.db")

    with pytest.raises(AssertionError, match="store_unavailable"):
        served.post("visits", {"id": 2})
    assert "removed or replaced while it was in use" in server.logged("was not kept")["message"]
    until(lambda: health(served) == {"status": "failing"}, "the failure")
    assert server.end() == 0
    assert served.file("load.txt") == ["1"]


def test_in_01_a_store_that_was_moved_and_is_back_goes_on_where_it_was(served: Served):
    served.write(PROJECT, load=NOTES)
    served.start()
    served.sent("visits", {"id": 1})
    file = served.folder / ".crossdock" / "crossdock.db"

    file.rename(file.with_name("elsewhere"))
    with pytest.raises(AssertionError, match="503"):
        served.post("visits", {"id": 2})
    file.with_name("elsewhere").rename(file)

    assert served.sent("visits", {"id": 2}).run.outcome == "success"
    assert served.file("load.txt") == ["1", "2"]


def test_a_store_is_the_same_one_for_a_process_that_goes_to_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with Store("sqlite:///store.db") as store:
        accept(store)
        monkeypatch.chdir("/")

        assert accept(store)
