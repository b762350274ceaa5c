"""What the steps of a workflow handed on when they last ran: files that only their owner can read."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crossdock.cli.ending import replace_file
from crossdock.decoding import decode
from crossdock.errors import InputError
from crossdock.sealed import Sealed
from crossdock.state import State, encode
from crossdock.walk import Ended

KEPT = ".crossdock"
"""The folder of a project for what its runs leave behind; it is not for version control."""


class StepOutputs:
    """The outputs of one workflow's steps, one file each.

    Args:
        project: The folder of the project.
        workflow: The workflow's name.
    """

    def __init__(self, project: Path, workflow: str) -> None:
        self._kept = project / KEPT
        self._folder = self._kept / "outputs" / workflow
        self.cursors = self._kept / "cursors" / f"{workflow}.json"
        """The file of the workflow's cursors."""

    def make(self) -> None:
        """Make the folders, with a note for git that nothing in them is to be kept there."""
        try:
            for folder in (self._kept, self._folder.parent, self._folder, self.cursors.parent):
                os.makedirs(folder, mode=0o700, exist_ok=True)
            ignored = self._kept / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"what the steps hand on can't be kept in {str(self._kept)!r}: {error.strerror}",
                fix="Make the folder of the project one that you can write to.",
            ) from None

    def keep(self, ended: Ended) -> None:
        """Keep how a step ended, and what it handed on."""
        if ended.state is None:
            return
        at = datetime.now(UTC).isoformat(timespec="seconds")
        about: dict[str, Any] = {
            "step": ended.step,
            "outcome": ended.outcome,
            "ended": at,
            "seconds": round(ended.seconds, 3),
        }
        about["inner"] = list(ended.inner)
        whole = encode({**about, "written": ended.written.state()}).decode()
        replace_file(str(self._file(ended.step)), f'{whole[:-1]},"state":{ended.state.raw.decode()}}}\n')

    def forget(self, steps: Iterable[str]) -> None:
        """Drop what is kept of some steps: they are about to run again."""
        for step in steps:
            self._file(step).unlink(missing_ok=True)

    def read(self, step: str) -> Ended | None:
        """Give how a step ended when it last ran, or None if it did not."""
        kept = self._read(step)
        if kept is None:
            return None
        sealed, written = Sealed.of(State(kept["state"])), Sealed.of(State(kept["written"]))
        return Ended(step, kept["outcome"], sealed, written, seconds=kept["seconds"])

    def outcomes(self, steps: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Give how each step ended when it last ran, and when that was."""
        found = {step: kept for step in steps if (kept := self._read(step)) is not None}
        return {step: {key: kept[key] for key in ("outcome", "ended", "seconds")} for step, kept in found.items()}

    def _read(self, step: str) -> dict[str, Any] | None:
        try:
            raw = self._file(step).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InputError(f"the kept output of {step!r} can't be read: {error.strerror}") from None
        kept = decode(raw, what=f"the kept output {str(self._file(step))!r}")
        if not isinstance(kept, dict) or not {"outcome", "state", "written", "seconds"} <= kept.keys():
            raise InputError(
                f"{str(self._file(step))!r} is no kept output of a step", fix="Remove it, and run the workflow again."
            )
        return kept

    def _file(self, step: str) -> Path:
        return self._folder / f"{step}.json"
