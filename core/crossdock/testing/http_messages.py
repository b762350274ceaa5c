"""HTTP messages as bytes: a request is read whole, and a reply is written down."""

import re
import socket

_LENGTH = re.compile(rb"^content-length:\s*(\d+)\s*$", re.MULTILINE | re.IGNORECASE)
_CHUNKED = re.compile(rb"^transfer-encoding:.*\bchunked\s*$", re.MULTILINE | re.IGNORECASE)


def http_reply(
    body: bytes = b"", *, status: int = 200, content_type: str = "application/json", **headers: str
) -> bytes:
    """Write a whole HTTP reply, which keeps the connection.

    Args:
        body: What it brings.
        status: Its status code.
        content_type: What the body is.
        headers: More headers; an underscore stands for a hyphen.

    Example:
        >>> http_reply(b"[]", status=503, retry_after="1").splitlines()
        [b'HTTP/1.1 503 ', b'retry-after: 1', b'content-type: application/json', b'content-length: 2', b'', b'[]']
    """
    fields = {**headers, "content_type": content_type, "content_length": str(len(body))}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    # No words after the status: they are nobody's business (RFC 9112, 4), and there are none for 520.
    return "\r\n".join([f"HTTP/1.1 {status} ", *lines, "", ""]).encode() + body


class RequestReader:
    """Reads one request after another from a connection, each with its body."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def next(self) -> bytes:
        """Give the next request as it was sent.

        Raises:
            EOFError: The client ended before a whole one came.
        """
        head = self._through(b"\r\n\r\n")
        if _CHUNKED.search(head):
            return head + self._chunks()
        length = _LENGTH.search(head)
        return head + self._exactly(int(length[1]) if length else 0)

    def _chunks(self) -> bytes:
        """Read a chunked body, with its sizes and trailers (RFC 9112, 7.1)."""
        body = b""
        while True:
            line = self._through(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            if size == 0:
                break
            body += line + self._exactly(size + len(b"\r\n"))
        while line != b"\r\n":
            body += line
            line = self._through(b"\r\n")
        return body + line

    def _through(self, mark: bytes) -> bytes:
        start = 0
        while (at := self._buffer.find(mark, start)) == -1:
            start = max(0, len(self._buffer) - len(mark) + 1)
            self._receive()
        return self._exactly(at + len(mark))

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._receive()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _receive(self) -> None:
        received = self._connection.recv(65536)
        if not received:
            raise EOFError("the client ended")
        self._buffer += received
