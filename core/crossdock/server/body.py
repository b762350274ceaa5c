"""The body of a message: bytes of a declared type become a JSON value, or are refused with a reason."""

import re
import zlib
from typing import Any, Literal, NamedTuple

from crossdock.common.xml import XmlError, parse_xml
from crossdock.decoding import decode
from crossdock.errors import InputError, StateEncodingError
from crossdock.filter import Accept
from crossdock.server.errors import RequestError
from crossdock.server.quick import UNSURE, read_quickly
from crossdock.state import MAX_DEPTH, SIZE_LIMIT, encode

DEPTH = MAX_DEPTH - 1
"""How deep a body may nest: it is one key of the state, which counts as a level."""

_JSON = re.compile(r"[\w!#$&^.+-]+/(?:[\w!#$&^.+-]+\+)?json", re.ASCII)
_XML = re.compile(r"(?:application|text)/xml|[\w!#$&^.+-]+/[\w!#$&^.+-]+\+xml", re.ASCII)
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]*)', re.IGNORECASE)
_OF_JSON = re.compile(r"utf-?8|us-ascii", re.IGNORECASE)
_OF_XML = re.compile(r"utf-?8|utf-16(?:le|be)?|us-ascii|iso-8859-\d{1,2}|windows-125\d", re.IGNORECASE)

_PIECE = 65_536

_FIXES = {
    "invalid_json": "Send one JSON object as RFC 8259 describes it: names in double quotes, no comments, no NaN.",
    "duplicate_key": "Send each key once, or allow it in the trigger: duplicate_keys: last.",
    "too_deep": f"Send objects and lists that nest at most {DEPTH} levels.",
    "not_utf8": "Send the body in UTF-8.",
    "invalid_unicode": "Send whole characters: an escaped surrogate only together with its other half.",
}


class _Type(NamedTuple):
    """What a body is declared to be."""

    form: Literal["json", "xml"]
    charset: str | None


def read_body(
    body: bytes,
    content_type: bytes | None,
    *,
    accept: Accept = "object",
    duplicate_keys: Literal["refuse", "last"] = "refuse",
    xml: bool = False,
) -> Any:
    """Read the body of a message.

    JSON is ``*/json`` and ``*/*+json`` in UTF-8; XML is ``application/xml``, ``text/xml`` and
    ``*/*+xml``, in the form of ``parse_xml``. A body without a type is refused.

    Args:
        body: The body, unpacked.
        content_type: The header ``Content-Type``.
        accept: Whether it must be a JSON object, or may be any JSON value.
        duplicate_keys: Whether a key that stands twice in an object is refused, or the last one counts.
        xml: Whether XML is accepted too.

    Raises:
        RequestError: 415 for another type or charset, 400 for all else; it says where, and shows
            nothing of the body but the path.

    Example:
        >>> read_body(b'{"form": "visit"}', b"application/json")
        {'form': 'visit'}
        >>> read_body(b"<visit id='7'/>", b"text/xml", xml=True)
        {'visit': {'@id': '7'}}
    """
    declared = _declared(content_type, xml=xml)
    if not body.strip():
        message = "the body is empty, and a JSON value was to begin in line 1, column 1"
        raise RequestError(400, "invalid_json", message, fix=_FIXES["invalid_json"], line=1, column=1)
    if declared.form == "xml":
        return _from_xml(body, declared.charset)
    value = _from_json(body, duplicate_keys)
    if accept == "object" and not isinstance(value, dict):
        fix = "Send an object, or allow any value in the trigger: accept: any."
        raise RequestError(400, "not_an_object", "the body is JSON, and no object", fix=fix)
    return value


def unpack_body(body: bytes, encoding: bytes | None, *, gzip: bool = False, limit: int = SIZE_LIMIT) -> bytes:
    """Undo the ``Content-Encoding`` of a body.

    Args:
        body: The body as it came.
        encoding: The header ``Content-Encoding``.
        gzip: Whether gzip is accepted.
        limit: The most bytes that may come out.

    Raises:
        RequestError: 415 for an encoding that is not accepted, 413 for what is over the limit, 400
            for what is no gzip.

    Example:
        >>> from gzip import compress
        >>> unpack_body(compress(b"{}"), b"gzip", gzip=True)
        b'{}'
    """
    name = (encoding or b"identity").strip().lower()
    if name == b"identity":
        return body
    if not gzip or name not in (b"gzip", b"x-gzip"):
        accepted = ["gzip", "identity"] if gzip else ["identity"]
        message = f"the body has a Content-Encoding that is not accepted; accepted: {', '.join(accepted)}"
        fix = "Send the body as it is, without Content-Encoding."
        raise RequestError(415, "unsupported_encoding", message, fix=fix, accepted=accepted)
    return _gunzipped(body, limit)


def _gunzipped(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # gzip, and nothing else
    unpacked = bytearray()
    try:
        while not unpacker.eof and (piece := unpacker.decompress(body, _PIECE)):
            unpacked += piece
            body = unpacker.unconsumed_tail
            if len(unpacked) > limit:
                message = f"the body has more than {limit} bytes when it is unpacked"
                raise RequestError(413, "too_large", message, fix="Send it in parts.", limit_bytes=limit)
    except zlib.error:
        raise _not_gzip() from None
    if not unpacker.eof or unpacker.unused_data:
        raise _not_gzip()
    return bytes(unpacked)


def _not_gzip() -> RequestError:
    message = "the body is declared as gzip, and is not one whole gzip member"
    return RequestError(400, "invalid_gzip", message, fix="Pack the body with gzip, or send it as it is.")


def _declared(content_type: bytes | None, *, xml: bool) -> _Type:
    """Give the form and the charset that a header names, if they are accepted."""
    text = (content_type or b"").decode("latin-1")
    media = text.partition(";")[0].strip().lower()
    named = _CHARSET.search(text)
    charset = named[1] if named else None
    if _JSON.fullmatch(media) and (charset is None or _OF_JSON.fullmatch(charset)):
        return _Type("json", None)
    if xml and _XML.fullmatch(media) and (charset is None or _OF_XML.fullmatch(charset)):
        return _Type("xml", charset)
    accepted = ["application/json", "*/*+json", *(["application/xml", "text/xml", "*/*+xml"] if xml else [])]
    got = "another type or charset" if media else "no type"
    message = f"the body has {got} in its Content-Type; accepted: {', '.join(accepted)}, in UTF-8"
    fix = "Send JSON with Content-Type: application/json."
    raise RequestError(415, "unsupported_media_type", message, fix=fix, accepted=accepted)


def _from_json(body: bytes, duplicate_keys: Literal["refuse", "last"]) -> Any:
    value = read_quickly(body, levels=DEPTH, unique_keys=duplicate_keys == "refuse")
    if value is not UNSURE:
        return value
    try:
        return decode(body, what="the body", max_depth=DEPTH, duplicate_keys=duplicate_keys)
    except InputError as error:
        where = dict(error.details)
        code = where.pop("reason")
        raise RequestError(400, code, error.message, fix=_FIXES[code], **where) from None


def _from_xml(body: bytes, charset: str | None) -> Any:
    try:
        value = parse_xml(body, encoding=charset)
        encode({"data": value})
    except XmlError as error:
        fix = "Send well-formed XML without <!DOCTYPE …>, within the limits of the inbox."
        raise RequestError(400, error.code, error.message, fix=fix, **error.details) from None
    except StateEncodingError:
        message = f"the elements of the body nest deeper than {DEPTH} levels"
        raise RequestError(400, "too_deep", message, fix="Send XML that nests less.") from None
    return value
