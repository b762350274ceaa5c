"""References: what stands in a credential for a secret that is kept elsewhere."""

import os
from typing import NamedTuple

from crossdock.errors import CredentialError


class Resolved(NamedTuple):
    """What a reference stands for, and who knew; its text and repr do not show the secret."""

    secret: str
    by: str | None = None
    """The plugin that knew it; None is crossdock itself."""

    def __repr__(self) -> str:
        return f"<Resolved by {self.by or 'crossdock'}>"


def resolve_reference(reference: str) -> str | None:
    """Resolve the references that crossdock knows itself: ``env:NAME``, ``file:PATH``, ``keyring:SERVICE/NAME``.

    Returns:
        The secret, without a file's last line break; None if it is no such reference.

    Raises:
        CredentialError: It is one, and there is nothing.
    """
    if not is_own(reference):
        return None
    scheme, _, rest = reference.partition(":")
    return _SCHEMES[scheme](rest)


def is_own(reference: str) -> bool:
    """Tell whether a text is a reference that crossdock resolves itself.

    >>> is_own("env:KOBO_TOKEN"), is_own("https://kobo.example.org")
    (True, False)
    """
    scheme, colon, _ = reference.partition(":")
    return bool(colon) and scheme in _SCHEMES


def _from_environment(name: str) -> str:
    if name not in os.environ:
        raise CredentialError(f"the environment has no variable {name!r}", fix=f"Set it: export {name}=…")
    return os.environ[name]


def _from_file(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CredentialError(
            f"the secret file {path!r} can't be read: {reason}", fix="Correct the path or its permissions."
        ) from None


def _from_keyring(entry: str) -> str:
    service, _, name = entry.rpartition("/")
    if not service or not name:
        raise CredentialError(
            f"the reference 'keyring:{entry}' names no entry of a keyring", fix="Write it as keyring:SERVICE/NAME."
        )
    secret = _asked_keyring(service, name)
    if secret is None:
        raise CredentialError(
            f"the keyring has no entry {name!r} of the service {service!r}", fix=f"Add it: keyring set {service} {name}"
        )
    return secret


def _asked_keyring(service: str, name: str) -> str | None:
    try:
        import keyring  # imported late: few credentials need it, and it is an extra
        from keyring.errors import NoKeyringError
    except ImportError:
        raise CredentialError(
            "references to a keyring need the package 'keyring', which is not installed",
            fix="Install it: pip install 'crossdock[keyring]'.",
        ) from None
    try:
        return keyring.get_password(service, name)
    except NoKeyringError:
        raise CredentialError(
            "this machine has no keyring that can be used",
            fix="See `keyring --list-backends` and install one, or keep the secret in a file: or env: reference.",
        ) from None
    except Exception as error:  # a keyring is a plugin of somebody else, and its words may say anything
        raise CredentialError(
            f"the keyring can't be asked: {type(error).__name__}",
            fix="Unlock it, or correct PYTHON_KEYRING_BACKEND; `keyring diagnose` shows what is set.",
        ) from error


_SCHEMES = {"env": _from_environment, "file": _from_file, "keyring": _from_keyring}
