"""Checking a whole project: its file, its jobs, and what the one has for the other. Nothing runs."""

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from crossdock.checking import doors
from crossdock.checking.check import Checked, Files, checked
from crossdock.checking.credential_fields import faults, unknown_fields
from crossdock.checking.credential_use import UseCheck, reads
from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.credentials import Credential
from crossdock.errors import closest
from crossdock.project.files import conditions, jobs
from crossdock.project.reading import Path, Source
from crossdock.project.rules import survey
from crossdock.project.shape import ProjectFile
from crossdock.project.steps import StepDefinition
from crossdock.site import short

if TYPE_CHECKING:
    from crossdock.adaptor import Adaptor


def check_project(file: FilePath) -> Checked:
    """Check a project file, and the jobs that it names.

    Nothing of a job runs. The adaptors that it names are imported, for what they declare.

    Args:
        file: The project file.
    """
    source, shape, found = survey(file)
    files = Files()
    for _, name in jobs(shape):
        if (job := _path(source, name)).is_file():
            files.add(job)
    for _, name in conditions(shape):
        if (module := _path(source, name.rpartition(":")[0])).is_file():
            files.add_module(module)
    found += _ProjectCheck(source, shape, files).findings()
    whole = checked(files, found)
    return Checked(whole.findings, [*whole.files, source.file])


def _path(source: Source, name: str) -> FilePath:
    return FilePath(short(str(source.folder / name)))


class _ProjectCheck:
    """Checks what jobs need against what the project has."""

    def __init__(self, source: Source, shape: ProjectFile, files: Files) -> None:
        self._source = source
        self._shape = shape
        self._files = files
        self._written = {name: credential.model_dump() for name, credential in shape.credentials.items()}
        self._entries = {name: self._of_any_environment(name) | fields for name, fields in self._written.items()}

    def _of_any_environment(self, name: str) -> dict[str, Any]:
        environments = self._shape.environments.values()
        return {key: value for other in environments for key, value in other.credentials.get(name, {}).items()}

    def findings(self) -> Iterator[Finding]:
        """Find credentials that don't fit their adaptor or their step, settings that are not there, and shared stores."""
        for name, credential in self._shape.credentials.items():
            yield from self._of_credential(name, credential.adaptor)
        for workflow, definition in self._shape.workflows.items():
            for step, runs in definition.steps.items():
                yield from self._of_step(("workflows", workflow, "steps", step), runs)
        for file in self._files.read:
            yield from self._settings_read(file)
        yield from self._stores()

    def _stores(self) -> Iterator[Finding]:
        """Find environments that can't be served, since the project's store is for another one."""
        for name in self._shape.environments:
            if self._shape.store_of(name) is None:
                message = f"environments.{name} has no store of its own, and can't be served"
                fix = "Give it one: store: …; or say store: env:NAME for all, if each has its own machine."
                yield self._source.finding(("environments", name), Code.ADVICE_NO_STORE, message, fix)

    def _of_credential(self, name: str, adaptor: str) -> Iterator[Finding]:
        """Check the fields of a credential, as each environment has them."""
        module = doors.adaptor(adaptor)
        if isinstance(module, doors.Unusable):
            yield self._source.finding(("credentials", name, "adaptor"), *module)
            return
        for path, fields in self._variants(name):
            yield from self._of_fields(path, name, module.module.adaptor, fields)

    def _variants(self, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Give the fields of a credential for each environment; where there are none, as they are written."""
        fields = {key: value for key, value in self._written[name].items() if key != "adaptor"}
        if not self._shape.environments:
            yield ("credentials", name), fields
        for environment, differs in self._shape.environments.items():
            at = ("environments", environment, "credentials", name)
            yield (
                at if name in differs.credentials else ("credentials", name),
                fields | differs.credentials.get(name, {}),
            )

    def _of_fields(
        self, path: Path, name: str, adaptor: "Adaptor[Any, Any]", fields: dict[str, Any]
    ) -> Iterator[Finding]:
        credential = Credential(name, adaptor.name, fields)
        for field, code, message in faults(adaptor, credential):
            fix = f"See its fields: crossdock adaptors show {adaptor.name}."
            yield self._source.finding(self._field(path, name, field), code, f"the credential {name!r}: {message}", fix)
        if not any(reads(file) for file in self._files.read):
            for field, message, fix in unknown_fields(adaptor, credential):
                where = self._field(path, name, field)
                yield self._source.finding(where, Code.CREDENTIAL_FIELD_UNKNOWN, message, fix)

    def _field(self, path: Path, name: str, field: str) -> Path:
        """Give where a field is written; what an environment does not change stands with the credential."""
        written = self._source.at(*path, field) is not None
        return (*(path if written else ("credentials", name)), field)

    def _of_step(self, path: Path, runs: StepDefinition) -> Iterator[Finding]:
        """Check the credentials that the job of a step uses against those that the step lists."""
        files = [] if runs.job is None else self._files.used_by(_path(self._source, runs.job))
        needs = UseCheck(self._entries, files, self._source.file, runs.credentials, self._shape.adaptors.allows)
        yield from needs.findings()
        for name, place in needs.not_listed.items():
            message = f"{'.'.join(map(str, path))} does not list the credential {name!r}, which {place} uses"
            fix = f"Add {name} to the credentials of the step."
            yield self._source.finding((*path, "credentials"), Code.CREDENTIAL_NOT_LISTED, message, fix)

    def _settings_read(self, file: JobFile) -> Iterator[Finding]:
        """Find lazy ``settings.name`` that there is not."""
        known = self._source.names("settings")
        for node, path in reads(file, "settings"):
            if len(path.keys) == 1 and path.keys[0] not in (None, *known):
                name = str(path.keys[0])
                close = closest(name, known)
                fix = f"Did you mean {close}?" if close else f"Add it to the settings in {self._source.file}."
                yield file.finding(node, Code.UNKNOWN_SETTING, f"there is no setting {name!r}", fix)
