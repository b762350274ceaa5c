"""What a state costs on its way through the steps of a workflow, beside writing and reading its JSON with orjson."""

import random
from collections.abc import Callable
from typing import Any

import orjson
from case import Case, each_call
from crossdock import Job, Run, Step, Workflow

_LETTERS = "abcdefghijklmnopqrstuvwxyz  "


def records(number: int) -> list[dict[str, Any]]:
    """Give records as a register has them; 1,000 are 0.14 MB."""
    chance = random.Random(7)

    def record(n: int) -> dict[str, Any]:
        words = ["".join(chance.choices(_LETTERS, k=length)) for length in (12, 8, 16)]
        visits = [{"on": "2024-05-02", "weight": round(chance.uniform(2, 90), 1)}]
        return {
            "id": n,
            "name": words[0],
            "village": words[1],
            "note": words[2],
            "urgent": n % 7 == 0,
            "visits": visits,
        }

    return [record(n) for n in range(number)]


def step_cases() -> list[Case]:
    """Give the cases of a state that many steps only look at, and of one that each step changes."""
    megabyte, large = records(7_000), records(54_000)
    return [
        Case("100 steps, 1 MB state", _bare(megabyte, 100), _ours(megabyte, 100, lambda s: s), 3, turns=5),
        Case("10 steps, 7.6 MB state", _bare(large, 10), _ours(large, 10, lambda s: s), 3, turns=5),
        Case("10 steps that change 1 MB", _bare(megabyte, 10), _ours(megabyte, 10, _changed), 8, turns=5),
    ]


def _changed(state: Any) -> Any:
    return state.result([{**state.data[0], "urgent": True}, *state.data[1:]])


def _bare(data: Any, times: int) -> Callable[[], float]:
    def encode_and_decode() -> None:
        state = {"data": data}
        for _ in range(times):
            state = orjson.loads(orjson.dumps(state))

    return each_call(encode_and_decode, 1)


def _ours(data: Any, times: int, work: Callable[[Any], Any]) -> Callable[[], float]:
    steps = [Step(f"s{n}", Job(work), next=f"s{n + 1}" if n + 1 < times else ()) for n in range(times)]
    workflow = Workflow("steps", *steps)

    def run() -> None:
        ended = Run(workflow, {"data": data})
        assert ended.execute() == "success"
        assert ended.state.data[-1] == data[-1]

    return each_call(run, 1)
