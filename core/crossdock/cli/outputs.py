"""What the steps of a workflow handed on when they last ran: files that only their owner can read."""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crossdock.cli.ending import replace_file
from crossdock.decoding import decode
from crossdock.errors import InputError, ProjectError
from crossdock.sealed import Sealed
from crossdock.state import State, encode
from crossdock.walk import Ended

KEPT = ".crossdock"
"""The folder of a project for what its runs leave behind; it is not for version control."""


_SHOWN = ("outcome", "handled", "ended", "seconds", "why", "followed")
"""What a drawing shows of a step; what a job says of itself stays out of it."""


class StepOutputs:
    """The outputs of one workflow's steps, one file each.

    Args:
        project: The folder of the project.
        workflow: The workflow's name.
        environment: The environment that it runs for; what one leaves is nothing for another.
    """

    def __init__(self, project: Path, workflow: str, environment: str | None = None) -> None:
        self._kept = project / KEPT
        own = self._kept if environment is None else self._kept / "environments" / environment
        self._folder = own / "outputs" / workflow
        self.cursors = own / "cursors" / f"{workflow}.json"
        """The file of the workflow's cursors."""
        self._told = own / "runs" / f"{workflow}.json"
        self._folders = [self._kept, own.parent, own, self._folder.parent, self._folder]
        self._folders += [self.cursors.parent, self._told.parent]

    def make(self) -> None:
        """Make the folders, with a note for git that nothing in them is to be kept there."""
        try:
            for folder in self._folders:
                os.makedirs(folder, mode=0o700, exist_ok=True)
            ignored = self._kept / ".gitignore"
            if not ignored.exists():
                ignored.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise ProjectError(
                f"what the steps hand on can't be kept in {str(self._kept)!r}: {error.strerror}",
                fix="Make the folder of the project one that you can write to; --dry-run needs none.",
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

    def tell(self, steps: Iterable[dict[str, Any]]) -> None:
        """Keep what became of the steps of a run, also of those that ended without handing anything on.

        Args:
            steps: What the run reports of each.
        """
        at = datetime.now(UTC).isoformat(timespec="seconds")
        ran = {step["name"]: {**_shown(step), "ended": at} for step in steps if not step.get("kept")}
        self._tell({**self._all_told(), **ran})

    def forget(self, steps: Iterable[str]) -> None:
        """Drop what is kept of some steps: they are about to run again."""
        steps = list(steps)
        for step in steps:
            self._file(step).unlink(missing_ok=True)
        self._tell({step: told for step, told in self._all_told().items() if step not in steps})

    def read(self, step: str) -> Ended | None:
        """Give how a step ended when it last ran, or None if it did not."""
        kept = self._read(step)
        if kept is None:
            return None
        sealed, written = Sealed.of(State(kept["state"])), Sealed.of(State(kept["written"]))
        return Ended(step, kept["outcome"], sealed, written, seconds=kept["seconds"])

    def outcomes(self, steps: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Give what became of each step when it last ran, and when that was."""
        told = self._all_told()
        found = {step: told.get(step) or self._read(step) for step in steps}
        return {step: _shown(of) for step, of in found.items() if of is not None}

    def _read(self, step: str) -> dict[str, Any] | None:
        file, what = self._file(step), f"the kept output of {step!r}"
        return _read(file, what, {"outcome", "state", "written", "seconds"})

    def _all_told(self) -> dict[str, Any]:
        return _read(self._told, "what is kept of the last run", set()) or {}

    def _tell(self, told: dict[str, Any]) -> None:
        replace_file(str(self._told), f"{json.dumps(told)}\n")

    def _file(self, step: str) -> Path:
        return self._folder / f"{step}.json"


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    """Take what a drawing shows of what is known of a step."""
    return {key: told[key] for key in _SHOWN if key in told}


def _read(file: Path, what: str, keys: set[str]) -> dict[str, Any] | None:
    """Read a file that an earlier run left behind, if it did."""
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{what} can't be read: {error.strerror}") from None
    kept = decode(raw, what=f"{what} {str(file)!r}")
    if not isinstance(kept, dict) or not keys <= kept.keys():
        raise InputError(f"{str(file)!r} is not {what}", fix="Remove it, and run the workflow again.")
    return kept
