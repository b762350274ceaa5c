"""The operations, on a real service."""

import pytest
from crossdock.adaptors import {{ cookiecutter.__module }} as adaptor
from crossdock.testing import Close

NAME = "{{ cookiecutter.__module }}"


def test_ask_gives_the_answer(run_job, credentials):
    run = run_job(adaptor.ask("STOCK 17"), credentials=credentials)

    assert (run.outcome, run.data) == ("success", "5")


def test_what_was_sent_is_known_afterwards(run_job, credentials):
    run = run_job(adaptor.send("ADD 4 2"), adaptor.ask("STOCK 4"), credentials=credentials)

    assert (run.outcome, run.data) == ("success", "2")


@pytest.mark.parametrize("line", ["STOCK 99", "STOCK 17\nADD 17 1"])
def test_what_is_refused_is_a_failure(run_job, service, credentials, line):
    run = run_job(adaptor.ask(line), credentials=credentials)

    assert (run.outcome, run.error.code) == ("failed", f"{NAME}_error")
    assert service.stock == {"17": 5}


def test_what_was_sent_and_not_answered_is_unknown(faulty_server, run_job):
    server = faulty_server(Close())
    host, port = server.address
    credentials = {"test": {"adaptor": NAME, "host": host, "port": port}}

    assert run_job(adaptor.send("ADD 17 5"), credentials=credentials).outcome == "unknown"


def test_nobody_there_is_a_failure(closed_port, run_job):
    host, port = closed_port
    credentials = {"test": {"adaptor": NAME, "host": host, "port": port}}

    assert run_job(adaptor.ask("STOCK 17"), credentials=credentials).outcome == "failed"