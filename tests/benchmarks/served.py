"""A served project for the benchmarks, and what is seen of its processes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

import figure  # noqa: F401 - it shows the way to the fixtures
from crossdock.store.store import Store
from fix_serve import Served

TRIVIAL = """
    from crossdock import Job

    def step(state):
        return state

    job = Job(step)
"""
WAITS = """
    import threading
    from crossdock import Job

    def step(state):
        threading.Event().wait()

    job = Job(step)
"""


def one_step(concurrency: int = 1, more: str = "") -> str:
    """Give the project file of a workflow with one step."""
    return f"""
    workflows:
      visits:
        concurrency: {concurrency}
        triggers: {{form: {{webhook: visits}}}}
        steps: {{load: {{job: jobs/load.py}}}}
        {more}
    serve: {{max_pending: 1000000}}
    """


@contextmanager
def project(file: str, **jobs: str) -> Iterator[Served]:
    """Make a project in a folder of its own; its servers end with it."""
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder))
        served.write(file, **jobs)
        try:
            yield served
        finally:
            for server in served.servers:
                server.close()


def queue(served: Served, number: int, body: bytes = b'{"id": 1}') -> None:
    """Put messages into the queue before a server is there."""
    served.queue("visits", repeat(body, number))


def left(store: Store) -> int:
    """Give how many runs have not ended."""
    return sum(of.waiting + of.running for of in store.history.queues())


def cpu(pid: int) -> float:
    """Give how many seconds of a processor a process had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int, what: str = "VmRSS") -> float:
    """Give the memory of a process in MB; ``VmHWM`` is the most that it had."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines[what].split()[0]) / 1024


def descriptors(pid: int) -> int:
    """Give how many files, sockets and pipes a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    """Give how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def fork_server(pid: int) -> int:
    """Give the fork server of a server."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
