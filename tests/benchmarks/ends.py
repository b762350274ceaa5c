"""What kills, restarts, limits and signals take: how long until what was promised is so again."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from statistics import median
from urllib.request import urlopen

from figure import Figure, part
from fix_command import is_gone
from fix_serve import Served, Server, until
from served import TRIVIAL, WAITS, one_step, project, queue

_QUEUED = 100_000
_STACK = "import crossdock.cli.service, crossdock.cli.serving, crossdock.project"
_STARTS_OTHERS = """
    import os, subprocess
    from crossdock import Job

    def step(state):
        started = subprocess.Popen(["sleep", "600"])
        with open("pids.txt", "a") as file:
            file.write(f"{started.pid}\\n")
        started.wait()

    job = Job(step)
"""


def figures() -> Iterator[Figure]:
    """Measure."""
    yield taken_up()
    yield restart()
    yield limits()
    yield drains()


def taken_up() -> Figure:
    """Kill servers, and see how soon the next one takes their run up again."""
    rounds, seconds = 20, list[float]()
    with project(one_step(1, f"retry: {{attempts: {rounds + 5}}}"), load=WAITS) as served:
        server = served.start()
        (run,) = served.post("visits", {})
        for attempt in range(1, rounds + 1):
            _begun(served, run, attempt)
            server.end(signal.SIGKILL)
            server = served.start()
            seconds.append(_begun(served, run, attempt + 1) - _ready(server))
    got = f"{median(seconds):.2f} s, at most {max(seconds):.2f} s"
    what = "a run whose server was killed goes on after the next one is ready"
    return Figure("F7", what, "≤ 1 s", got, max(seconds) <= 1, str(rounds), "the times of the attempts")


def _begun(served: Served, run: str, attempt: int) -> float:
    def begun() -> float | None:
        with served.store() as store:
            attempts = store.history.run(run).attempts
        return attempts[attempt - 1].started_at.timestamp() if len(attempts) >= attempt else None

    return float(until(begun, f"attempt {attempt}"))


def _ready(server: Server) -> float:
    at = next(event["at"] for event in server.events if event.get("event") == "ready")
    return datetime.fromisoformat(at).timestamp()


def restart() -> Figure:
    """Start with a long queue, beside importing what is needed alone."""
    imports, starts = list[float](), list[float]()
    with project(one_step(), load=WAITS) as served:
        queue(served, _QUEUED)
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", _STACK], check=True)
            imports.append(time.perf_counter() - started)
            started = time.perf_counter()
            server = served.start()
            with urlopen(f"{served.address}/health") as answer:
                assert answer.status == 200
            starts.append(time.perf_counter() - started)
            server.end(signal.SIGKILL)
    ratio = median(ours / bare for ours, bare in zip(starts, imports, strict=True))
    got = f"{ratio:.2f} × ({median(starts):.2f} s, {median(imports):.2f} s)"
    what = f"from start to the first 200 with {_QUEUED:,} queued, beside importing the stack"
    return Figure("F8", what, "≤ 2 ×", got, ratio <= 2, "5", "the clock of the one who asks")


def limits() -> Figure:
    """Let runs and what they start take too long."""
    number, limit = 20, 1.0
    with project(one_step(4, "limits: {seconds: 1}"), load=_STARTS_OTHERS) as served:
        served.start("--workers", "4")
        ids = [served.post("visits", {}) for _ in range(number)]
        attempts = [served.run(*id_).attempts[-1] for id_ in ids]
        late = [(one.ended_at - one.started_at).total_seconds() - limit for one in attempts if one.ended_at]
        pids = [int(line) for line in served.file("pids.txt")]
    gone = all(map(is_gone, pids))
    got = f"99 % within {part(late, 0.99):.2f} s, {'all' if gone else 'NOT all'} of what they started is gone"
    what = "runs that take too long are killed, with what they started"
    return Figure("F13", what, "≤ 0.6 s later", got, part(late, 0.99) <= 0.6 and gone, str(number), "the store, /proc")


def drains() -> Figure:
    """Tell servers to end at random moments while messages come."""
    rounds, chance, grace = 20, random.Random(1), 10.0
    seconds, acknowledged, codes = list[float](), list[str](), set[int]()
    with project(one_step(2), load=TRIVIAL) as served:
        for _ in range(rounds):
            server, ended = served.start(), threading.Event()

            sender = threading.Thread(target=_send, args=[served, acknowledged, ended])
            sender.start()
            time.sleep(chance.uniform(0.05, 0.8))
            started = time.monotonic()
            codes.add(server.end())
            seconds.append(time.monotonic() - started)
            ended.set()
            sender.join()
        served.start("--workers", "4")
        lost = [run for run in acknowledged if served.run(run).run.outcome != "success"]
    got = f"{len(lost)} lost, exit codes {sorted(codes)}, at most {max(seconds):.1f} s"
    met = not lost and codes == {0} and max(seconds) <= grace + 1
    n = f"{rounds} rounds, {len(acknowledged)} messages"
    return Figure("F18", "SIGTERM at random moments", f"0 lost, ≤ {grace + 1:g} s", got, met, n, "ids that senders got")


def _send(served: Served, acknowledged: list[str], ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            acknowledged.extend(served.post("visits", {}))
        except (OSError, AssertionError):  # there is no server any more
            return
