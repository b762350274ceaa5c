"""Rules: a credentials file has what jobs need."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from crossdock.adaptor import Adaptor
from crossdock.checking.credential_fields import faults, unknown_fields
from crossdock.checking.credential_use import UseCheck, reads, uses
from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.credentials import Credential, entries_from
from crossdock.documents import Document
from crossdock.errors import CredentialError


class Given(NamedTuple):
    """A credentials file."""

    file: str
    document: Document


class CredentialCheck:
    """Checks the files of one command against one credentials file.

    Args:
        given: The credentials file.
        files: The files whose operations use it.
    """

    def __init__(self, given: Given, files: list[JobFile]) -> None:
        self._given = given
        self._files = files

    def findings(self) -> Iterator[Finding]:
        """Find credentials that are missing or ambiguous, and their fields that don't fit."""
        try:
            entries = self._entries
        except CredentialError as error:
            yield Finding(self._given.file, 1, Code.CREDENTIAL_INVALID, error.message, error.fix)
            return
        needs = UseCheck(entries, self._files, self._given.file)
        yield from needs.findings()
        for adaptor, credential in needs.chosen.values():
            yield from self._fields(adaptor, credential)

    @cached_property
    def _entries(self) -> dict[str, dict[str, Any]]:
        adaptors = {use.adaptor.name for file in self._files for use in uses(file)}
        content = self._given.document.content
        named = isinstance(content, Mapping) and any(
            isinstance(entry, Mapping) and "adaptor" in entry for entry in content.values()
        )
        return entries_from(content, adaptors, what="the file") if adaptors or named else {}

    def _fields(self, adaptor: Adaptor[Any, Any], credential: Credential) -> Iterator[Finding]:
        for field, code, message in faults(adaptor, credential):
            fix = f"See its fields: crossdock adaptors show {adaptor.name}."
            yield self._at(credential, field, code, f"the credential {credential.name!r}: {message}", fix)
        if not any(reads(file) for file in self._files):
            for field, message, fix in unknown_fields(adaptor, credential):
                yield self._at(credential, field, Code.CREDENTIAL_FIELD_UNKNOWN, message, fix)

    def _at(self, credential: Credential, field: str, code: Code, message: str, fix: str) -> Finding:
        document = self._given.document
        path = (credential.name, field) if credential.name in document.content else (field,)
        return Finding(self._given.file, document.line(*path), code, message, fix)
