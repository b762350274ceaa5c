"""What the triggers of a project make of its inbox."""

import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from fix_command import Crossdock
from fix_serve import Served

PROJECT = """
    workflows:
      visits:
        triggers:
          form:
            webhook: visits
            include: {form: visit}
            auth: {api_key: ["env:OLD_KEY", "env:NEW_KEY"]}
        steps: {load: {job: jobs/load.py}}
      others:
        triggers:
          form:
            webhook: visits
            exclude: {form: visit}
            auth: {api_key: ["env:OLD_KEY", "env:NEW_KEY"]}
        steps: {load: {job: jobs/load.py}}
      sums:
        triggers: {form: {webhook: sums, xml: true, reply: after_run}}
        steps: {load: {job: jobs/sum.py}}
"""
KEYS = {"OLD_KEY": "old-s3cret", "NEW_KEY": "new-s3cret"}
LOADS = "from crossdock import Job\njob = Job(lambda state: state.result(state.data))\n"
SUMS = """
    from crossdock import Job

    def add(state):
        return state | {"reply": {"status": 201, "body": {"got": state.data, "path": state.request["path"]}}}

    job = Job(add)
"""


ONE_KEY = """
    workflows:
      visits:
        triggers: {form: {webhook: visits, auth: {api_key: "env:NEW_KEY"}}}
        steps: {load: {job: jobs/load.py}}
    serve: {trusted_proxies: TRUSTED}
"""


@pytest.fixture
def project(served: Served) -> Served:
    """A served project with an inbox that asks for keys."""
    served.write(PROJECT, load=LOADS, sum=SUMS)
    served.start(env=KEYS)
    return served


def sent(
    served: Served, name: str, body: bytes, kind: str = "application/json", **headers: str
) -> tuple[int, str, str]:
    """Send a message; give the status, the ids of the runs and the body of the answer."""
    request = Request(f"{served.address}/inbox/{name}", body, {"content-type": kind, **headers}, method="POST")
    try:
        with urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["x-run-ids"], answer.read().decode()
    except HTTPError as error:
        return error.code, "", error.read().decode()


def test_the_inbox_of_a_project_does_what_its_triggers_say(project: Served):
    visit = b'{"form": "visit"}'

    assert sent(project, "visits", visit)[0] == 401
    assert sent(project, "visits", visit, **{"x-api-key": "wrong"})[0] == 401
    for key in KEYS.values():
        status, runs, _ = sent(project, "visits", visit, **{"x-api-key": key})
        assert status == 200
        assert project.run(runs).run.workflow == "visits"
    _, runs, _ = sent(project, "visits", b'{"form": "referral"}', **{"x-api-key": KEYS["NEW_KEY"]})
    assert project.run(runs).run.workflow == "others"

    status, _, body = sent(project, "sums/of/7", b"<sum of='7'/>", "text/xml")
    assert status == 201
    assert json.loads(body)["path"] == "/inbox/sums/of/7"
    assert sent(project, "nowhere", visit)[0] == 404


def test_a_sender_who_waits_gets_the_reply_also_where_nothing_is_kept(served: Served):
    served.write(PROJECT + "    retention: {erase_all: true}\n", load=LOADS, sum=SUMS)
    served.start(env=KEYS)

    status, run, body = sent(served, "sums", b'{"id": 7}')

    assert (status, json.loads(body)["got"]) == (201, {"id": 7})
    assert served.run(run).run.outcome == "success"


def test_a_secret_of_a_sender_that_is_missing_is_refused(served: Served):
    served.write(PROJECT, load=LOADS, sum=SUMS)

    server = served.launch(env={"OLD_KEY": "old-s3cret"})

    assert server.process.wait(60) == 3
    assert "NEW_KEY" in server.said


def test_a_host_that_is_not_this_machine_is_refused(served: Served):
    served.write(PROJECT, load=LOADS, sum=SUMS)

    server = served.launch("--host", "192.0.2.1", env=KEYS)

    assert server.process.wait(60) == 3
    assert "192.0.2.1" in server.said


@pytest.mark.parametrize(("trusted", "statuses"), [('["127.0.0.1"]', [401, 429]), ("[]", [429, 429])])
def test_a_sender_is_told_from_others_behind_a_proxy_that_is_trusted(served: Served, trusted: str, statuses: list[int]):
    """The last address of the header is what the proxy saw; those before it are what a sender says."""
    served.write(ONE_KEY.replace("TRUSTED", trusted), load="from crossdock import Job\njob = Job(lambda state: state)")
    served.start(env={"NEW_KEY": "new-s3cret-key"})

    for n in range(30):
        assert status(served, f"192.0.2.{n}, 203.0.113.9") == 401

    assert [status(served, "203.0.113.10"), status(served, "192.0.2.99, 203.0.113.9")] == statuses


def test_a_proxy_that_is_no_address_is_refused(served: Served, crossdock: Crossdock):
    served.write(ONE_KEY.replace("TRUSTED", '["*"]'), load="from crossdock import Job\njob = Job(lambda state: state)")

    done = crossdock("check", served.folder)

    assert done.returncode == 3
    assert "names no address and no network: '*'" in done.stderr + done.stdout


def status(served: Served, forwarded_for: str) -> int:
    """Send a wrong key through a proxy, and give the status of the answer."""
    headers = {"X-API-Key": "wrong", "X-Forwarded-For": forwarded_for, "Content-Type": "application/json"}
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(f"{served.address}/inbox/visits", b"{}", headers), timeout=40)
    with caught.value as answer:
        return answer.code
