"""What the tests talk to: a service that answers each line with a line."""

import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest


class Stock(StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(self.answer(*line.decode().split()).encode() + b"\n")

    def answer(self, command: str, *words: str) -> str:
        stock = self.server.stock
        if command == "STOCK" and words[0] in stock:
            return str(stock[words[0]])
        if command == "ADD":
            stock[words[0]] = stock.get(words[0], 0) + int(words[1])
            return "OK"
        return {"LOGIN": "OK", "VERSION": "1.0"}.get(command, "ERROR no such thing")


@pytest.fixture
def service():
    with ThreadingTCPServer(("127.0.0.1", 0), Stock) as server:
        server.daemon_threads, server.stock = True, {"17": 5}
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def credentials(service):
    entry = {"adaptor": "{{ cookiecutter.__module }}", "password": "a-password"}
    host, port = service.server_address
    return {"test": entry | {"host": host, "port": port}}