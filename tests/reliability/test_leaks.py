"""Secrets of served runs, wherever they could be left: in files, logs, answers, processes; and files that are written while somebody kills."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from http.client import HTTPConnection
from pathlib import Path

import pytest
from crossdock.testing import CanarySweep, Postgres
from fix_command import parent_of
from fix_serve import PATIENCE, Served, Server
from fix_store import Process
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

PROJECT = """
workflows:
  visits:
    retry: {attempts: 1}
    limits: {seconds: 20, memory_mb: 300}
    triggers: {form: {webhook: visits, auth: {api_key: "env:API_KEY"}, reply: after_run, reply_timeout: 30 seconds}}
    steps: {load: {job: jobs/load.py}}
"""
JOB = """
import base64, ctypes, json, logging, os, subprocess, sys
from urllib.parse import quote
from crossdock import Job, JobError, credentials, log, parse_xml, resolve
from crossdock.adaptors import dhis2, http, postgresql

logging.getLogger().setLevel(logging.DEBUG)

def load(state):
    token = resolve(credentials.api.password, state)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logging.getLogger("job").log(level, "got %s", token)
    exec(state.data["code"], globals() | {"token": token})
    return state.result(1)

job = Job(load)
"""
WELL = """
http.get("/echo").result(); http.post("/echo", {"key": token}).result(); dhis2.get("me").result()
postgresql.query("select %s", [token]).result(); parse_xml("<a>" + token + "</a>")
log(token); print(token, repr(token), json.dumps(token), base64.b64encode(token.encode()), token.encode().hex(), quote(token))
subprocess.run(["echo", token]); os.write(2, token.encode())
"""
BADLY = {
    "an answer that repeats the request": "http.get('/refused').result()",
    "an address that holds it": "http.get('/refused', query={'key': token}).result()",
    "a host that is not there": "http.get('http://127.0.0.1:1/x', query={'key': token}).result()",
    "an answer of DHIS2 that repeats it": "dhis2.get('refused').result()",
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
CODES = ["http_error", "http_error", "unsafe_url", "http_error", "database_error", "database_error", "xml_invalid"]
CODES += [*["job_exception"] * 2, "BAD", "job_exception", "exited", "exited", "memory"]
LEVELS = {"debug", "info", "warning", "error", "critical"}

OPERATOR = """
import sys
from crossdock.cli import add_commands

cli = add_commands()
for line in sys.stdin:
    cli.main(line.split(), standalone_mode=False)
"""
COMMANDS = ["runs list --json", "messages list --json", "dead list", "export --format csv", "stats", "doctor"]


class Leaky:
    """A served project that does what it is told with a secret, which is its sender's key too.

    Args:
        served: The project.
        secret: The secret.
    """

    def __init__(self, served: Served, secret: str) -> None:
        self.served = served
        self.secret = secret
        self.answers: list[bytes] = []
        """All that the server answered, with its headers."""

    def start(self) -> Server:
        """Start the server, which reads the secret from its environment."""
        return self.served.start(env={"API_KEY": self.secret})

    def ask(self, path: str, body: str | None = None, key: str = "") -> dict[str, str]:
        """Send a request, and give the headers of the answer."""
        connection = HTTPConnection(self.served.address.removeprefix("http://"), timeout=PATIENCE)
        headers = {"content-type": "application/json", **({"x-api-key": key} if key else {})}
        connection.request("GET" if body is None else "POST", path, body, headers)
        with connection.getresponse() as answer:
            self.answers.append(f"{answer.status} {answer.getheaders()}".encode() + answer.read())
            found = {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        return found

    def run(self, code: str) -> str:
        """Let a run do something with the secret, wait for its end, and give its id."""
        return self.ask("/inbox/visits", json.dumps({"code": code}), key=self.secret)["x-run-ids"]

    def shown(self, runs: Iterable[str]) -> bytes:
        """Give all that the operator's commands show, of these runs one by one."""
        lines = [*COMMANDS, *(f"runs {command} {run}" for run in runs for command in ("show", "logs"))]
        done = subprocess.run(
            [sys.executable, "-c", OPERATOR],
            input="\n".join(lines).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.served.folder,
            check=False,
        )
        assert all(run.encode() in done.stdout for run in runs), done.stdout
        return done.stdout

    def levels(self, run: str) -> set[str]:
        """Give the levels that the log of a run has."""
        with self.served.store() as store:
            return {line.level for line in store.history.lines(run)}


@pytest.fixture
def leaky(served: Served, httpserver: HTTPServer, postgres: Postgres, canary_sweep: CanarySweep) -> Leaky:
    """A project with a secret; the systems that it talks to repeat what they hear."""

    def repeat(request: Request) -> Response:
        heard = json.dumps([request.url, dict(request.headers), request.get_data(as_text=True)], ensure_ascii=False)
        return Response(heard, 500 if "refused" in request.path else 200, mimetype="application/json")

    httpserver.expect_request(re.compile(".*")).respond_with_handler(repeat)
    user = {"base_url": httpserver.url_for(""), "username": "crm", "password": "env:API_KEY"}
    found = {"api": {"adaptor": "http", **user, "token_of_another": "env:API_KEY"}}
    found |= {"dhis2": {"adaptor": "dhis2", **user}, "warehouse": postgres.credential}
    served.write(f"credentials: {json.dumps(found)}\n" + PROJECT, load=JOB)
    return Leaky(served, canary_sweep.secret)


def swept(leaky: Leaky, server: Server, runs: list[str], sweep: CanarySweep) -> None:
    """Look for the secret in all that is left, while it is served and afterwards."""
    for path in ("/metrics", "/health", "/inbox/nowhere"):
        leaky.ask(path, key=leaky.secret)
    leaky.ask("/inbox/visits", '{"id": 7}', key=leaky.secret + "?")
    logs = list(leaky.served.folder.glob(".crossdock/*-wal"))
    assert [file for file in logs if file.stat().st_size], "the store has no log of its own"

    shown = leaky.shown(runs)
    sweep(leaky.served.folder, answers=b"\n".join(leaky.answers), shown=shown, server=server.said)
    assert server.end() == 0
    sweep(leaky.served.folder, server=server.said)
    assert b"***" in shown
    assert all(leaky.levels(run) >= LEVELS for run in runs)


def test_se_01_a_run_that_did_all_of_it_leaves_no_secret(leaky: Leaky, canary_sweep: CanarySweep):
    server = leaky.start()

    run = leaky.run(WELL)

    assert leaky.served.run(run).run.outcome == "success", leaky.served.run(run).error
    swept(leaky, server, [run], canary_sweep)


def test_se_02_a_run_that_fails_leaves_no_secret_wherever_it_does(
    leaky: Leaky, canary_sweep: CanarySweep, record_property: Callable[[str, object], None]
):
    record_property("n", f"{len(BADLY)} places")
    server = leaky.start()

    runs = {where: leaky.run(code) for where, code in BADLY.items()}

    codes = {where: leaky.served.run(run).run.error_code for where, run in runs.items()}
    assert codes == dict(zip(BADLY, CODES, strict=True))
    swept(leaky, server, list(runs.values()), canary_sweep)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="it looks into /proc: run it on Linux")
def test_se_13_no_process_has_a_secret_among_its_arguments_and_what_a_run_starts_sees_none(
    leaky: Leaky, canary_sweep: CanarySweep
):
    server = leaky.start()
    code = "print('is', os.getpid(), os.getppid()); print(open('/proc/self/cmdline').read()); print(subprocess.run(['env'], capture_output=True, text=True).stdout)"

    lines = leaky.served.lines(leaky.run(code))
    said = "\n".join(line for line in lines if not line.startswith("got "))
    forks = int(next(line for line in lines if line.startswith("is ")).split()[2])
    commands = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (server.process.pid, forks)]

    assert parent_of(forks) == server.process.pid
    canary_sweep(commands=b"\n".join(commands), said=said)
    assert "***" not in said
    seen = {line.partition("=")[0] for line in said.splitlines() if "=" in line}
    assert "PATH" in seen
    assert "API_KEY" not in seen


def test_se_14_a_process_that_crashes_leaves_no_picture_of_its_memory(leaky: Leaky):
    leaky.start()

    run = leaky.run("import resource; print(resource.getrlimit(resource.RLIMIT_CORE))")

    assert "(0, 0)" in leaky.served.lines(run)


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
