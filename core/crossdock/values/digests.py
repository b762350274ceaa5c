"""Forms that stand for a value: base64, hashes, and UUIDs made of parts."""

import base64
from typing import Any, Literal, overload

from crossdock.common.reading import is_blank, refuse_lazy, refused
from crossdock.errors import ArgumentError
from crossdock.state import encode
from crossdock.values.words import as_text

_UUIDS = "8f0c1b52-4f0e-5d39-9a53-0d6f5c1a2b7e"
"""The namespace of ``uuid_of``; the UUIDs that jobs have stored depend on it."""


def encode_base64(value: Any) -> str | None:
    """Write a value in base64 (RFC 4648, 4).

    Args:
        value: Text (as UTF-8), bytes, a JSON value (as compact JSON), or None.

    Example:
        >>> encode_base64("Hello World"), encode_base64({"name": "Jane Doe"})
        ('SGVsbG8gV29ybGQ=', 'eyJuYW1lIjoiSmFuZSBEb2UifQ==')
    """
    if value is None:
        return None
    raw = _raw(value) if isinstance(value, str | bytes) else encode(value)
    return base64.b64encode(raw).decode()


@overload
def decode_base64(value: Any, *, to: Literal["text"] = ..., name: str | None = ...) -> str | None: ...
@overload
def decode_base64(value: Any, *, to: Literal["bytes"], name: str | None = ...) -> bytes | None: ...
def decode_base64(value: Any, *, to: Literal["text", "bytes"] = "text", name: str | None = None) -> Any:
    r"""Read base64 (RFC 4648, 4); line breaks in it are left out.

    Args:
        value: Text, or nothing.
        to: What to make of it: ``text`` (it must be UTF-8) or ``bytes``.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_BASE64``; it is not base64, or not UTF-8 in it.

    Example:
        >>> decode_base64("8J+YgA=="), decode_base64("/9g=", to="bytes")
        ('😀', b'\xff\xd8')
    """
    if is_blank(value):
        return None
    try:
        raw = base64.b64decode("".join(value.split()), validate=True) if isinstance(value, str) else None
    except ValueError:
        raw = None
    if raw is None:
        fix = "Send base64 with the letters A-Z, a-z, 0-9, + and /, and = at its end."
        raise refused("BAD_BASE64", value, "is not base64", name=name, fix=fix)
    try:
        return raw if to == "bytes" else raw.decode()
    except UnicodeDecodeError:
        fix = "Take its bytes: decode_base64(…, to='bytes')."
        raise refused("BAD_BASE64", value, "is base64 of something else than text", name=name, fix=fix) from None


def sha256(value: Any, *, name: str | None = None) -> str | None:
    """Give the SHA-256 of text (as UTF-8) or bytes, in hexadecimal digits.

    Whoever can guess a value can hash it: to hide phone numbers or names, use ``hmac_sha256`` with
    a secret key.

    Args:
        value: Text or bytes; None and blanks give None.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_TEXT``; it is neither text nor bytes.

    Example:
        >>> sha256("abc")[:16], sha256("")
        ('ba7816bf8f01cfea', None)
    """
    from hashlib import sha256 as hashed  # imported late: with OpenSSL it takes as long as all of crossdock.values

    return None if is_blank(value) else hashed(_raw(value, name)).hexdigest()


def hmac_sha256(
    key: str | bytes, value: Any, *, to: Literal["hex", "base64"] = "hex", name: str | None = None
) -> str | None:
    """Sign text (as UTF-8) or bytes with a key: HMAC-SHA-256 (RFC 2104).

    Args:
        key: The secret that both sides know.
        value: What to sign, to the letter; None gives None.
        to: How to write the signature: ``hex`` or ``base64``.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_TEXT``; it is neither text nor bytes.

    Example:
        >>> hmac_sha256("key", "The quick brown fox jumps over the lazy dog")[:16]
        'f7bc83f430538424'
    """
    refuse_lazy(value)
    if not isinstance(key, str | bytes) or not key:
        raise ArgumentError("hmac_sha256() got no key", fix="Give it text, such as resolve(credentials.shop.secret).")
    if value is None:
        return None
    import hmac  # imported late: see sha256

    signed = hmac.new(_raw(key), _raw(value, name), "sha256")
    return signed.hexdigest() if to == "hex" else base64.b64encode(signed.digest()).decode()


def uuid_of(*parts: Any) -> str:
    """Make a UUID of parts: the same parts give the same one, always and everywhere (RFC 9562, 5.5).

    Args:
        parts: Texts, numbers, dates: what tells a record from all others. 7 and "7" are one.

    Raises:
        JobError: ``BAD_PART``; there are no parts, or one is blank or no text, so that different
            records would get one UUID.

    Example:
        >>> uuid_of("kobo", "aMarket01", 7)
        'b7ba3216-68d3-5f0d-9717-98e2d6a7705e'
    """
    from uuid import UUID, uuid5  # imported late: see sha256

    texts = [_part(part, number) for number, part in enumerate(parts, 1)]
    if not texts:
        raise refused("BAD_PART", None, "can't be made into a UUID", name=None, fix="Give what tells the record apart.")
    return str(uuid5(UUID(_UUIDS), encode(texts).decode()))


def _part(part: Any, number: int) -> str:
    given = None if is_blank(part) else as_text(part)
    if given is None:
        name, fix = f"part {number} of a UUID", "Use a field that every record has, and that is text or a number."
        raise refused("BAD_PART", part, "tells no records apart", name=name, fix=fix)
    return given


def _raw(value: Any, name: str | None = None) -> bytes:
    """Give the bytes of text or bytes."""
    try:
        if isinstance(value, str):
            return value.encode()
    except UnicodeEncodeError:
        raise refused(
            "BAD_TEXT", value, "is not Unicode: it has half of a pair", name=name, fix="Send UTF-8."
        ) from None
    if not isinstance(value, bytes):
        raise refused("BAD_TEXT", value, "is neither text nor bytes", name=name, fix="Make it text first.")
    return value
