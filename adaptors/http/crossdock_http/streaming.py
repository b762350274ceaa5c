"""Records out of a body that is still being received, in the memory of one record."""

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from crossdock.common.text import stream_csv
from crossdock.errors import cut

from crossdock_http.errors import HttpError, ResponseTooLargeError
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
    return _closing(body, reader(_Body(body, reply, charset, limit), items))


class _Body:
    """The bytes of a reply, and what is known of them."""

    def __init__(self, chunks: Iterable[bytes], reply: Reply, charset: str | None, limit: int) -> None:
        self.chunks = chunks
        self.what = f"{reply.method} {reply.url}"
        self._charset = charset or reply.charset or "utf-8"
        self._limit = limit

    def lines(self) -> Iterator[str]:
        """Give its lines, as text, each with its line break."""
        decoder, begun = codecs.getincrementaldecoder(self._charset)(), list[str]()
        for chunk in self.chunks:
            first, *more = self._decoded(decoder, chunk).split("\n")
            begun.append(first)
            for part in more:
                yield "".join(begun) + "\n"
                begun = [part]
            self._check_size(begun)
        begun.append(self._decoded(decoder, b"", final=True))
        if any(begun):
            yield "".join(begun)

    def _check_size(self, begun: list[str]) -> None:
        if sum(map(len, begun)) > self._limit:
            raise ResponseTooLargeError(f"{self.what} answered a line of more than {self._limit} characters")

    def _decoded(self, decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> str:
        try:
            return decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            raise HttpError(
                f"{self.what} answered text whose charset {self._charset!r:.40} is false",
                fix="Say which it is: charset='latin-1'.",
            ) from error


def _lines(body: _Body, _: str | None) -> Iterator[str]:
    for line in body.lines():
        yield line.rstrip("\r\n")


def _json_lines(body: _Body, _: str | None) -> Iterator[Any]:
    for number, line in enumerate(body.lines(), 1):
        if not line.isspace():
            try:
                yield json.loads(line, parse_constant=_refuse)
            except (ValueError, RecursionError) as error:
                raise HttpError(
                    f"{body.what} answered something else than JSON in line {number}",
                    fix="Check what the system sends; or take its lines as they are: parse='lines'.",
                    line=number,
                ) from error


def _json_items(body: _Body, items: str | None) -> Iterator[Any]:
    import ijson  # imported late: few jobs stream

    try:
        yield from ijson.items(_File(body.chunks), f"{items}.item" if items else "item", use_float=True)
    except ijson.JSONError as error:
        raise HttpError(
            f"{body.what} answered something else than JSON",
            fix="Check what the system sends.",
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


class _File:
    """Chunks as a file, for readers that want one."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)

    def read(self, size: int = -1) -> bytes:
        """Give the next chunk, whatever its size; an empty one is the end."""
        return b"" if size == 0 else next((chunk for chunk in self._chunks if chunk), b"")


def _closing(body: Any, records: Iterator[Any]) -> Iterator[Any]:
    """Give the connection back when the last record was given, or nobody wants another."""
    try:
        yield from records
    finally:
        if isinstance(body, Live):
            body.close()


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
