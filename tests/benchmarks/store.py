"""What the store takes: accepts with and without group commit, and claims with a long queue.

    python tests/benchmarks/store.py [URL]

The URL names an empty database; without it a file in a temporary folder is used. Beside the figures
stands how often the disk syncs a small write: one commit each can't be faster than that.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from crossdock.store.records import Finish, Limit, NewMessage, NewRun, Search, StepEnd
from crossdock.store.store import Store

SENDERS = 50
QUEUED = 100_000
RUN = NewRun("visits", "form", "v1")


def rate(what: str, number: int, work: Callable[[], None]) -> float:
    """Print how many of something are done in a second."""
    started = perf_counter()
    work()
    done = number / (perf_counter() - started)
    print(f"{done:9,.0f}/s  {what} (n = {number:,})", flush=True)
    return done


def syncs(folder: Path, number: int = 300) -> None:
    """Sync small writes, one after another."""
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(number):
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())


def together(store: Store, body: bytes, number: int) -> None:
    """Accept messages from many threads."""
    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(lambda _: store.accept(NewMessage("in", body, [RUN])), range(number)))


def one_each(store: Store, body: bytes, number: int) -> None:
    """Accept messages from many threads, with a commit for each."""
    turn = threading.Lock()

    def send(_: int) -> None:
        with turn:
            store.accept(NewMessage("in", body, [RUN]))

    with ThreadPoolExecutor(SENDERS) as pool:
        list(pool.map(send, range(number)))


def work(store: Store, number: int, workers: int) -> None:
    """Claim runs, end a step of each, and finish them."""
    limits = {"visits": Limit(workers)}

    def one(_: int) -> None:
        run = store.claim("worker", limits=limits)
        assert run is not None
        store.step_ended(run, StepEnd("load", "success", b'{"data":1}'))
        store.finish(run, Finish("success", b'{"data":1}'))

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, range(number)))


def intake(store: Store, size: int) -> float:
    """Measure accepts of one size, and tell how much faster they are together."""
    body = b"x" * size
    alone = rate(f"accepts of {size:,} bytes, a commit each", 500, lambda: one_each(store, body, 500))
    grouped = rate(f"the same, together: {SENDERS} threads", 5_000, lambda: together(store, body, 5_000))
    return grouped / alone


def runs(store: Store, workers: int, queued: str = "") -> None:
    """Measure what workers do."""
    rate(f"runs of one step, {workers} at a time{queued}", 400, lambda: work(store, 400, workers))


def main() -> int:
    """Measure everything; the exit code says whether commits in groups are faster than one each."""
    with tempfile.TemporaryDirectory() as name:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{name}/a.db"
        rate("syncs of 4 KB", 300, lambda: syncs(Path(name)))
        with Store(url, serving=True) as store:
            ratios = [intake(store, size) for size in (1_000, 50_000)]
            stored = sum(1 for _ in store.history.messages(Search()))
            print(f"{stored:9,}    stored of 11,000 that were answered")
            runs(store, 1)
            runs(store, 8)
            waiting = [store.accept_soon(NewMessage("in", b"x", [RUN])) for _ in range(QUEUED)]
            waiting[-1].result()
            runs(store, 8, f", {QUEUED:,} more queued")
        rate(f"openings with {QUEUED:,} queued", 1, lambda: Store(url).close())
    print(f"group commit: × {ratios[0]:.1f} and × {ratios[1]:.1f}")
    return int(stored != 11_000 or min(ratios) < 1)


if __name__ == "__main__":
    sys.exit(main())
