"""Rules: the credentials that are given are those that the operations of a job need."""

import ast
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from crossdock.adaptor import Adaptor
from crossdock.checking.arguments import bound
from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.things import Known, LazyPath
from crossdock.credentials import Credential, Credentials, contradictions, entries_from, known_fields
from crossdock.documents import Document
from crossdock.errors import CredentialError, closest
from crossdock.plugins import Plugins
from crossdock.redaction import Redactor
from crossdock.references import Resolved


class Given(NamedTuple):
    """A credentials file."""

    file: str
    document: Document


class _Unresolved(Plugins):
    """Leaves references to secrets as they are: a check looks up no secret."""

    def resolve_secret(self, reference: str, *, what: str) -> Resolved | None:  # noqa: ARG002 - the signature is inherited
        """Know no reference."""
        return None


class Use(NamedTuple):
    """An operation that needs a credential."""

    call: ast.Call
    operation: str
    adaptor: Adaptor[Any, Any]
    credential: str | None


def uses(file: JobFile) -> list[Use]:
    """Give the operations of a file that need a credential, as far as it is certain which one."""
    calls = sorted(file.tree.all(ast.Call), key=lambda call: call.lineno)
    return [use for call in calls if (use := _use(file, call)) is not None]


def _use(file: JobFile, call: ast.Call) -> Use | None:
    called = file.meanings.of(call.func)
    declaration = called.declaration if isinstance(called, Known) else None
    if declaration is None or declaration.adaptor is None or declaration.adaptor.connect is None:
        return None
    name = bound(declaration.signature, call).get("credential", [ast.Constant(None)])[0]
    if not isinstance(name, ast.Constant) or any(keyword.arg is None for keyword in call.keywords):
        return None
    return Use(call, declaration.full_name, declaration.adaptor, None if name.value is None else str(name.value))


class CredentialCheck:
    """Checks the files of one command against one credentials file.

    Args:
        given: The credentials file.
        files: The files whose operations use it.
    """

    def __init__(self, given: Given, files: list[JobFile]) -> None:
        self._given = given
        self._files = files
        self._seen: set[object] = set()

    def findings(self) -> Iterator[Finding]:
        """Find credentials that are missing or ambiguous, and their fields that don't fit."""
        try:
            entries = self._entries
        except CredentialError as error:
            yield Finding(self._given.file, 1, Code.CREDENTIAL_INVALID, error.message, error.fix)
            return
        credentials = Credentials(entries, plugins=_Unresolved(), redactor=Redactor())
        for file in self._files:
            for use in uses(file):
                yield from self._used(file, use, credentials)
            yield from self._read(file, credentials)

    @cached_property
    def _entries(self) -> dict[str, dict[str, Any]]:
        adaptors = {use.adaptor.name for file in self._files for use in uses(file)}
        content = self._given.document.content
        named = isinstance(content, Mapping) and any(
            isinstance(entry, Mapping) and "adaptor" in entry for entry in content.values()
        )
        return entries_from(content, adaptors, what="the file") if adaptors or named else {}

    def _used(self, file: JobFile, use: Use, credentials: Credentials) -> Iterator[Finding]:
        try:
            credential = credentials.choose(use.adaptor.name, use.credential)
        except CredentialError as error:
            if self._is_new(file.name, use.adaptor.name, use.credential):
                message = f"{use.operation}: {error.message}"
                yield file.finding(use.call, self._why(use), message, error.fix)
            return
        if credential.name not in self._entries:
            yield from self._nothing_given(file, use, credential)
        elif self._is_new(credential.name):
            yield from self._fields(use.adaptor, credential)

    def _is_new(self, *what: object) -> bool:
        """Tell whether this was not found before: one missing credential is one finding in a file."""
        is_new = what not in self._seen
        self._seen.add(what)
        return is_new

    def _why(self, use: Use) -> Code:
        if use.credential is None:
            return Code.CREDENTIAL_AMBIGUOUS
        return Code.CREDENTIAL_OF_ANOTHER_ADAPTOR if use.credential in self._entries else Code.CREDENTIAL_MISSING

    def _nothing_given(self, file: JobFile, use: Use, credential: Credential) -> Iterator[Finding]:
        """Find that an adaptor gets no credential at all, and can't do without one."""
        if list(_faults(use.adaptor, credential)) and self._is_new(file.name, use.adaptor.name, None):
            message = f"{use.operation} needs a credential, and there is none for {use.adaptor.name}"
            fix = f"Add it to {self._given.file}: {use.adaptor.name}: {{adaptor: {use.adaptor.name}, …}}."
            yield file.finding(use.call, Code.CREDENTIAL_MISSING, message, fix)

    def _fields(self, adaptor: Adaptor[Any, Any], credential: Credential) -> Iterator[Finding]:
        for field, code, message in _faults(adaptor, credential):
            fix = f"See its fields: crossdock adaptors show {adaptor.name}."
            yield self._at(credential, field, code, f"the credential {credential.name!r}: {message}", fix)
        if not any(_reads(file) for file in self._files):
            yield from self._unknown(adaptor, credential)

    def _unknown(self, adaptor: Adaptor[Any, Any], credential: Credential) -> Iterator[Finding]:
        """Find fields that neither the adaptor knows nor any file reads."""
        model: Any = adaptor.configuration
        for field in credential.fields if model is not None else ():
            if known_fields(model, {field: None}):
                continue
            close = closest(field, model.model_fields)
            fix = f"Did you mean {close}?" if close else f"See its fields: crossdock adaptors show {adaptor.name}."
            message = f"the credential {credential.name!r} has a field {field!r}, which {adaptor.name} does not know"
            yield self._at(credential, field, Code.CREDENTIAL_FIELD_UNKNOWN, message, fix)

    def _at(self, credential: Credential, field: str, code: Code, message: str, fix: str) -> Finding:
        document = self._given.document
        path = (credential.name, field) if credential.name in document.content else (field,)
        return Finding(self._given.file, document.line(*path), code, message, fix)

    def _read(self, file: JobFile, credentials: Credentials) -> Iterator[Finding]:
        """Find lazy ``credentials.name.field`` that there is not."""
        known = credentials.fields()
        for node, path in _reads(file):
            name, field = path.keys[0], path.keys[1] if len(path.keys) == 2 else None
            if name not in known and name is not None and len(path.keys) == 1:
                close = closest(str(name), known)
                fix = f"Did you mean {close}?" if close else f"Add it to {self._given.file}."
                yield file.finding(node, Code.CREDENTIAL_MISSING, f"there is no credential {name!r}", fix)
            elif name in known and field is not None and field not in known[str(name)]:
                message = f"the credential {name!r} has no field {field!r}"
                close = closest(str(field), known[str(name)])
                fix = f"Did you mean {close}?" if close else f"Add it to {self._given.file}."
                yield file.finding(node, Code.CREDENTIAL_FIELD_MISSING, message, fix)


def _reads(file: JobFile) -> list[tuple[ast.expr, LazyPath]]:
    nodes = [*file.tree.all(ast.Attribute), *file.tree.all(ast.Subscript)]
    found = [(node, file.meanings.of(node)) for node in nodes]
    return [(node, path) for node, path in found if isinstance(path, LazyPath) and path.root == "credentials"]


def _faults(adaptor: Adaptor[Any, Any], credential: Credential) -> Iterator[tuple[str, Code, str]]:
    """Give the fields that don't fit an adaptor; what a reference stands for is not known here."""
    from pydantic import ValidationError  # imported late: a job without adaptors needs none of it

    if adaptor.configuration is None:
        return
    for name, contradiction in contradictions(adaptor.configuration, credential.fields):
        yield name, Code.CREDENTIAL_FIELD_INVALID, _reason(name, contradiction)
    known = known_fields(adaptor.configuration, credential.fields)
    try:
        adaptor.configuration.model_validate(known)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            field = str(fault["loc"][0]) if fault["loc"] else ""
            if _refers(known.get(field)) or (not field and any(map(_refers, known.values()))):
                continue
            code = Code.CREDENTIAL_FIELD_MISSING if fault["type"] == "missing" else Code.CREDENTIAL_FIELD_INVALID
            message = f"the field {field!r} is missing" if fault["type"] == "missing" else _reason(field, fault["msg"])
            yield field, code, message


def _reason(field: str, message: str) -> str:
    return f"{field}: {message}" if field else message.removeprefix("Value error, ")


def _refers(value: Any) -> bool:
    """Tell whether a value is, or holds, a reference such as ``env:NAME``."""
    if isinstance(value, Mapping):
        return any(map(_refers, value.values()))
    return isinstance(value, str) and ":" in value and "://" not in value
