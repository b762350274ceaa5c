"""Checking files and folders: which files are looked at, and all that is found in them."""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from crossdock.checking.advice import mixed_writes, undocumented
from crossdock.checking.calls import calls, operations_as_values
from crossdock.checking.credential_file import CredentialCheck, Given
from crossdock.checking.finding import Code, Finding
from crossdock.checking.functions import functions
from crossdock.checking.ignoring import faults, silenced
from crossdock.checking.import_time import import_time
from crossdock.checking.jobfile import JobFile, parse
from crossdock.checking.laziness import laziness, writes
from crossdock.checking.names import names
from crossdock.checking.secrets import secrets
from crossdock.checking.statements import statements
from crossdock.checking.structure import has_job, structure
from crossdock.errors import InputError, closest

_RULES: tuple[Callable[[JobFile], Iterator[Finding]], ...] = (
    names,
    calls,
    operations_as_values,
    functions,
    statements,
    laziness,
    writes,
    import_time,
    secrets,
    mixed_writes,
    undocumented,
)
_DROPPED = (Code.STATE_DROPPED, Code.OPERATION_DROPPED, Code.VALUE_DROPPED)


class Checked:
    """What a check found.

    Args:
        findings: All of them, by file and line.
        files: The files that were looked at.
    """

    def __init__(self, findings: Iterable[Finding], files: Iterable[str]) -> None:
        self.findings = sorted(set(findings))
        self.files = sorted(set(files))


def check(paths: Iterable[str], given: Given | None = None) -> Checked:
    """Check job files, folders of them, and the modules beside them that they import.

    Nothing of a job runs. The adaptors that it names are imported, for what they declare.

    Args:
        paths: Files and folders.
        given: The credentials that the jobs get.

    Raises:
        InputError: There is no such file, or no job in a folder.
    """
    files = Files()
    for path in paths:
        files.add(Path(path))
    return checked(files, [] if given is None else CredentialCheck(given, files.read).findings())


def checked(files: "Files", more: Iterable[Finding]) -> Checked:
    """Give all that is found in some files.

    Args:
        files: The files.
        more: What was found by looking at them together.
    """
    findings = [*files.findings, *(found for file in files.read for found in _of_file(file)), *more]
    return Checked([*_heard(findings, files.read), *_of_comments(files.read)], files.names)


def _heard(findings: Iterable[Finding], files: Iterable[JobFile]) -> Iterator[Finding]:
    """Give the findings that no comment silences."""
    ignores = {file.name: file.ignores for file in files}
    return (finding for finding in findings if not silenced(finding, ignores.get(finding.file, [])))


def _of_comments(files: Iterable[JobFile]) -> Iterator[Finding]:
    return (fault for file in files for fault in faults(file.name, file.ignores))


def _of_file(file: JobFile) -> list[Finding]:
    found = [finding for rule in _RULES for finding in rule(file)]
    dropped = {finding.line for finding in found if finding.code in _DROPPED}
    # A statement that throws away the state is also where the function ends without one: one mistake.
    return [finding for finding in found if finding.code != Code.RETURNS_NOTHING or finding.line not in dropped]


class Files:
    """The files that a check looks at."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._parsed: dict[Path, JobFile | None] = {}
        self._read: dict[Path, JobFile] = {}
        self._jobs: set[Path] = set()

    @property
    def read(self) -> list[JobFile]:
        """Those that are Python."""
        return list(self._read.values())

    @property
    def names(self) -> list[str]:
        """All of them, by name."""
        return [*(file.name for file in self.read), *(finding.file for finding in self.findings)]

    def add(self, path: Path) -> None:
        """Add a job file, or the job files of a folder."""
        if path.is_dir():
            self._add_folder(path)
        elif path.is_file():
            self._add_job(path)
        else:
            raise InputError(f"there is no file {str(path)!r}", fix=_nearest(path))

    def add_module(self, path: Path) -> None:
        """Add a file that is no job, and the modules beside it that it imports."""
        file = self._parse(path)
        if file is not None:
            self._add_module(path, file)

    def used_by(self, path: Path) -> list[JobFile]:
        """Give a file that was added, and the modules beside it that it imports."""
        found: dict[Path, JobFile] = {}
        behind = [path]
        while behind:
            at = behind.pop().resolve()
            if at not in found and at in self._read:
                found[at] = self._read[at]
                behind += _beside(at, found[at])
        return list(found.values())

    def _add_folder(self, folder: Path) -> None:
        """Add the files in a folder that are jobs by what they hold; the others may be anything."""
        paths = [path for path in sorted(folder.rglob("*.py")) if not _is_hidden(path.relative_to(folder))]
        files = {path: self._parse(path) for path in paths}
        jobs = [path for path, file in files.items() if file is not None and has_job(file)]
        if not jobs and None not in files.values():
            raise InputError(
                f"there is no job in the folder {str(folder)!r}", fix="Name a job file, or a folder of them."
            )
        for path in jobs:
            self._add_job(path)

    def _add_job(self, path: Path) -> None:
        file = self._parse(path)
        if file is not None and path.resolve() not in self._jobs:
            self._jobs.add(path.resolve())
            self.findings += structure(file)
            self._add_module(path, file)

    def _add_module(self, path: Path, file: JobFile) -> None:
        """Add a file, and the modules beside it that it imports."""
        if path.resolve() in self._read:
            return
        self._read[path.resolve()] = file
        for neighbour in _beside(path, file):
            self.add_module(neighbour)

    def _parse(self, path: Path) -> JobFile | None:
        """Parse a file, once; what is no Python is a finding."""
        key = path.resolve()
        if key not in self._parsed:
            parsed = parse(str(path), _bytes_of(path))
            self._parsed[key] = parsed if isinstance(parsed, JobFile) else None
            self.findings += [] if isinstance(parsed, JobFile) else [parsed]
        return self._parsed[key]


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{str(path)!r} can't be read: {error.strerror}", fix="Correct its permissions.") from None


def _is_hidden(path: Path) -> bool:
    return any(part.startswith((".", "__")) for part in path.parts)


def _beside(path: Path, file: JobFile) -> Iterator[Path]:
    """Give the modules beside a file that it imports."""
    for name in _imported(file):
        neighbour = path.parent / f"{name}.py"
        if name not in sys.stdlib_module_names and neighbour.is_file():
            yield neighbour


def _imported(file: JobFile) -> Iterator[str]:
    """Give the names of modules that may lie beside a file."""
    for statement in file.tree.all(ast.Import):
        yield from (alias.name.partition(".")[0] for alias in statement.names)
    for imported in file.tree.all(ast.ImportFrom):
        if imported.module is not None and not imported.level:
            yield imported.module.partition(".")[0]


def _nearest(path: Path) -> str:
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = closest(path.name, names)
    return f"Did you mean {path.parent / close}?" if close else "Name a job file, or a folder of them."
