"""The operations, on a real service that this file starts."""

import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
from crossdock.adaptors import {{ cookiecutter.__module }} as adaptor
from crossdock.testing import Close

NAME = "{{ cookiecutter.__module }}"
STOCK = {"17": 5}


class Service(StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(self.answer(*line.decode().split()).encode() + b"\n")

    def answer(self, command: str, *words: str) -> str:
        if command == "STOCK" and words[0] in STOCK:
            return str(STOCK[words[0]])
        if command == "ADD":
            STOCK[words[0]] = STOCK.get(words[0], 0) + int(words[1])
            return "OK"
        return {"LOGIN": "OK", "VERSION": "1.0"}.get(command, "ERROR no such thing")


@pytest.fixture
def service():
    with ThreadingTCPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address
        server.shutdown()


@pytest.fixture
def credentials(service):
    host, port = service
    return {"test": {"adaptor": NAME, "host": host, "port": port, "password": "a-password"}}


def test_ask_gives_the_answer(run_job, credentials):
    run = run_job(adaptor.ask("STOCK 17"), credentials=credentials)

    assert (run.outcome, run.data) == ("success", "5")


def test_what_was_sent_is_known_afterwards(run_job, credentials):
    run = run_job(adaptor.send("ADD 4 2"), adaptor.ask("STOCK 4"), credentials=credentials)

    assert (run.outcome, run.data) == ("success", "2")


@pytest.mark.parametrize("line", ["STOCK 99", "STOCK 17\nADD 17 1"])
def test_what_is_refused_is_a_failure(run_job, credentials, line):
    run = run_job(adaptor.ask(line), credentials=credentials)

    assert (run.outcome, run.error.code) == ("failed", f"{NAME}_error")
    assert STOCK["17"] == 5


def test_what_was_sent_and_not_answered_is_unknown(faulty_server, run_job):
    server = faulty_server(Close())
    host, port = server.address
    credentials = {"test": {"adaptor": NAME, "host": host, "port": port}}

    assert run_job(adaptor.send("ADD 17 5"), credentials=credentials).outcome == "unknown"


def test_nobody_there_is_a_failure(closed_port, run_job):
    host, port = closed_port
    credentials = {"test": {"adaptor": NAME, "host": host, "port": port}}

    assert run_job(adaptor.ask("STOCK 17"), credentials=credentials).outcome == "failed"