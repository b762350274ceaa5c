"""A forward proxy: tunnels for https, whole URLs for http; it may ask for a user."""

import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from select import select
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

import pytest


class Proxy(ThreadingTCPServer):
    """The proxy, and what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.login: str | None = None
        """The ``user:password`` that it asks for."""

    @property
    def place(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def lets_in(self, headers: dict[str, str]) -> bool:
        """Tell whether a request may pass."""
        known = None if self.login is None else "Basic " + b64encode(self.login.encode()).decode()
        return known is None or headers.get("proxy-authorization") == known


class _Handler(StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        line = self.rfile.readline().decode()
        headers = self._headers()
        self.server.asked.append(line.strip())
        if not self.server.lets_in(headers):
            self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        method, target, _ = line.split(" ", 2)
        place = urlsplit(f"//{target}" if method == "CONNECT" else target)
        with socket.create_connection((place.hostname or "", place.port or 80)) as system:
            if method == "CONNECT":
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                system.sendall(self._request(method, place.path, headers))
            self._pump(system)

    def _headers(self) -> dict[str, str]:
        lines = iter(lambda: self.rfile.readline().decode().strip(), "")
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def _request(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        kept = {name: value for name, value in headers.items() if not name.startswith("proxy-")}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        head = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body

    def _pump(self, system: socket.socket) -> None:
        """Hand on bytes both ways, until one side ends."""
        other = {self.connection: system, system: self.connection}
        while True:
            for ready in select(list(other), [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                other[ready].sendall(data)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A forward proxy that anybody may use."""
    with Proxy() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
