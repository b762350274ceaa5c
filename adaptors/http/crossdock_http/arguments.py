"""What a request is given, checked before it is sent: a write that went out can't be taken back."""

import codecs
import json as json_module
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal, get_args

from crossdock.errors import ArgumentError, StateEncodingError
from crossdock.state import encode
from pydantic import SecretStr

Parse = Literal["auto", "json", "text", "xml", "csv", "bytes", "lines"]
"""How an answer can be read."""

_READINGS = get_args(Parse)

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(r"([!-~]([ \t!-~]*[!-~])?)?")
_OF_THE_CONNECTION = frozenset({"content-length", "transfer-encoding"})


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse an option whose value can't be what it should.

    Raises:
        ArgumentError: It names the option, the type that it got, and how to write it.
    """
    for name, value in options.items():
        if value is not None and name in _RULES and not _RULES[name][0](value):
            raise ArgumentError(
                f"{name} can't be {_got(value, shown=name in _HARMLESS)}; nothing was sent",
                fix=f"Write it as {_RULES[name][1]}.",
            )


def checked_method(method: Any) -> str:
    """Give a method in capitals."""
    if not isinstance(method, str) or not _TOKEN.fullmatch(method):
        raise ArgumentError(f"the method can't be {_got(method)}; nothing was sent", fix="Write it as a word: 'GET'.")
    return method.upper()


def json_of(value: Any, what: str) -> bytes:
    """Give a value as JSON.

    Args:
        value: Any JSON value, with dates, Decimal and UUID as text.
        what: What it is, for the error.
    """
    try:
        return encode(value)
    except StateEncodingError as error:
        raise ArgumentError(
            f"{what} can't be sent: {error.message.removesuffix(' of the state')}",
            fix="Turn the value into text, a number, true, false, None, a list or a dict.",
        ) from error


def text_of(value: Any, what: str) -> str:
    """Give a value as the text that stands for it in a URL or form; a list or dict is JSON.

    >>> text_of(True, "query"), text_of("a", "query"), text_of([1, None], "query")
    ('true', 'a', '[1,null]')
    """
    if isinstance(value, str) and value.isascii():
        return value
    encoded = json_of(value, what)
    plain = json_module.loads(encoded)
    return plain if isinstance(plain, str) else encoded.decode()


def headers_of(given: Mapping[str, Any]) -> dict[str, str]:
    """Give headers with lower-case names (RFC 9110, 5.5 and 5.6.2); None leaves one out.

    Raises:
        ArgumentError: A name or value would not arrive as it is, or would start another header.
    """
    return {name.lower(): _header(name, value) for name, value in _names(given) if value is not None}


def _names(given: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in given.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name) or name.lower() in _OF_THE_CONNECTION:
            raise ArgumentError(
                f"the header {str(name)!r:.80} can't be given; nothing was sent",
                fix="Use letters, digits and '-' in its name; leave the length of the body to crossdock.",
            )
        yield name, value.get_secret_value() if isinstance(value, SecretStr) else value


def _header(name: str, value: Any) -> str:
    what = f"the header {name!r:.80}"
    if isinstance(value, Mapping | list | tuple):
        raise ArgumentError(f"{what} can't be {_got(value)}; nothing was sent", fix="Give it as text.")
    text = text_of(value, what)
    if not _FIELD_VALUE.fullmatch(text):
        fault = "a control character, or a blank at an end" if text.isascii() else "characters that are not ASCII"
        raise ArgumentError(
            f"{what} holds {fault}; nothing was sent",
            fix="Remove it from the value, or encode the value as the system's documentation says.",
        )
    return text


def _got(value: Any, *, shown: bool = False) -> str:
    """Say what a value is; it may be a payload or secret, so few are shown."""
    return f"{value!r:.80}" if value is None or shown else f"this {type(value).__name__}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_statuses(value: Any) -> bool:
    return isinstance(value, Collection) and all(isinstance(item, int) for item in value)


def _is_charset(value: Any) -> bool:
    try:
        codecs.lookup(value)
    except (LookupError, TypeError, ValueError):
        return False
    return True


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


_HARMLESS = frozenset({"parse", "charset", "ok", "timeout", "retry"})

_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "params": (_is_mapping, "a dict: params={'id': 7}"),
    "query": (_is_mapping, "a dict: query={'page': 2}"),
    "headers": (_is_mapping, "a dict: headers={'X-Name': 'text'}"),
    "form": (_is_mapping, "a dict: form={'name': 'Amina'}"),
    "multipart": (_is_mapping, "a dict: multipart={'name': 'Amina'}"),
    "body": (lambda value: isinstance(value, str | bytes), "text or bytes; send anything else as json=…"),
    "parse": (lambda value: value in _READINGS, f"one of {', '.join(_READINGS)}"),
    "charset": (_is_charset, "a charset that Python knows: charset='latin-1'"),
    "ok": (_are_statuses, "a set of numbers: ok={404}"),
    "errors": (
        lambda value: isinstance(value, bool) or (_is_mapping(value) and _are_statuses(value)),
        "False, or a dict whose keys are numbers: errors={404: False}",
    ),
    "timeout": (lambda value: _is_number(value) and value > 0, "seconds above 0: timeout=30"),
    "retry": (lambda value: _is_number(value) and value >= 0, "a number from 0 up: retry=2"),
    "idempotent": (lambda value: isinstance(value, bool | str), "True, or the key as text"),
}
