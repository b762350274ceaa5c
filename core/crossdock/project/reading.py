"""From what is written in a project file to its shape: every fault is found, and the rest is kept.

What is wrong is taken out and the rest validated again, until nothing is wrong with it. So one mistake
hides no other, and the rules that look at the whole see all that is right.
"""

import re
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from crossdock.checking.finding import Code, Finding
from crossdock.documents import Document
from crossdock.errors import closest
from crossdock.project.shape import ProjectFile

if TYPE_CHECKING:
    from pathlib import Path as FolderPath

    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]

_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
}
_SAID = ((bool, "true or false"), (str, "a text"), (int | float, "a number"), (dict, "a mapping"), (list, "a list"))


class Source(NamedTuple):
    """A project file as it is written."""

    file: str
    document: Document
    folder: "FolderPath"

    def finding(self, path: Path, code: Code, message: str, fix: str) -> Finding:
        """Make a finding at the line of an entry."""
        return Finding(self.file, self.document.line(*path), code, message, fix)

    def at(self, *path: str | int) -> Any:
        """Give what is written at a place; None if nothing is."""
        found: Any = self.document.content
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def names(self, *path: str | int) -> list[str]:
        """Give the keys of a mapping, also of entries that are wrong."""
        found = self.at(*path)
        return list(found) if isinstance(found, dict) else []


def shape_of(source: Source) -> tuple[ProjectFile, list[Finding]]:
    """Read the shape of a project file.

    Args:
        source: What is written.

    Returns:
        All that is right, and what is wrong with the rest.
    """
    findings = [
        Finding(source.file, fault.line, Code.WRONG_NOTATION, fault.message, fault.fix)
        for fault in source.document.faults
    ]
    reading = _Reading(source, findings)
    while (shape := reading.shape()) is None:
        pass
    return shape, findings


class _Reading:
    """What of a project file is still there, and what was found in the rest."""

    def __init__(self, source: Source, findings: list[Finding]) -> None:
        self._source = source
        self._findings = findings
        self._badly_written = {found.line for found in findings}
        self._content = deepcopy(source.document.content)
        self._gone = set[Path]()

    def shape(self) -> ProjectFile | None:
        """Give the shape; if there is none, take out what is wrong."""
        try:
            return ProjectFile.model_validate(self._content)
        except ValidationError as error:
            faults = [_Fault.of(told, self._content) for told in error.errors(include_url=False)]
        for fault in faults:
            if not self._follows(fault):
                found = self._source.finding(
                    fault.path, fault.code, f"{_dotted(fault.path)} {fault.message}", fault.fix
                )
                self._findings += [] if found.line in self._badly_written else [found]
            self._gone.update(fault.about)
        for fault in faults:
            self._content = _without(self._content, fault.out)
        return None

    def _follows(self, fault: "_Fault") -> bool:
        """Tell whether something is only missing, or empty, because what was there was wrong."""
        emptied = fault.code == Code.EMPTY_KEY and any(path[: len(fault.path)] == fault.path for path in self._gone)
        return emptied or not self._gone.isdisjoint(fault.instead)


class _Fault(NamedTuple):
    """One thing that pydantic says, as it is told."""

    path: Path
    """Where it is wrong."""
    code: Code
    message: str
    fix: str
    out: Path
    """What has to go."""
    about: tuple[Path, ...]
    """The entries that are dealt with by telling this."""
    instead: tuple[Path, ...] = ()
    """What is missing; if it only is because it was wrong, nothing more is told."""

    @classmethod
    def of(cls, told: "ErrorDetails", content: Any) -> "_Fault":
        """Translate what pydantic says."""
        path = _path(told, content)
        context = told.get("ctx", {})
        if "keys" in context:
            return cls._of_choice(path, context, told["input"])
        if told["type"] == "missing":
            key = path[-1]
            return cls(path, Code.MISSING_KEY, "is missing", f"Write {key}.", path[:-1], (path,), (path,))
        close = context.get("close")
        about = (path,) if close is None else (path, (*path[:-1], close))
        return cls(path, *_said(told), path, about)

    @classmethod
    def _of_choice(cls, path: Path, context: dict[str, Any], given: Any) -> "_Fault":
        """Tell that there is none of some keys, of which one is needed."""
        keys = str(context["keys"]).split()
        instead = tuple((*path, key) for key in keys)
        for key in given if isinstance(given, dict) else ():
            if (close := closest(key, keys)) is not None:
                at = (*path, key)
                return cls(at, Code.UNKNOWN_KEY, "is no key here", f"Did you mean {close}?", path, (at, *instead))
        return cls(path, Code.MISSING_KEY, context["message"], context["fix"], path, (path,), instead)


def _path(told: "ErrorDetails", content: Any) -> Path:
    """Give the way to what is wrong: pydantic's has names of alternatives in it that nobody wrote."""
    path: list[str | int] = []
    for key in told["loc"]:
        if isinstance(content, dict) and key in content:
            path.append(key)
            content = content[str(key)]
        elif isinstance(content, list) and isinstance(key, int) and key < len(content):
            path.append(key)
            content = content[key]
    return (*path, told["loc"][-1]) if told["type"] == "missing" else tuple(path)


def _said(told: "ErrorDetails") -> tuple[Code, str, str]:
    """Give the code, the message and the fix; no message shows a value that may be a secret."""
    kind, context, given = told["type"], told.get("ctx", {}), told["input"]
    if "fix" in context:
        return Code(kind), context["message"], context["fix"]
    if kind in _KINDS:
        return Code.WRONG_VALUE, f"is {_kind(given)}, not {_KINDS[kind]}", f"Write {_KINDS[kind]}."
    if kind == "literal_error":
        close = closest(str(given), re.findall(r"'(\w+)'", context["expected"]))
        fix = f"Did you mean {close}?" if close else f"Write {context['expected']}."
        return Code.WRONG_VALUE, f"is none of {context['expected']}", fix
    if kind == "string_pattern_mismatch":
        return Code.WRONG_NAME, "is no name", "Use small letters, digits, '-' and '_', a letter first; at most 50."
    if kind == "too_short":
        return Code.EMPTY_KEY, "is empty", "Write something."
    return Code.WRONG_VALUE, told["msg"].replace("Input should", "should", 1), "Correct the value."


def _kind(value: Any) -> str:
    return next((name for kind, name in _SAID if isinstance(value, kind)), "empty")


def _dotted(path: Path) -> str:
    return ".".join(map(str, path)) or "the file"


def _without(content: Any, path: Path) -> Any:
    """Take an entry out; of a list, all of it goes, so that the places of its items stay what they are."""
    within = content
    for place, key in enumerate(path):
        following = within.get(key) if isinstance(within, dict) else None
        if place == len(path) - 1 or isinstance(following, list):
            within.pop(key, None)
            return content
        if not isinstance(following, dict):
            return content
        within = following
    return {**content, "workflows": {}} if isinstance(content, dict) else {"workflows": {}}
