"""What a sender gets that waits for the runs of its message; and the inbox inside another application."""

import json
import threading
import time

import pytest
from crossdock.state import encode
from crossdock.store.records import Finish
from crossdock.store.store import Store

WAITING = """
    Address("wait", [Target("visits", "form", Filter({"form": "v7"})), Target("report", "form")], reply="after_run", reply_seconds=10),
    Address("short", [Target("visits", "form")], reply="after_run", reply_seconds=0.3),
"""


@pytest.fixture
def server(start_server):
    """A server whose senders may wait."""
    return start_server(WAITING, options="runs=store.history")


class Worker(threading.Thread):
    """Ends runs of a store, each as it is told for its workflow."""

    def __init__(self, server, ends):
        super().__init__()
        self._file, self._ends, self._done = server.file, dict(ends), threading.Event()

    def run(self):
        with Store(f"sqlite:///{self._file}") as store:
            while self._ends:
                claimed = store.claim("worker")
                if claimed is None:
                    time.sleep(0.01)
                    continue
                outcome, state = self._ends.pop(claimed.workflow)
                store.finish(claimed, Finish(outcome, final=encode({"data": None, **state})))


@pytest.mark.parametrize(
    ("ends", "status", "body"),
    [
        ({"report": ("success", {})}, 200, {}),
        ({"report": ("success", {"reply": {"status": 201, "body": {"id": 7}}})}, 201, {"id": 7}),
        ({"report": ("success", {"reply": {"body": [1, None]}})}, 200, [1, None]),
        ({"report": ("success", {"reply": {"status": 99, "body": "x"}})}, 200, "x"),
        ({"report": ("partial", {"reply": {"body": "some"}})}, 207, "some"),
        ({"report": ("partial", {"reply": {"status": 200}})}, 200, {}),
        ({"report": ("failed", {"reply": {"body": "no"}})}, 422, "no"),
        ({"report": ("success", {"reply": {"body": 1}}), "visits": ("partial", {})}, 207, 1),
        ({"report": ("failed", {"reply": {"status": 418, "body": "teapot"}})}, 418, "teapot"),
        ({"report": ("success", {}), "visits": ("success", {"reply": {"body": "visits"}})}, 200, "visits"),
    ],
)
def test_a_sender_that_waits_gets_what_the_job_replies(server, ends, status, body):
    worker = Worker(server, ends)
    worker.start()

    answer = server.post("/inbox/wait", {"form": "v7" if "visits" in ends else "v8"})

    worker.join()
    assert (answer.status, json.loads(answer.body)) == (status, body)
    assert len(answer.headers["x-run-ids"].split(",")) == len(ends)
    assert answer.headers["x-message-id"] in server.acknowledged


def test_a_sender_that_waits_learns_that_only_a_part_succeeded(server):
    worker = Worker(server, {"report": ("partial", {"data": {"name": "Amina"}})})
    worker.start()

    answer = server.post("/inbox/wait")

    worker.join()
    assert (answer.status, answer.json) == (207, {"outcome": "partial", "message_id": answer.headers["x-message-id"]})


def test_an_answer_without_a_body_has_none(server):
    worker = Worker(server, {"report": ("success", {"reply": {"status": 204}})})
    worker.start()

    with server.connect() as connection:
        connection.send(b"POST /inbox/wait HTTP/1.1\r\nHost: inbox\r\nContent-Type: application/json\r\n")
        connection.send(b"Content-Length: 2\r\n\r\n{}")
        answer = connection.answer(without_body=True)

    worker.join()
    assert answer.status == 204


def test_a_sender_that_waits_learns_that_the_run_failed(server):
    worker = Worker(server, {"report": ("failed", {"data": {"name": "Amina"}})})
    worker.start()

    answer = server.post("/inbox/wait")

    worker.join()
    assert (answer.status, answer.error, answer.json["outcome"]) == (422, "run_failed", "failed")
    assert answer.json["message_id"] == answer.headers["x-message-id"]
    assert b"Amina" not in answer.body


def test_a_sender_that_waited_too_long_gets_the_id_and_the_run_goes_on(server):
    answer = server.post("/inbox/short", {}, "webhook-id: once")

    assert (answer.status, answer.error) == (504, "timeout")
    assert answer.json["message_id"] == answer.headers["x-message-id"]
    [run] = server.runs()
    assert (run["id"], run["state"]) == (answer.headers["x-run-ids"], "available")

    worker = Worker(server, {"visits": ("success", {"reply": {"body": "late"}})})
    worker.start()
    worker.join()
    again = server.post("/inbox/short", {}, "webhook-id: once")
    assert (again.status, json.loads(again.body), again.headers["x-duplicate"]) == (200, "late", "true")


def test_those_who_wait_hold_up_nobody(start_server):
    server = start_server(WAITING.replace("0.3", "3"), options="runs=store.history")
    waiting = [server.connect() for _ in range(50)]
    for connection in waiting:
        connection.send(
            b"POST /inbox/short HTTP/1.1\r\nHost: i\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        )

    started = time.perf_counter()
    assert server.post("/inbox/open").status == 200
    assert time.perf_counter() - started < 1
    assert {connection.answer().status for connection in waiting} == {504}
    for connection in waiting:
        connection.close()


MOUNTED = """
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route
    inner = inbox

    def inbox(*args, **options):
        home = Route("/", lambda request: PlainTextResponse("home"))
        return Starlette(routes=[home, Mount("/crossdock", inner(*args, **options)), Mount("/", inner(*args, **options))])
"""


def test_the_inbox_works_inside_another_application(start_server):
    server = start_server('Address("key", methods={"key": ApiKey("right-key")})', setup=MOUNTED.strip())

    kept, refused = server.post("/crossdock/inbox/open/7?a=1"), server.post("/crossdock/inbox/key")

    assert (kept.status, kept.body) == (200, b"{}")
    assert (refused.status, refused.error) == (401, "unauthorized")
    assert server.post("/crossdock/inbox/nowhere").error == "not_found"
    assert json.loads(server.stored()[-1]["request"])["path"] == "/inbox/open/7"
