"""What files hold: bytes become values, and values bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import Any, Literal

from crossdock import csv_lines, stream_csv
from crossdock.decoding import decode
from crossdock.errors import InputError
from crossdock.state import encode

from crossdock_sftp.errors import ContentError

Parse = Literal["auto", "text", "bytes", "json", "csv", "jsonl"]
StreamParse = Literal["auto", "csv", "jsonl", "lines"]
Form = Literal["auto", "text", "json", "csv", "jsonl"]
_KINDS = {".json": "json", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


def parsed(content: bytes, path: str, parse: Parse, charset: str) -> Any:
    """Read the content of a file as what it is, or as what ``parse`` says."""
    match _kind(path, "text") if parse == "auto" else parse:
        case "bytes":
            return content
        case "json":
            return _json(content, f"the file {path!r}")
        case "csv" | "jsonl" as kind:
            return list(records([content], path, kind, charset))
        case "text":
            return "".join(_opened([content], path, charset))
        case _:
            raise ContentError(f"parse={parse!r:.40} is not known", fix="Use auto, text, bytes, json, csv or jsonl.")


def records(pieces: Iterable[bytes], path: str, parse: StreamParse, charset: str) -> Iterator[Any]:
    """Give the records of a file one by one, in the memory of one."""
    kind = _kind(path, "lines") if parse == "auto" else parse
    reader = _READERS.get(kind)
    if reader is None:
        raise ContentError(f"{kind!r:.40} can't be read record by record", fix="Use parse='csv', 'jsonl' or 'lines'.")
    return reader(_opened(pieces, path, charset), path)


def rendered(content: Any, path: str, form: Form, columns: Sequence[str] | None) -> Iterator[bytes]:
    """Give the bytes of a file piece by piece; bytes and text are written as they are."""
    if isinstance(content, bytes):
        return iter([content])
    kind = _kind(path, "text") if form == "auto" else form
    if kind == "text" or (form == "auto" and isinstance(content, str)):
        return iter([_text(content, path)])
    if kind == "json":
        return iter([encode(content)])
    if isinstance(content, str | Mapping) or not isinstance(content, Iterable):
        raise ContentError(f"what is written to {path!r} is no list of rows", fix="Give a list or a stream of rows.")
    if kind == "csv":
        return (line.encode() for line in csv_lines(content, columns=columns))
    return (encode(row) + b"\n" for row in content)


def _text(content: Any, path: str) -> bytes:
    if not isinstance(content, str):
        raise ContentError(
            f"what is written to {path!r} is no text but {type(content).__name__}",
            fix="Give text or bytes, or say what becomes of it: form='json', form='csv', form='jsonl'.",
        )
    return content.encode()


def _kind(path: str, otherwise: str) -> str:
    """Tell by its name what a file holds."""
    return next((kind for ending, kind in _KINDS.items() if path.lower().endswith(ending)), otherwise)


def _lines(text: Iterable[str], _: str) -> Iterator[str]:
    for line in text:
        yield line.rstrip("\r\n")


def _csv_rows(text: Iterable[str], _: str) -> Iterator[dict[str, str]]:
    return stream_csv(text)


def _json_lines(text: Iterable[str], path: str) -> Iterator[Any]:
    for number, line in enumerate(text, 1):
        if not line.isspace():
            yield _json(line, f"the line {number} of the file {path!r}")


_READERS: dict[str, Callable[[Iterable[str], str], Iterator[Any]]] = {
    "lines": _lines,
    "csv": _csv_rows,
    "jsonl": _json_lines,
}


def _json(content: bytes | str, what: str) -> Any:
    try:
        return decode(content, what=what)
    except InputError as error:
        raise ContentError(error.message, **error.details) from None


def _opened(pieces: Iterable[bytes], path: str, charset: str) -> Iterator[str]:
    """Give the lines of a file with their line breaks, without a byte order mark."""
    charset = "utf-8-sig" if charset.lower() in ("utf-8", "utf8") else charset
    try:
        with TextIOWrapper(BufferedReader(_Pieces(pieces)), charset, newline="") as text:
            yield from text
    except (LookupError, UnicodeDecodeError) as error:
        reason = "is not known" if isinstance(error, LookupError) else "is false"
        raise ContentError(
            f"the charset {charset!r:.40} of the file {path!r} {reason}",
            fix="Say which it is: charset='latin-1'; or take the file as it is: parse='bytes'.",
        ) from None


class _Pieces(RawIOBase):
    """Pieces of bytes as a file that can be read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
