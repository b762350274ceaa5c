"""Cassette: what real systems answered, recorded once and replayed without a network."""

from pathlib import Path
from typing import Any

from crossdock.run import Run


class Cassette:
    """The recordings of one test: a folder for each run, in the order in which it makes them.

    Args:
        folder: Where they are.
        record: Ask the systems, and record what they answer, instead of replaying.
    """

    def __init__(self, folder: Path, *, record: bool = False) -> None:
        self.folder = folder
        self.record = record
        self.runs: list[Run] = []
        """The runs that used it."""
        self._count = 0

    def options(self) -> dict[str, Any]:
        """Give what the next run is told: to record, or to replay.

        Raises:
            AssertionError: There is no recording.
        """
        self._count += 1
        place = self.folder / f"run-{self._count}"
        if self.record:
            place.mkdir(parents=True, exist_ok=True)
            return {"record": place}
        if not place.is_dir():
            raise AssertionError(f"{place} is not there; record it with the real system: pytest --record-cassettes")
        return {"replay": place}

    def check(self) -> None:
        """Take the recordings away again if they hold a secret of their runs.

        Raises:
            AssertionError: They did.
        """
        files = [file for file in sorted(self.folder.rglob("*")) if file.is_file()] if self.record else []
        leaking = [file for file in files if any(run.redactor.finds(file.read_bytes()) for run in self.runs)]
        for file in leaking:
            file.unlink()
        if leaking:
            raise AssertionError(f"a secret stood in {', '.join(map(str, leaking))}; the files were removed")
