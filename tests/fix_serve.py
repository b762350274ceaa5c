"""A project that is served by a real process, with senders, clocks and signals that are real too."""

import json
import os
import signal
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from crossdock.store.records import NewMessage, NewRun, RunDetails, Search, StoredRun
from crossdock.store.store import Store
from fix_command import COMMAND

PATIENCE = 40.0
"""How many seconds something may take on a busy machine before a test gives up."""


def until(happened: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until something has happened, and give what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.02)
    return found


class Server:
    """A process that serves a project."""

    COMMAND = ("serve", "--port", "0")

    def __init__(self, folder: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self._lines = TemporaryFile("ab+")  # noqa: SIM115 - it is closed with the process
        self.process = subprocess.Popen(
            [*COMMAND, *self.COMMAND, *arguments, str(folder)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **(env or {})},
            stdout=subprocess.DEVNULL,
            stderr=self._lines,
        )

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has logged."""
        self._lines.seek(0)
        return [json.loads(line) for line in self._lines.read().splitlines(keepends=True) if line.endswith(b"}\n")]

    @property
    def said(self) -> str:
        """All that it has written."""
        self._lines.seek(0)
        return self._lines.read().decode()

    def ready(self) -> str:
        """Wait until it serves, and give its address."""

        def ready() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.said
            return next((event for event in self.events if event.get("event") == "ready"), None)

        return str(until(ready, "the server's readiness").get("address"))

    def logged(self, text: str) -> dict[str, Any]:
        """Wait for a line of its log."""
        found = until(lambda: [event for event in self.events if text in event["message"]], f"the line {text!r}")
        return dict(found[0])

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, and give the exit code that it ends with."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it, however it is."""
        self.process.kill()
        self.process.wait()
        self._lines.close()


STORE = "sqlite:///.crossdock/crossdock.db"


class Worker(Server):
    """A process that runs what servers of a project receive."""

    COMMAND = ("worker",)


class Served:
    """A project in a folder, and what serves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store_url = STORE
        self.servers: list[Server] = []
        (folder / "jobs").mkdir()

    def write(self, project: str, **jobs: str) -> None:
        """Write the project file and the files of its jobs."""
        text = textwrap.dedent(project)
        if self.store_url != STORE:
            (self.folder / "store.txt").write_text(self.store_url, encoding="utf-8")
            text = f'store: "file:{self.folder}/store.txt"\n{text}'
        (self.folder / "project.yaml").write_text(text, encoding="utf-8")
        for name, source in jobs.items():
            (self.folder / "jobs" / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> Server:
        """Start a server, and wait until it is ready."""
        server = self.launch(*arguments, env=env)
        self.address = server.ready()
        return server

    def launch(self, *arguments: str, env: dict[str, str] | None = None) -> Server:
        """Start a server."""
        self.servers.append(Server(self.folder, *arguments, env=env))
        return self.servers[-1]

    def launch_worker(self, *arguments: str) -> Worker:
        """Start a process that runs what servers receive."""
        self.servers.append(worker := Worker(self.folder, *arguments))
        return worker

    def post(self, name: str, value: Any, **headers: str) -> list[str]:
        """Send a message, and give the ids of its runs."""
        request = Request(f"{self.address}/inbox/{name}", json.dumps(value).encode(), method="POST")
        request.add_header("content-type", "application/json")
        for header, text in headers.items():
            request.add_header(header.replace("_", "-"), text)
        try:
            with urlopen(request, timeout=PATIENCE) as answer:
                return [id_ for id_ in answer.headers["x-run-ids"].split(",") if id_]
        except HTTPError as error:
            raise AssertionError(f"{error.code}: {error.read().decode()}") from None

    def store(self, *, create: bool = False) -> Store:
        """Open the store beside the server."""
        return Store(self.store_url, folder=self.folder, create=create)

    def queue(self, workflow: str, bodies: Iterable[bytes]) -> None:
        """Put messages for a workflow into the queue, without a server; all of them are soon there at once."""
        from crossdock.project import read_project

        new = NewRun(workflow, "form", read_project(self.folder).version())
        with self.store(create=True) as store:
            messages = (NewMessage(workflow, body, [new], content_type="application/json") for body in bodies)
            for accepted in [store.accept_soon(message) for message in messages]:
                accepted.result()

    def run(self, id_: str, seconds: float = PATIENCE) -> RunDetails:
        """Wait for the end of a run, and give all of it."""

        def ended() -> RunDetails | None:
            with self.store() as store:
                found = store.history.run(id_)
            return found if found.run.state in ("ended", "dead") else None

        details: RunDetails = until(ended, f"the end of the run {id_}", seconds)
        return details

    def sent(self, name: str, value: Any) -> RunDetails:
        """Send a message that starts one run, and wait for the end of that."""
        return self.run(*self.post(name, value))

    def runs(self, workflow: str | None = None) -> list[StoredRun]:
        """Give all runs, the oldest first."""
        with self.store() as store:
            return list(store.history.runs(Search(workflow)))[::-1]

    def lines(self, run: str) -> list[str]:
        """Give the log of a run."""
        with self.store() as store:
            return [line.text for line in store.history.lines(run)]

    def file(self, name: str) -> list[str]:
        """Give the lines of a file that jobs write."""
        path = self.folder / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A folder for a project that is served."""
    served = Served(tmp_path)
    yield served
    for server in served.servers:
        server.close()
