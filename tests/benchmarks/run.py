"""What crossdock costs, as ratios to the bare library measured in the same run.

Each pair is measured in turns, several times; the ratio of the medians is what counts, and the limit beside it is the goal.
"""

import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
from case import Case, each_call, measure
from crossdock import Job, Run, State, Workflow, each, operation, state
from crossdock.adaptors import http
from crossdock_http import Client, HttpConfiguration
from database import MEMORY, database, memory_of
from server import local_server


def process(*arguments: str) -> Callable[[], float]:
    """Time a whole Python process."""

    def run() -> float:
        started = perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        return perf_counter() - started

    return run


def bare_put(given: State, value: Any, *, key: Any = None) -> State:
    """Make the same new state as the operation."""
    return given.result(value)


@operation
def put(state: State, value: Any, *, key: Any = None) -> State:
    """Make a new state."""
    return state.result(value)


def cases(folder: Path) -> list[Case]:
    """Give all cases; job files for them go to a folder."""
    small = State(data={"id": 1}, cursors={})
    big = State(data=[{"n": n, "text": "x" * 80} for n in range(10_000)], cursors={})
    built, bare_build = put("x"), each_call(lambda: functools.partial(bare_put, "x", key=1))
    trivial, http_job = folder / "trivial.py", folder / "http_job.py"
    trivial.write_text("from crossdock import Job, set_data\njob = Job(set_data(1))\n")
    http_job.write_text(
        "from crossdock import Job\nfrom crossdock.adaptors import http\njob = Job(lambda state: state if http else None)\n"
    )
    click, httpx = process("-c", "import click"), process("-c", "import httpx")
    command = ("-m", "crossdock.cli")
    return [
        Case(
            "calling an operation, 1 KB state",
            each_call(lambda: bare_put(small, "x")),
            each_call(lambda: built(small)),
            3,
        ),
        Case(
            "calling an operation, 1 MB state", each_call(lambda: bare_put(big, "x")), each_call(lambda: built(big)), 3
        ),
        Case("building an operation", bare_build, each_call(lambda: put("x", key=1)), 6),
        Case(
            "building one with two lazy paths",
            bare_build,
            each_call(lambda: put(state.data["a"], key=state.data["b"])),
            12,
        ),
        Case("crossdock --help", click, process(*command, "--help"), 2),
        Case("a trivial job", click, process(*command, "run", str(trivial)), 3),
        Case("a job with http", httpx, process(*command, "run", str(http_job)), 2.2),
    ]


def http_cases(url: str, bare: httpx.Client, ours: Client) -> list[Case]:
    """Give the cases that ask a server: one request after another, and eight at a time."""
    body, items = {"text": "x" * 1000}, range(80)
    entry = {"api": {"adaptor": "http", "base_url": url}}

    def bare_threads() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: bare.get(f"{url}/slow").json(), items))

    def our_each() -> None:
        job = Job(each(items, http.get("/slow"), concurrency=8))
        assert Run(Workflow.of(job), credentials=entry).execute() == "success"

    return [
        Case(
            "GET 1 KB",
            each_call(lambda: bare.get(f"{url}/x").json(), 300),
            each_call(lambda: ours.get("/x"), 300),
            1.25,
        ),
        Case(
            "POST 1 KB",
            each_call(lambda: bare.post(f"{url}/x", json=body).json(), 300),
            each_call(lambda: ours.post("/x", json=body), 300),
            1.25,
        ),
        Case("80 slow requests, 8 at a time", each_call(bare_threads, 1), each_call(our_each, 1), 1.25),
    ]


def main() -> int:
    """Measure everything; the exit code says whether a limit was passed."""
    with tempfile.TemporaryDirectory() as folder:
        measured = [measure(case) for case in cases(Path(folder))]
    with local_server() as url, httpx.Client(trust_env=False) as bare, Client(HttpConfiguration(base_url=url)) as ours:
        measured += [measure(case) for case in http_cases(url, bare, ours)]
    with database() as server:
        measured += [measure(case) for case in server.cases()]
        measured.append(measure(server.reading()))
    for result in measured:
        print(result)
    too_large = [what for what, limit in MEMORY.items() if not within(what, memory_of(what), limit)]
    return int(bool(too_large) or any(result.ratio > result.case.limit for result in measured))


def within(what: str, megabytes: float, limit: float) -> bool:
    """Print a figure of memory, and tell whether it is within its limit."""
    print(f"{'ok  ' if megabytes < limit else 'OVER'}  {megabytes:5.1f} MB (limit {limit:g})  {what} a million rows")
    return megabytes < limit


if __name__ == "__main__":
    sys.exit(main())
