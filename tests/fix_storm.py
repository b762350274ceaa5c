"""A storm of kills: servers, fork servers and runs are killed while senders send, and nothing may be lost.

The oracle stands outside: what senders were told, and what the jobs did to a file. As a script it takes
the number of messages, and of kills: ``python tests/fix_storm.py 20000 1000``.
"""

import os
import random
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from fix_serve import Served, Server

WORKERS = 6
_SENDERS = 8
_SERVERS, _FORK_SERVERS = 0.08, 0.04
"""Which part of all kills is for servers, and which for fork servers."""

_PROJECT = f"""
    workflows:
      visits:
        concurrency: {WORKERS}
        retry: {{attempts: 50, backoff: 1 seconds}}
        triggers: {{form: {{webhook: visits}}}}
        steps:
          load: {{job: jobs/load.py, next: report}}
          report: {{job: jobs/report.py}}
    serve: {{max_pending: 1000000}}
"""
_STEP = """
    import os
    from crossdock import Job

    def step(state):
        file = os.open("effects.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"NAME {state.data['id']}\\n".encode())
        os.close(file)
        return state

    job = Job(step)
"""


class Result(NamedTuple):
    """What became of a storm."""

    acknowledged: set[int]
    effects: list[tuple[str, int]]
    """What the steps did, in its order: the name of the step, and the message."""
    kills: Counter[str]
    outcomes: Counter[str]
    faults: list[str]
    seconds: float

    def done(self, step: str) -> Counter[int]:
        """Give how often a step was done for each message."""
        return Counter(id_ for name, id_ in self.effects if name == step)

    @property
    def lost(self) -> set[int]:
        """What was acknowledged and not processed."""
        return self.acknowledged - (self.done("load").keys() & self.done("report").keys())

    @property
    def duplicates(self) -> int:
        """How many effects came more than once."""
        return sum(number - 1 for step in ("load", "report") for number in self.done(step).values())

    @property
    def repeated(self) -> list[int]:
        """The messages whose first step was done again after their second one had begun."""
        reported: set[int] = set()
        again = []
        for step, id_ in self.effects:
            if step == "report":
                reported.add(id_)
            elif id_ in reported:
                again.append(id_)
        return again

    def __str__(self) -> str:
        kills = ", ".join(f"{number} {what}" for what, number in sorted(self.kills.items()))
        return (
            f"{len(self.acknowledged)} acknowledged, {len(self.lost)} lost, {self.duplicates} duplicate effects, "
            f"{len(self.repeated)} committed steps repeated, {self.kills.total()} kills ({kills}), {self.seconds:.0f} s"
        )


class Storm:
    """Sends messages to a server, and kills.

    Args:
        folder: Where the project is made.
        messages: How many are sent.
        kills: How many kills there are at least.
        shared: The address of a store in PostgreSQL, for a server that only receives and two that only run.
        seed: What chance begins with.
    """

    def __init__(self, folder: Path, messages: int, kills: int, *, shared: str | None = None, seed: int = 1) -> None:
        self._served = Served(folder)
        self._served.store_url = shared or self._served.store_url
        self._starters = [self._serve] if shared is None else [self._receive, self._work, self._work]
        self._served.write(_PROJECT, load=_STEP.replace("NAME", "load"), report=_STEP.replace("NAME", "report"))
        self._messages = messages
        self._least = kills
        self._chance = random.Random(seed)
        self._kills: Counter[str] = Counter()
        self._acknowledged: set[int] = set()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])

    def rage(self) -> Result:
        """Go on until all is processed, and give what became of it."""
        began = time.monotonic()
        self._servers = [start() for start in self._starters]
        senders = [threading.Thread(target=self._send, args=[first]) for first in range(_SENDERS)]
        for sender in senders:
            sender.start()
        while any(sender.is_alive() for sender in senders) or self._kills.total() < self._least or self._waiting():
            self._kill()
        for sender in senders:
            sender.join()
        for server in self._servers:
            server.end()
        with self._served.store() as store:
            faults = store.faults()
        outcomes = Counter(f"{run.state} {run.outcome}" for run in self._served.runs())
        effects = [(step, int(id_)) for step, id_ in map(str.split, self._served.file("effects.txt"))]
        seconds = time.monotonic() - began
        return Result(self._acknowledged, effects, self._kills, outcomes, faults, seconds)

    def close(self) -> None:
        """End all that was started."""
        for server in self._served.servers:
            server.close()

    def _serve(self) -> Server:
        return self._served.start("--port", self._port, "--workers", str(WORKERS))

    def _receive(self) -> Server:
        return self._served.start("--port", self._port, "--workers", "0")

    def _work(self) -> Server:
        worker = self._served.launch_worker("--workers", str(WORKERS // 2))
        worker.ready()
        return worker

    def _send(self, first: int) -> None:
        """Send a part of the messages, each until it is acknowledged."""
        for id_ in range(first, self._messages, _SENDERS):
            while id_ not in self._acknowledged:
                try:
                    self._served.post("visits", {"id": id_}, webhook_id=f"message-{id_}")
                    self._acknowledged.add(id_)
                except (OSError, AssertionError):  # there is no server now, or it went away
                    time.sleep(0.05)

    def _waiting(self) -> bool:
        with self._served.store() as store:
            stats = store.history.stats()
        return any(of.waiting + of.running for of in stats)

    def _kill(self) -> None:
        """Kill something, and go on after a while; when there were enough, just wait."""
        time.sleep(self._chance.uniform(0.03, 0.12) if self._kills.total() < self._least else 0.2)
        if self._kills.total() >= self._least:
            return
        dice = self._chance.random()
        number = self._chance.randrange(len(self._servers))
        forks = next(iter(_children(self._servers[number].process.pid)), None)
        runs = list(_children(forks)) if forks is not None else []
        if dice < _SERVERS:
            self._servers[number].end(signal.SIGKILL)
            self._kills["servers"] += 1
            self._servers[number] = self._starters[number]()
        elif dice < _SERVERS + _FORK_SERVERS and forks is not None:
            self._kills["fork servers"] += _killed(forks)
        elif runs:
            self._kills["runs"] += _killed(self._chance.choice(runs))


@pytest.fixture
def storms(tmp_path: Path) -> Iterator[Callable[..., Storm]]:
    """Make a storm of so many messages and kills."""
    made: list[Storm] = []

    def make(messages: int, kills: int, **options: str) -> Storm:
        made.append(Storm(tmp_path, messages, kills, **options))
        return made[-1]

    yield make
    for storm in made:
        storm.close()


def _killed(pid: int) -> int:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return 1


def _children(pid: int) -> Iterator[int]:
    try:
        yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    except (FileNotFoundError, ProcessLookupError):
        return


def main() -> None:
    """Rage, and say what became of it."""
    messages, kills = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        storm = Storm(Path(folder), messages, kills)
        try:
            result = storm.rage()
        finally:
            storm.close()
    print(result)
    sys.exit(bool(result.lost or result.repeated or result.faults or result.duplicates > result.kills.total()))


if __name__ == "__main__":
    main()
