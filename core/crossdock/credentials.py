"""Credentials: what a job needs to reach its systems, chosen by name, never shown."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from crossdock.errors import AdaptorNotAllowedError, CredentialError
from crossdock.redaction import SHORTEST, Redactor
from crossdock.secret_fields import declared_secrets, is_masked, not_public, secret_fields, too_short

if TYPE_CHECKING:
    from crossdock.adaptor import Adaptor
    from crossdock.plugins import Plugins
    from crossdock.references import Resolved

CREDENTIAL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")


class Credential:
    """The fields for one system, under a name; its text and repr show no value.

    Args:
        name: What jobs call it.
        adaptor: The name of the adaptor that it is for.
        fields: Its plain values, references resolved.
    """

    __slots__ = ("adaptor", "fields", "name")

    def __init__(self, name: str, adaptor: str, fields: Mapping[str, Any]) -> None:
        self.name = name
        self.adaptor = adaptor
        self.fields = dict(fields)

    def __repr__(self) -> str:
        return f"<Credential {self.name!r} of {self.adaptor}: {', '.join(sorted(self.fields)) or 'no fields'}>"

    def __reduce__(self) -> NoReturn:
        raise CredentialError(f"the credential {self.name!r} can't be pickled", fix="Hand on its name.")


class Credentials:
    """The credentials in scope of a run.

    Args:
        entries: Name → fields, with the adaptor's name under ``adaptor``. A text value that a
            plugin knows as a reference (``env:NAME``, ``file:PATH``, ``keyring:SERVICE/NAME``) is replaced by its secret.
        unlisted: Name → adaptor of those that there are and nobody here may use; errors name them.
        plugins: They resolve references.
        redactor: It learns every secret.
        allows: Tells whether an adaptor may be used.
    """

    def __init__(
        self,
        entries: Mapping[str, Mapping[str, Any]],
        unlisted: Mapping[str, str] | None = None,
        *,
        plugins: "Plugins",
        redactor: Redactor,
        allows: Callable[[str], bool] = bool,
    ) -> None:
        self._redactor = redactor
        self._allows = allows
        self._credentials = {name: _read(name, entry, plugins, redactor) for name, entry in entries.items()}
        for credential in self._credentials.values():
            for field, value in secret_fields(_masked_fields(credential.adaptor, credential.fields, plugins)):
                redactor.add(value, what=f"{credential.name}.{field}")
        self._hidden: Mapping[str, str] = dict(unlisted or {})
        """Name → adaptor of those that may not be used."""

    def only(self, names: Iterable[str]) -> "Credentials":
        """Give these credentials as a step sees them that may use only some."""
        seen = copy(self)
        allowed = set(names)
        seen._credentials = {name: credential for name, credential in self._credentials.items() if name in allowed}
        taken = {name: credential.adaptor for name, credential in self._credentials.items() if name not in allowed}
        seen._hidden = {**self._hidden, **taken}
        return seen

    def check_secrets(self) -> None:
        """Raise for a secret that is too short to be masked, also if no connection uses it."""
        for credential in self._credentials.values():
            for field, value in too_short(credential.fields):
                self._redactor.add(value, what=f"{credential.name}.{field}")

    def fields(self) -> dict[str, dict[str, Any]]:
        """Give the fields of each credential, for the lazy ``credentials``."""
        return {name: credential.fields for name, credential in self._credentials.items()}

    def choose(self, adaptor: str, name: str | None) -> Credential:
        """Give the credential of an operation.

        Args:
            adaptor: The adaptor's name.
            name: What the operation asks for; None takes the one with the adaptor's name, else
                the only one of that adaptor.

        Raises:
            CredentialError: It is not there, not one that may be used, or one of several.
        """
        of_kind = {key: credential for key, credential in self._credentials.items() if credential.adaptor == adaptor}
        if name is not None:
            return self._named(adaptor, name)
        if adaptor in of_kind:
            return of_kind[adaptor]
        if len(of_kind) > 1:
            raise CredentialError(
                f"there are {len(of_kind)} credentials for {adaptor}: {', '.join(sorted(of_kind))}",
                fix='Say which one: credential="name" in the operation.',
            )
        for hidden in (name for name, kind in self._hidden.items() if kind == adaptor and not of_kind):
            raise self._not_listed(hidden)
        return next(iter(of_kind.values()), Credential(adaptor, adaptor, {}))

    def permit(self, adaptor: str) -> None:
        """Raise if the project does not let its jobs use an adaptor."""
        if not self._allows(adaptor):
            raise AdaptorNotAllowedError(f"this project does not allow the adaptor {adaptor!r}")

    def configuration(self, adaptor: "Adaptor[Any, Any]", name: str | None) -> Any:
        """Give the validated configuration of an adaptor's connection.

        Raises:
            CredentialError: It names each wrong or missing field, and no value.
        """
        credential = self.choose(adaptor.name, name)
        if adaptor.configuration is None:
            return None
        configuration = self._validated(adaptor.configuration, credential)
        for field, secret in declared_secrets(configuration):
            self._redactor.add(secret, what=f"{credential.name}.{field}")
        return configuration

    def _named(self, adaptor: str, name: str) -> Credential:
        credential = self._credentials.get(name)
        if name in self._hidden:
            raise self._not_listed(name)
        if credential is None:
            known = ", ".join(sorted(self._credentials)) or "none"
            raise CredentialError(
                f"there is no credential {name!r} for {adaptor}; there are: {known}", fix="Add it: --credentials FILE."
            )
        if credential.adaptor != adaptor:
            raise CredentialError(
                f"the credential {name!r} is for {credential.adaptor}, not for {adaptor}",
                fix="Name another credential.",
            )
        return credential

    def _not_listed(self, name: str) -> CredentialError:
        may = ", ".join(self._credentials) or "none"
        return CredentialError(
            f"the credential {name!r} is not one that the step may use; it may use: {may}",
            fix=f"Add {name} to the credentials of the step.",
            credential=name,
        )

    def _validated(self, model: Any, credential: Credential) -> Any:
        from pydantic import ValidationError  # imported late: a job without adaptors needs none of it

        faults = [f"{name}: {fault}" for name, fault in contradictions(model, credential.fields)]
        try:
            configuration = model.model_validate(known_fields(model, credential.fields))
        except ValidationError as error:
            faults += [
                f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg']}"
                for e in error.errors(include_input=False, include_url=False)
            ]
        if faults:
            raise _invalid(credential, faults)
        return configuration


def entries_from(given: Any, adaptors: Iterable[str], *, what: str) -> dict[str, dict[str, Any]]:
    """Read the two forms in which credentials are given.

    Args:
        given: One mapping per credential name with an ``adaptor`` key, or directly the fields
            if the job uses one adaptor.
        adaptors: The adaptors that the job uses.
        what: Where this comes from, for the error.
    """
    if not isinstance(given, Mapping):
        raise CredentialError(
            f"{what} is of type {type(given).__name__}, not a mapping",
            fix="Write one mapping per credential, with the key 'adaptor'.",
        )
    if any(isinstance(entry, Mapping) and "adaptor" in entry for entry in given.values()):
        return {str(name): _entry(str(name), entry, what) for name, entry in given.items()}
    used = sorted(set(adaptors))
    if len(used) != 1:
        whose = f"the job uses {', '.join(used)}" if used else "nothing says for which adaptor"
        raise CredentialError(
            f"{what} gives plain fields, and {whose}",
            fix="Write one mapping per credential name, each with the key 'adaptor'.",
        )
    return {used[0]: {**given, "adaptor": used[0]}}


def resolved(
    entries: Mapping[str, Mapping[str, Any]], *, plugins: "Plugins", redactor: Redactor
) -> dict[str, dict[str, Any]]:
    """Give credentials with their references resolved, before the environment that they refer to is taken away.

    Args:
        entries: Name → fields.
        plugins: They resolve references.
        redactor: It learns every secret.

    Raises:
        CredentialError: A reference leads nowhere.
    """
    return {name: _resolved(name, entry, plugins, redactor) for name, entry in entries.items()}


def learn(given: Any, *, plugins: "Plugins", redactor: Redactor) -> None:
    """Tell a redactor the secrets in credentials of either form, before anything is known of the job.

    What can't be resolved yet is left out: the run resolves all of it again, and complains.
    """
    for name, value in given.items() if isinstance(given, Mapping) else ():
        if isinstance(value, Mapping) and isinstance(value.get("adaptor"), str):
            value = _masked_fields(value["adaptor"], value, plugins)
        with suppress(CredentialError):
            for field, secret in secret_fields({name: _resolved(str(name), value, plugins, redactor)}):
                redactor.add(secret, what=field)


def _masked_fields(adaptor: str, fields: Mapping[str, Any], plugins: "Plugins") -> dict[str, Any]:
    return not_public(fields, partial(plugins.public_fields, adaptor))


def _entry(name: str, entry: Any, what: str) -> dict[str, Any]:
    if not CREDENTIAL_NAME.fullmatch(name):
        raise CredentialError(
            f"{what}: {name!r:.60} is no name of a credential",
            fix="Use small letters, digits, '-' and '_', a letter first.",
        )
    if not isinstance(entry, Mapping) or "adaptor" not in entry:
        raise CredentialError(
            f"{what}: the credential {name!r} has no 'adaptor'", fix=f"Write {name}: {{adaptor: http, …}}."
        )
    return dict(entry)


def _read(name: str, entry: Mapping[str, Any], plugins: "Plugins", redactor: Redactor) -> Credential:
    given = {key: value for key, value in entry.items() if key != "adaptor"}
    return Credential(name, str(entry["adaptor"]), _resolved(name, given, plugins, redactor))


def _resolved(what: str, value: Any, plugins: "Plugins", redactor: Redactor) -> Any:
    """Replace references by what they stand for."""
    if isinstance(value, Mapping):
        return {key: _resolved(f"{what}.{key}", item, plugins, redactor) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(what, item, plugins, redactor) for item in value]
    found = look_up(what, value, plugins=plugins, redactor=redactor)
    return value if found is None else found.secret


def look_up(what: str, value: Any, *, plugins: "Plugins", redactor: Redactor) -> "Resolved | None":
    """Look a value up that may be a reference; who keeps a value elsewhere keeps it secret.

    Args:
        what: The credential and field, for the error.
        value: What is written there.
        plugins: They resolve references.
        redactor: It learns the secret.

    Returns:
        What it stands for; None if it is no reference, and stands for itself.
    """
    if not isinstance(value, str) or ":" not in value:
        return None
    found = plugins.resolve_secret(value, what=what)
    if found is not None and len(found.secret) >= SHORTEST and is_masked(what):
        redactor.add(found.secret, what=what)
    return found


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


def known_fields(model: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields that a model knows, under its names; OpenFn's camelCase ones are known too."""
    meant = _meant(model)
    renamed = {_known_as(name, meant): value for name, value in fields.items()}
    return {name: value for name, value in renamed.items() if name in meant}


def contradictions(model: Any, fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the names under which a field has another value than under a name before, each with the fault."""
    meant, said = _meant(model), dict[str, str]()
    for name, value in fields.items():
        field = meant.get(_known_as(name, meant))
        if field is None:
            continue
        first = said.setdefault(field, name)
        if fields[first] != value:
            yield name, f"it is another name of {first}, which has another value"


def _meant(model: Any) -> dict[str, str]:
    """Give the field of a model that each of its names stands for."""
    meant = {name: name for name in model.model_fields}
    for name, field in model.model_fields.items():
        aliases = (field.alias, *(getattr(field.validation_alias, "choices", ()) or ()))
        meant.update((alias, name) for alias in aliases if alias)
    return meant


def _known_as(name: str, known: Container[str]) -> str:
    return name if name in known else _snake(name)


def _invalid(credential: Credential, faults: list[str]) -> CredentialError:
    given = ", ".join(sorted(credential.fields)) or "no fields"
    return CredentialError(
        f"the credential {credential.name!r} for {credential.adaptor} is not valid: {'; '.join(faults)} (it has {given})",
        fix=f"See its fields: crossdock adaptors show {credential.adaptor}.",
        faults=faults,
    )
