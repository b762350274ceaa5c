"""Identifiers of DHIS2: 11 letters and digits, a letter first."""

import re
import secrets
from hashlib import sha256
from string import ascii_letters, digits
from typing import Any

from crossdock_dhis2.errors import UidError

_UID = re.compile(r"[A-Za-z][A-Za-z0-9]{10}")
_CHARACTERS = digits + ascii_letters


def is_uid(value: Any) -> bool:
    """Tell whether a value is a DHIS2 identifier.

    >>> is_uid("IpHINAT79UW"), is_uid("1pHINAT79UW"), is_uid("../users/me")
    (True, False, False)
    """
    return isinstance(value, str) and _UID.fullmatch(value) is not None


def uid(key: str | None = None) -> str:
    """Make a DHIS2 identifier, by chance or out of a key.

    Args:
        key: Any text that tells the object from all others, such as the id that its source has:
            the same key always gives the same identifier, so that an import that is repeated
            finds what it wrote before.

    Example:
        >>> uid("kobo visits 1748")
        'pkrDyHH8ift'
        >>> is_uid(uid())
        True
    """
    number = secrets.randbits(256) if key is None else int.from_bytes(sha256(key.encode()).digest())
    number, first = divmod(number, len(ascii_letters))
    made = [ascii_letters[first]]
    for _ in range(10):
        number, rest = divmod(number, len(_CHARACTERS))
        made.append(_CHARACTERS[rest])
    return "".join(made)


def checked_uid(value: Any, what: str) -> str:
    """Give an identifier back, or refuse it.

    Args:
        value: The identifier.
        what: Whose it is, for the error.
    """
    if not is_uid(value):
        shown = f"a text of {len(value)} characters" if isinstance(value, str) else f"a {type(value).__name__}"
        raise UidError(f"the identifier of {what} is {shown} that is no DHIS2 identifier; nothing was sent")
    return str(value)
