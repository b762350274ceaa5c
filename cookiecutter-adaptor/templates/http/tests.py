"""The operations, on a real server that answers as {{ cookiecutter.system_name }} does."""

from crossdock.adaptors import {{ cookiecutter.__module }} as adaptor
from crossdock.testing import Close

NAME = "{{ cookiecutter.__module }}"
AMINA, BARAKA = {"id": 1, "name": "Amina"}, {"id": 2, "name": "Baraka"}


def test_find_gives_the_records_of_all_pages(http_system, run_job, credentials):
    first = http_system.on("GET", "/api/people", query={"village": "Kisiwa", "limit": 1})
    first.answer({"next": f"{http_system.url}/api/more", "results": [AMINA]})
    http_system.on("GET", "/api/more", headers={"Authorization": "Bearer a-token"}).answer({"results": [BARAKA]})

    run = run_job(adaptor.find("people", {"village": "Kisiwa"}), credentials=credentials)

    assert (run.outcome, run.data) == ("success", [AMINA, BARAKA])


def test_create_sends_the_record_and_gives_the_answer(http_system, run_job, credentials):
    created = http_system.on("POST", "/api/people", json={"name": "Amina"}).answer(AMINA, status=201)

    run = run_job(adaptor.create("people", {"name": "Amina"}), credentials=credentials)

    assert (run.outcome, run.data, len(created.requests)) == ("success", AMINA, 1)


def test_a_refused_record_is_a_failure(http_system, run_job, credentials):
    http_system.on("POST", "/api/people").answer({"detail": "no name"}, status=422)

    run = run_job(adaptor.create("people", {}), credentials=credentials)

    assert (run.outcome, run.error.code) == ("failed", "http_error")


def test_a_record_that_was_sent_and_not_answered_is_unknown(faulty_server, run_job):
    server = faulty_server(Close())
    credentials = {"test": {"adaptor": NAME, "base_url": server.url}}

    run = run_job(adaptor.create("people", {"name": "Amina"}), credentials=credentials)

    assert (run.outcome, len(server.requests)) == ("unknown", 1)