"""What runs cost beside bare forks of the same warm process, and what they leave behind."""

import subprocess
import sys
import time
from collections.abc import Iterator

from figure import Figure
from fix_serve import Served
from served import TRIVIAL, descriptors, fork_server, left, memory, one_step, project, queue, threads
from server import local_server

LEAST = 0.5
"""The part of the rate of bare forks that is the goal."""

_TURNS, _EACH = 3, 1000
_REQUESTS, _MIXES = 5000, 2000
_BARE = """
import gc, os, sys, time
from crossdock.project import read_project
from crossdock.worker.preloading import preload

preload(read_project(sys.argv[1], None))
gc.collect()
gc.freeze()
started = time.perf_counter()
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
print(int(sys.argv[2]) / (time.perf_counter() - started))
"""
_HTTP = """
    from crossdock import Job
    from crossdock.adaptors import http

    job = Job(http.post("/visits", lambda state: state.data))
"""
_MIXED = """
    import os
    from crossdock import Job, JobError

    def step(state):
        if state.data["id"] == 1:
            raise JobError("bad", "it is bad")
        if state.data["id"] == 2:
            os._exit(3)
        return state

    job = Job(step)
"""


def figures() -> Iterator[Figure]:
    """Measure."""
    yield ratio()
    yield with_http()
    yield from left_behind()


def bare(served: Served) -> float:
    """Give how many bare children a second come of a process that imported what the fork server does."""
    command = [sys.executable, "-c", _BARE, str(served.folder), str(_EACH)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def drained(served: Served, number: int, workers: int) -> float:
    """Give how many runs a second end, once the server is ready."""
    queue(served, number)
    server = served.start("--workers", str(workers))
    with served.store() as store:
        at_first, started = left(store), time.perf_counter()
        while left(store):
            time.sleep(0.1)  # whoever looks takes time from those who work
        rate = at_first / (time.perf_counter() - started)
    server.end()
    return rate


def ratio() -> Figure:
    """Compare trivial runs with bare forks, in turns."""
    with project(one_step(4), load=TRIVIAL) as served:
        pairs = [(bare(served), drained(served, _EACH, 4)) for _ in range(_TURNS)]
    ratios = sorted(ours / forks for forks, ours in pairs)
    middle = ratios[len(ratios) // 2]
    rates = ", ".join(f"{ours:.0f} of {forks:.0f}/s" for forks, ours in pairs)
    what = "trivial runs, each in a fresh child, beside bare forks of the same process"
    met = middle >= LEAST
    return Figure("runs", what, f"≥ {LEAST} ×", f"{middle:.2f} × ({rates})", met, f"{_TURNS} × {_EACH:,}", "the store")


def with_http() -> Figure:
    """Measure runs that each send a request."""
    with local_server() as url:
        credential = f"""
    credentials:
      api: {{adaptor: http, base_url: "{url}"}}
    """
        file = one_step(2).replace("load.py}", "load.py, credentials: [api]}")
        with project(file + credential, load=_HTTP) as served:
            rate = drained(served, _REQUESTS, 2)
    what = "runs of one http step, 2 workers"
    return Figure("F6", what, "≥ 100/s", f"{rate:.0f}/s", rate >= 100, f"{_REQUESTS:,}", "the store", gates=False)


def left_behind() -> Iterator[Figure]:
    """Look at what a server has before and after many runs, good and bad."""
    number = _MIXES
    with project(one_step(4, "retry: {attempts: 1}"), load=_MIXED) as served:
        server = served.start("--workers", "4")
        for run in [served.post("visits", {"id": number % 5}) for number in range(150)]:  # pools fill up
            served.run(*run)
        pid, forks = server.process.pid, fork_server(server.process.pid)
        rest, before = memory(pid), (memory(forks), descriptors(pid), threads(pid), descriptors(forks))
        ids = [served.post("visits", {"id": number % 10}) for number in range(number)]
        for id_ in ids:
            served.run(*id_)
        after = (memory(forks), descriptors(pid), threads(pid), descriptors(forks))
    got = f"{before[0]:.0f} → {after[0]:.0f} MB"
    yield Figure(
        "F9", "memory of the server at rest", "< 60 MB", f"{rest:.0f} MB", rest < 60, "1", "/proc", gates=False
    )
    same = abs(after[0] / before[0] - 1) <= 0.1
    yield Figure("F9", "memory of the fork server after runs", "± 10 %", got, same, f"{number:,}", "/proc")
    more = [now - then for now, then in zip(after[1:], before[1:], strict=True)]
    what = "descriptors and threads of the server, descriptors of the fork server, after good and bad runs"
    yield Figure("F10", what, "0 more", f"{more} more", max(more) <= 0, f"{number:,}", "/proc")
