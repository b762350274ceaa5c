"""Steps of a run that may be in work at the same time: in a served run as in one by hand."""

import json

from crossdock.state import State
from fix_command import Crossdock, WriteJson
from fix_serve import Served, until

PROJECT = """
    workflows:
      visits:
        parallel: 2
        triggers: {form: {webhook: visits}}
        steps:
          load: {job: jobs/load.py, next: [left, right]}
          left: {job: jobs/left.py, next: both}
          right: {job: jobs/right.py, next: both}
          both: {job: jobs/both.py}
"""
LOADS = "from crossdock import Job\njob = Job(lambda state: state.result(state.data['id'] + 1))\n"
MEETS = """
    import os, time
    from crossdock import Job, log

    def meet(state):
        open("OWN.txt", "w").close()
        while not os.path.exists("OTHER.txt"):
            time.sleep(0.01)
        log("OWN has met OTHER")
        return state.result([state.data, "OWN"])

    job = Job(meet)
"""
BOTH = "from crossdock import Job\njob = Job(lambda state: state.result({k: v['data'] for k, v in state.inputs.items()}))\n"


def write(served: Served, project: str = PROJECT, **jobs: str) -> None:
    left, right = (MEETS.replace("OWN", own).replace("OTHER", other) for own, other in ("lr", "rl"))
    served.write(project, load=LOADS, both=BOTH, **{"left": left, "right": right, **jobs})


def test_steps_that_wait_for_each_other_end_in_a_served_run_and_in_one_by_hand(
    served: Served, crossdock: Crossdock, write_json: WriteJson
):
    write(served)
    served.start()

    details = served.sent("visits", {"id": 6})
    for name in "lr":
        (served.folder / f"{name}.txt").unlink()
    by_hand = crossdock("run", ".", "visits", "--state", write_json({"data": {"id": 6}}))

    assert (details.run.outcome, by_hand.returncode) == ("success", 0)
    data = State(json.loads(details.final or b"")).data
    assert data == by_hand.json["data"] == {"left": [7, "l"], "right": [7, "r"]}
    assert {step.step: step.outcome for step in details.steps} == dict.fromkeys(
        ["load", "left", "right", "both"], "success"
    )
    assert {"l has met r", "r has met l"} <= set(served.lines(details.run.id))


def test_what_ended_beside_a_step_that_was_killed_is_not_run_again(served: Served):
    once = """
        import os, signal, time
        from crossdock import Job

        def once(state):
            if not os.path.exists("killed"):
                while not os.path.exists("written"):
                    time.sleep(0.01)
                open("killed", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            return state

        job = Job(once)
    """
    counts = """
        from crossdock import Job

        def count(state):
            with open("count.txt", "a") as file:
                print("counted", file=file)
            return state

        job = Job(count)
    """
    after = "from crossdock import Job\n\ndef after(state):\n    open('written', 'w').close()\n    return state\n\njob = Job(after)\n"
    write(served, PROJECT.replace("right: {job: jobs/right.py, next: both}", "right: {job: jobs/right.py, next: after}\n          after: {job: jobs/after.py, next: both}"), left=once, right=counts, after=after)  # fmt: skip
    served.start()

    details = served.sent("visits", {"id": 6})

    assert [attempt.outcome for attempt in details.attempts] == ["crashed", "success"]
    assert served.file("count.txt") == ["counted"]


def test_what_ended_beside_a_step_that_takes_long_is_written_down_at_once(served: Served):
    waits = """
        import os, time
        from crossdock import Job

        def wait(state):
            while not os.path.exists("seen"):
                time.sleep(0.01)
            return state

        job = Job(wait)
    """
    write(served, left=waits, right=LOADS.replace("state.data['id']", "state.data"))
    served.start()
    (run,) = served.post("visits", {"id": 6})

    def ended() -> set[str]:
        with served.store() as store:
            return {step.step for step in store.history.run(run).steps}

    until(lambda: ended() == {"load", "right"}, "the end of what needs no time")
    (served.folder / "seen").touch()
    assert served.run(run).run.outcome == "success"


def test_each_of_several_steps_has_its_own_time(served: Served):
    endless = "import time\nfrom crossdock import Job\njob = Job(lambda state: time.sleep(600))\n"
    write(
        served,
        PROJECT.replace("{job: jobs/left.py, next: both}", "{job: jobs/left.py, next: both, limits: {seconds: 1}}"),
        left=endless,
        right=endless,
    )
    served.start()

    details = served.sent("visits", {"id": 6})

    assert details.error is not None
    assert (details.run.outcome, details.error["code"]) == ("killed", "timeout")
    assert "'left'" in details.error["message"]
