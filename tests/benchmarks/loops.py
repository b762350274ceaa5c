"""What ``each`` costs beside a loop of Python's own."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

from case import Case, each_call
from crossdock import Job, Run, State, Workflow, each, operation, set_data

MANY = 1_000_000
SOME = 100_000
GROWTH = 10
"""What a process may grow by in megabytes while it loops over a million records that are read lazily."""


def records(number: int) -> Iterator[dict[str, Any]]:
    """Give small records one by one."""
    for n in range(number):
        yield {
            "_id": n,
            "_submission_time": "2024-05-02T10:00:00",
            "clinic/code": "KSM",
            "form/name": "Amina",
            "form/age": "31",
            "form/sex": "f",
            "form/phone": None,
            "form/weight": 61.5,
            "form/village": "Mbeya",
            "form/pregnant": "yes",
        }


def run(*operations: Any) -> State:
    """Run a job."""
    done = Run(Workflow.of(Job(*operations)))
    assert done.execute() == "success", done.error
    return done.state


@operation
def put(state: State, value: Any, *, key: str) -> State:
    """Make a new state."""
    return state.result(value)


def _map(state: State) -> State:
    visit = state.data
    return state.result(
        {
            "visit_id": visit["_id"],
            "seen_at": visit["_submission_time"],
            "clinic": visit["clinic/code"],
            "name": visit["form/name"],
            "age": visit["form/age"],
            "sex": visit["form/sex"],
            "phone": visit["form/phone"],
            "weight": visit["form/weight"],
            "village": visit["form/village"],
            "pregnant": visit["form/pregnant"],
        }
    )


def _bare(visits: Iterable[dict[str, Any]]) -> None:
    kept = []
    for visit in visits:
        kept.append(  # noqa: PERF401 - a job that does more than map has a loop
            {
                "visit_id": visit["_id"],
                "seen_at": visit["_submission_time"],
                "clinic": visit["clinic/code"],
                "name": visit["form/name"],
                "age": visit["form/age"],
                "sex": visit["form/sex"],
                "phone": visit["form/phone"],
                "weight": visit["form/weight"],
                "village": visit["form/village"],
                "pregnant": visit["form/pregnant"],
            }
        )
    assert len(kept) == MANY


def _ours(visits: Callable[[Any], Iterable[dict[str, Any]]]) -> None:
    loop = each(visits, _map).into("kept")
    assert run(loop, lambda state: state.result(len(state["kept"])).without("kept")).data == MANY


def cases() -> list[Case]:
    """Give all cases."""
    items = list(range(SOME))

    def timed(function: Callable[[], Any]) -> Callable[[], float]:
        return each_call(function, 1, process_time)

    def loop(work: Callable[[State], Any]) -> Callable[[], float]:
        return timed(lambda: run(each(items, work)))

    def plain(state: State) -> State:
        return state.result("x")

    many = list(records(MANY))
    return [
        Case(
            "each, 1,000,000 records with 10 fields, read lazily",
            timed(lambda: _bare(records(MANY))),
            timed(lambda: _ours(lambda _: records(MANY))),
            4,
            5,
        ),
        Case(
            "each, 1,000,000 records of a list",
            timed(lambda: _bare(many)),
            timed(lambda: _ours(lambda _: many)),
            4.5,
            5,
        ),
        Case("an item that returns an operation", loop(plain), loop(lambda state: put("x", key="k")), 3),
        Case("an item that calls an operation", loop(plain), loop(lambda state: put("x", key="k")(state)), 3),
        Case(
            "a loop in a run that nobody traces, beside no run",
            timed(lambda: each(items, set_data("x"))(State(data=None))),
            timed(lambda: run(each(items, set_data("x")))),
            1.1,
        ),
    ]


def grown() -> float:
    """Measure in a process of its own by how many megabytes it grows."""
    done = subprocess.run([sys.executable, __file__], check=True, capture_output=True, text=True)
    return float(done.stdout)


def _peak() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    before = _peak()
    run(each(lambda _: records(MANY), _map))
    print(_peak() - before)
