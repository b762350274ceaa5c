"""Records out of a body that is still being received, in the memory of one record."""

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO, TextIOWrapper
from itertools import chain
from typing import Any, Literal

from crossdock.common.text import stream_csv
from crossdock.errors import cut

from crossdock_http.errors import HttpError, ResponseTooLargeError
from crossdock_http.json_list import TooLongError, items_of_list
from crossdock_http.reply import Live, Reply

StreamParse = Literal["auto", "lines", "jsonl", "json", "csv", "bytes"]
_KINDS: dict[str, StreamParse] = {
    "application/json": "json",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/jsonlines": "jsonl",
    "text/csv": "csv",
}


def records_of(reply: Reply, parse: StreamParse, items: str | None, charset: str | None, limit: int) -> Iterator[Any]:
    """Give the records of a reply one by one.

    Args:
        reply: A live reply.
        parse: How they stand in it; ``auto`` goes by its media type.
        items: The key of the list in a JSON object; dots lead into objects.
        charset: The charset, where the system says none or a false one.
        limit: The most bytes of one record.
    """
    kind = _KINDS.get(reply.type, "lines") if parse == "auto" else parse
    if reply.type == "text/html" and parse not in ("lines", "bytes"):
        raise reply.not_json()
    body = reply.live if reply.live is not None else (reply.content,)
    reader = _READERS.get(kind)
    if reader is None:
        raise HttpError(f"parse={parse!r} is not known", fix=f"Use auto, {', '.join(_READERS)}.")
    # JSON is UTF-8, whatever its media type adds (RFC 8259, 8.1 and 11).
    charset = charset or (None if kind in ("json", "jsonl") else reply.charset) or "utf-8"
    return _closing(body, reader(_Body(body, f"{reply.method} {reply.url}", charset, limit), items))


class _Body:
    """The bytes of a reply, and what is known of them."""

    def __init__(self, chunks: Iterable[bytes], what: str, charset: str, limit: int) -> None:
        self.chunks = chunks
        self.what = what
        self.limit = limit
        self._charset = charset

    def text(self) -> Iterator[str]:
        """Give its text, as it comes, without a byte order mark."""
        decoder, begun = self._decoder(), False
        for chunk in chain(filter(None, self.chunks), [b""]):
            text = self._decoded(decoder, chunk, final=not chunk)
            yield text if begun else text.removeprefix("\ufeff")
            begun = begun or bool(text)

    def lines(self) -> Iterator[str]:
        """Give its lines, as text, each with its line break."""
        begun, size = list[str](), 0
        for text in self.text():
            first, *more = text.split("\n")
            begun.append(first)
            for part in more:
                yield "".join(begun) + "\n"
                begun, size = [part], 0
            size += len(begun[-1])
            if size > self.limit:
                raise self.too_long("a line")
        if any(begun):
            yield "".join(begun)

    def too_long(self, what: str) -> ResponseTooLargeError:
        """Give the error of a part that does not fit into memory."""
        return ResponseTooLargeError(f"{self.what} answered {what} of more than {self.limit} characters")

    def no_json(self, where: str, error: Exception) -> HttpError:
        """Give the error of a part that is something else."""
        return HttpError(
            f"{self.what} answered something else than JSON {where}",
            fix="Check what the system sends; or take its lines as they are: parse='lines'.",
            why=cut(str(error), 200),
        )

    def _decoder(self) -> codecs.IncrementalDecoder:
        try:
            TextIOWrapper(BytesIO(), self._charset)  # refuses codecs that make no text
            return codecs.getincrementaldecoder(self._charset)()
        except LookupError as error:
            raise self._false_charset("is not known") from error

    def _decoded(self, decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool) -> str:
        try:
            return decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            raise self._false_charset("is false") from error

    def _false_charset(self, reason: str) -> HttpError:
        return HttpError(
            f"{self.what} answered text whose charset {self._charset!r:.40} {reason}",
            fix="Say which it is: charset='latin-1'.",
        )


def _lines(body: _Body, _: str | None) -> Iterator[str]:
    for line in body.lines():
        yield line.removesuffix("\n").removesuffix("\r")


def _json_lines(body: _Body, _: str | None) -> Iterator[Any]:
    for number, line in enumerate(body.lines(), 1):
        if not line.isspace():
            try:
                yield json.loads(line, parse_constant=_refuse)
            except (ValueError, RecursionError) as error:
                raise body.no_json(f"in line {number}", error) from error


def _json_items(body: _Body, items: str | None) -> Iterator[Any]:
    try:
        yield from items_of_list(body.text(), items, body.limit)
    except TooLongError:
        raise body.too_long("an item") from None
    except ValueError as error:
        where = "than a JSON list" if items is None else f"than a JSON object with a list under {items!r:.80}"
        raise HttpError(
            f"{body.what} answered something else {where}, or broke off",
            fix="Check what the system sends; name the key of the list: items='results'.",
            why=cut(str(error), 200),
        ) from error


def _csv_rows(body: _Body, _: str | None) -> Iterator[dict[str, str]]:
    return stream_csv(body.lines())


def _bytes(body: _Body, _: str | None) -> Iterator[bytes]:
    yield from body.chunks


_READERS: dict[str, Callable[[_Body, str | None], Iterator[Any]]] = {
    "lines": _lines,
    "jsonl": _json_lines,
    "json": _json_items,
    "csv": _csv_rows,
    "bytes": _bytes,
}


def _closing(body: Any, records: Iterator[Any]) -> Iterator[Any]:
    """Give the connection back when the last record was given, or nobody wants another."""
    try:
        yield from records
    finally:
        if isinstance(body, Live):
            body.close()


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
