"""Rules: the credentials that there are are those that the operations of jobs need."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from crossdock.adaptor import Adaptor
from crossdock.checking.arguments import bound
from crossdock.checking.credential_fields import faults
from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.things import Known, LazyPath
from crossdock.credentials import Credential, Credentials
from crossdock.errors import AdaptorNotAllowedError, CredentialError, closest
from crossdock.plugins import Plugins
from crossdock.redaction import Redactor
from crossdock.references import Resolved


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


def reads(file: JobFile, root: str = "credentials") -> list[tuple[ast.expr, LazyPath]]:
    """Give the lazy paths of a file that begin at a root, such as ``credentials.kobo.token``."""
    nodes = [*file.tree.all(ast.Attribute), *file.tree.all(ast.Subscript)]
    found = [(node, file.meanings.of(node)) for node in nodes]
    return [(node, path) for node, path in found if isinstance(path, LazyPath) and path.root == root]


class UseCheck:
    """Checks what the operations of some files need against the credentials that there are.

    Args:
        entries: Name → fields, with the adaptor's name under ``adaptor``.
        files: The files.
        where: The file that credentials can be added to.
        listed: The names of those that may be used; by default all.
        allows: Tells which adaptors jobs may use; by default all.
    """

    def __init__(
        self,
        entries: Mapping[str, Mapping[str, Any]],
        files: Iterable[JobFile],
        where: str,
        listed: Iterable[str] | None = None,
        allows: Callable[[str], bool] = bool,
    ) -> None:
        self._entries = entries
        self._files = files
        self._where = where
        credentials = Credentials(entries, plugins=_Unresolved(), redactor=Redactor(), allows=allows)
        self._credentials = credentials if listed is None else credentials.only(listed)
        self._seen: set[object] = set()
        self.chosen: dict[str, tuple[Adaptor[Any, Any], Credential]] = {}
        """The credentials that are used, each with its adaptor."""
        self.not_listed: dict[str, str] = {}
        """Those that are used and may not be, each with the place of the use."""

    def findings(self) -> Iterator[Finding]:
        """Find credentials that are missing, ambiguous, or for another adaptor, and adaptors that jobs may not use."""
        for file in self._files:
            for use in uses(file):
                yield from self._used(file, use)
            yield from self._read(file)

    def _used(self, file: JobFile, use: Use) -> Iterator[Finding]:
        try:
            self._credentials.permit(use.adaptor.name)
        except AdaptorNotAllowedError as error:
            if self._is_new(file.name, use.adaptor.name):
                yield file.finding(use.call, Code.ADAPTOR_NOT_ALLOWED, f"{use.operation}: {error.message}", error.fix)
            return
        try:
            credential = self._credentials.choose(use.adaptor.name, use.credential)
        except CredentialError as error:
            yield from self._not_chosen(file, use, error)
            return
        if credential.name in self._credentials.fields():
            self.chosen.setdefault(credential.name, (use.adaptor, credential))
        elif list(faults(use.adaptor, credential)) and self._is_new(file.name, use.adaptor.name, None):
            message = f"{use.operation} needs a credential, and there is none for {use.adaptor.name}"
            fix = f"Add it to {self._where}: {use.adaptor.name}: {{adaptor: {use.adaptor.name}, …}}."
            yield file.finding(use.call, Code.CREDENTIAL_MISSING, message, fix)

    def _not_chosen(self, file: JobFile, use: Use, error: CredentialError) -> Iterator[Finding]:
        name = use.credential or str(error.details.get("credential"))
        if self._entries.get(name, {}).get("adaptor") == use.adaptor.name:
            self._lacks(name, file, use.call)
        elif self._is_new(file.name, use.adaptor.name, use.credential):
            yield file.finding(use.call, self._why(use), f"{use.operation}: {error.message}", error.fix)

    def _why(self, use: Use) -> Code:
        if use.credential is None:
            return Code.CREDENTIAL_AMBIGUOUS
        return Code.CREDENTIAL_OF_ANOTHER_ADAPTOR if use.credential in self._entries else Code.CREDENTIAL_MISSING

    def _lacks(self, name: str, file: JobFile, node: ast.expr) -> None:
        self.not_listed.setdefault(name, f"{file.name}:{node.lineno}")

    def _is_new(self, *what: object) -> bool:
        """Tell whether this was not found before: one missing credential is one finding in a file."""
        is_new = what not in self._seen
        self._seen.add(what)
        return is_new

    def _read(self, file: JobFile) -> Iterator[Finding]:
        """Find lazy ``credentials.name`` and ``credentials.name.field`` that there is not."""
        known = self._credentials.fields()
        for node, path in reads(file):
            name = str(path.keys[0]) if path.keys and path.keys[0] is not None else None
            if name is not None and len(path.keys) == 1 and name not in known:
                yield from self._not_there(file, node, name, known)
            elif name in known and len(path.keys) == 2 and path.keys[1] not in (None, *known[str(name)]):
                message = f"the credential {name!r} has no field {path.keys[1]!r}"
                fix = self._fix(str(path.keys[1]), known[str(name)])
                yield file.finding(node, Code.CREDENTIAL_FIELD_MISSING, message, fix)

    def _not_there(self, file: JobFile, node: ast.expr, name: str, known: Iterable[str]) -> Iterator[Finding]:
        if name in self._entries:
            self._lacks(name, file, node)
        else:
            message = f"there is no credential {name!r}"
            yield file.finding(node, Code.CREDENTIAL_MISSING, message, self._fix(name, known))

    def _fix(self, name: str, known: Iterable[str]) -> str:
        close = closest(name, known)
        return f"Did you mean {close}?" if close else f"Add it to {self._where}."
