"""Secrets of served runs, wherever they could be left: in files, logs, processes; and files that are written while somebody kills."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from crossdock.testing import Postgres
from fix_command import parent_of
from fix_serve import Served
from fix_store import Process
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

CANARY = "c4nary/Zq+8 wR=é7&xTb2Lk"

PROJECT = """
workflows:
  visits:
    retry: {attempts: 1}
    limits: {seconds: 20, memory_mb: 300}
    triggers: {form: {webhook: visits}}
    steps: {load: {job: jobs/load.py}}
"""
JOB = """
import base64, ctypes, json, logging, os, subprocess, sys
from urllib.parse import quote
from crossdock import Job, JobError, credentials, log, parse_xml, resolve
from crossdock.adaptors import http, postgresql

logging.getLogger().setLevel(logging.DEBUG)

def load(state):
    token = resolve(credentials.api.token, state)
    exec(state.data["code"], globals() | {"token": token})
    return state.result(1)

job = Job(load)
"""
WELL = """
http.get("/echo").result(); http.post("/echo", {"key": token}).result()
postgresql.query("select %s", [token]).result(); parse_xml("<a>" + token.replace("&", "") + "</a>")
log(token); print(token, repr(token), json.dumps(token), base64.b64encode(token.encode()), token.encode().hex(), quote(token))
logging.getLogger("job").debug("debug %s", token)
subprocess.run(["echo", token]); os.write(2, token.encode())
"""
BADLY = {
    "an answer that repeats the request": "http.get('/refused').result()",
    "an address that holds it": "http.get('/refused', query={'key': token}).result()",
    "a host that is not there": "http.get('http://127.0.0.1:1/x', query={'key': token}).result()",
    "a statement that holds it": 'postgresql.query("select \'" + token + "\' from nowhere").result()',
    "a value of a wrong type": "postgresql.query('select %s::int', [token]).result()",
    "XML that is none": "parse_xml('<a>' + token)",
    "an error that quotes it": "raise ValueError(token)",
    "an error in another form": "raise ValueError(base64.b64encode(token.encode()).decode() + token.encode().hex() + quote(token))",
    "an error of the job": "raise JobError('BAD', 'it is bad', key=token, keys=[token])",
    "a chain of errors": "try: int(token)\nexcept ValueError as error: raise KeyError(token) from error",
    "an end by sys.exit": "sys.exit(token)",
    "an end by a signal": "sys.stdout.write(token); sys.stdout.flush(); ctypes.string_at(0)",
    "too little memory": "kept = [token * 10**6 for _ in range(10**3)]",
}
CODES = ["http_error", "http_error", "unsafe_url", "database_error", "database_error", "xml_invalid"]
CODES += [*["job_exception"] * 2, "BAD", "job_exception", "exited", "exited", "memory"]


def forms(secret: str) -> Iterator[bytes]:
    """Give a secret in the forms in which it may be left."""
    raw = secret.encode()
    for text in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        raw.hex(),
    ):
        yield text.encode()
    yield base64.b64encode(raw).rstrip(b"=")[:-1]
    yield base64.urlsafe_b64encode(raw).rstrip(b"=")[:-1]


def left_in(folder: Path) -> list[tuple[str, bytes]]:
    """Sweep a folder: give each file that holds the canary, and in which form."""
    files = {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return [(name, form) for name, content in files.items() for form in forms(CANARY) if form in content]


@pytest.fixture
def leaky(served: Served, httpserver: HTTPServer, postgres: Postgres) -> Served:
    """A project whose job does what it is told with a secret; the system that it talks to repeats what it hears."""

    def repeat(request: Request) -> Response:
        heard = json.dumps([request.url, dict(request.headers), request.get_data(as_text=True)], ensure_ascii=False)
        return Response(heard, 500 if "refused" in request.path else 200, mimetype="application/json")

    httpserver.expect_request("/echo").respond_with_handler(repeat)
    httpserver.expect_request("/refused").respond_with_handler(repeat)
    api = {"adaptor": "http", "base_url": httpserver.url_for(""), "username": "crm", "password": "env:API_KEY"}
    found = {"api": {**api, "token_of_another": "env:API_KEY"}, "warehouse": postgres.credential}
    served.write(f"credentials: {json.dumps(found)}\n" + PROJECT, load=JOB.replace("api.token", "api.password"))
    return served


def test_se_01_a_run_that_did_all_of_it_leaves_no_secret(leaky: Served):
    server = leaky.start(env={"API_KEY": CANARY})

    details = leaky.sent("visits", {"code": WELL})
    assert server.end() == 0

    assert details.run.outcome == "success", details.error
    assert any("***" in line for line in leaky.lines(details.run.id))
    assert left_in(leaky.folder) == []


def test_se_02_a_run_that_fails_leaves_no_secret_wherever_it_does(leaky: Served):
    server = leaky.start(env={"API_KEY": CANARY})

    ended = {where: leaky.sent("visits", {"code": code}) for where, code in BADLY.items()}
    assert server.end() == 0

    assert {where: details.run.error_code for where, details in ended.items()} == dict(zip(BADLY, CODES, strict=True))
    assert left_in(leaky.folder) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="it looks into /proc: run it on Linux")
def test_se_13_no_process_has_a_secret_among_its_arguments_and_what_a_run_starts_sees_none(leaky: Served):
    server = leaky.start(env={"API_KEY": CANARY})
    code = "print(os.getpid(), os.getppid()); print(open('/proc/self/cmdline').read()); print(subprocess.run(['env'], capture_output=True, text=True).stdout)"

    said = "\n".join(leaky.lines(leaky.sent("visits", {"code": code}).run.id))
    forks = int(said.split()[1])
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (server.process.pid, forks)]

    assert parent_of(forks) == server.process.pid
    assert [form for form in forms(CANARY) for command in (*commands, said.encode()) if form in command] == []
    assert "***" not in said
    seen = {line.partition("=")[0] for line in said.splitlines() if "=" in line}
    assert "PATH" in seen
    assert "API_KEY" not in seen


def test_se_14_a_process_that_crashes_leaves_no_picture_of_its_memory(leaky: Served):
    leaky.start(env={"API_KEY": CANARY})

    details = leaky.sent("visits", {"code": "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"})

    assert leaky.lines(details.run.id) == ["(0, 0)"]


KILLED = """
import json, os, random, signal, sys, time
from crossdock.cli.ending import replace_file

place, chance, texts, seen = sys.argv[1], random.Random(7), ("a" * 300_000, "b" * 300_000), set()
replace_file(place, texts[0])
for _ in range(200):
    pid = os.fork()
    while pid == 0:
        for text in texts:
            replace_file(place, text)
    time.sleep(chance.uniform(0, 0.02))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with open(place) as file:
        seen.add(texts.index(file.read()))
print(json.dumps(sorted(seen)), flush=True)
replace_file(place, "c")
"""


def test_se_08_a_file_is_the_old_or_the_new_one_whenever_somebody_kills(
    tmp_path: Path, process: Callable[..., Process]
):
    writer = process(KILLED, str(tmp_path / "state.json"))

    assert writer.told() == [0, 1]
    assert writer.wait() == 0
    assert [file.name for file in tmp_path.iterdir()] == ["state.json"]
