"""Compressed bodies, unpacked bit by bit: gzip and deflate (RFC 9110, 8.4.1).

httpx has this, too, but unpacks whatever came at once in one piece, which a hostile system makes a
thousand times as large; and it takes a body that ends early, or the first of several gzip members,
for the whole.
"""

import zlib
from collections.abc import Iterable, Iterator

ACCEPTED = "gzip, deflate"
"""What a request says that it takes."""

_PIECE = 65536
_GZIP, _ZLIB, _RAW = 31, 15, -15


class EncodingError(Exception):
    """A body is not encoded as its headers say; the transport makes an error for the job of it."""


def decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Undo the encodings that a body's ``Content-Encoding`` lists.

    Args:
        chunks: The body as it came.
        encoding: The header's value.

    Raises:
        EncodingError: An encoding is not known, or the body is broken or ends early.

    Example:
        >>> b"".join(decoded([zlib.compress(b"grey")], "deflate"))
        b'grey'
    """
    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        if name in ("gzip", "x-gzip", "deflate"):
            chunks = _inflated(chunks, zipped=name != "deflate")
        elif name not in ("", "identity"):
            raise EncodingError(f"the encoding {name!r:.40} is not known")
    yield from chunks


def _inflated(chunks: Iterable[bytes], *, zipped: bool) -> Iterator[bytes]:
    unpacker = None
    for chunk in chunks:
        left = chunk
        while left := left.lstrip(b"\0") if zipped and unpacker is None else left:  # zeros may fill a block
            if unpacker is None:
                unpacker = zlib.decompressobj(_GZIP if zipped else _ZLIB if _has_head(left) else _RAW)
            try:
                yield from _pieces(unpacker, left)
            except zlib.error as error:
                raise EncodingError("it is broken") from error
            left = unpacker.unused_data
            if unpacker.eof:  # another member may follow
                unpacker = None
    if unpacker is not None:
        raise EncodingError("it ends early")


def _pieces(unpacker: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    """Give what data unpacks to; a full piece may not be all of it."""
    while piece := unpacker.decompress(data, _PIECE):
        yield piece
        data = unpacker.unconsumed_tail


def _has_head(chunk: bytes) -> bool:
    """Tell whether deflate has the head that it should have (RFC 1950); some systems leave it out."""
    return chunk[0] & 0x0F == 8 and (len(chunk) < 2 or int.from_bytes(chunk[:2]) % 31 == 0)
