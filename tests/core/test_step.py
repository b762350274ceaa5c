"""``crossdock run --step``: pdb before each operation, on a real terminal."""

import json
import signal

import pytest
from fix_command import Crossdock, WriteJob, WriteJson
from fix_terminal import OnTerminal, Terminal

JOB = """
from crossdock import Job, each, set_data


def twice(state):
    doubled = state.data * 2
    return state.result(doubled)

job = Job(
    set_data(3),
    twice,
    each([5, 6], twice).into("more"),
)
"""


@pytest.fixture
def stepping(on_terminal: OnTerminal, write_job: WriteJob) -> Terminal:
    return on_terminal("run", write_job(JOB), "--step")


def ended(terminal: Terminal) -> tuple[int, dict]:
    """Wait for the end of the command, and give its exit code and final state."""
    terminal.rest()
    out = terminal.process.stdout.read()
    return terminal.process.wait(30), json.loads(out)


def test_it_stops_at_the_line_of_each_operation_with_the_state_at_hand(stepping):
    first = stepping.type("p state.data, operation.name")
    assert "job.py(10)<module>()\n-> set_data(3),\n" in first
    assert "c: run it and stop at the next" in first
    assert "(None, 'set_data')\n" in stepping.type("c")
    second = stepping.type("p state.data")
    assert "\n2  twice\n" in second
    assert "job.py(5)<module>()\n-> def twice(state):\n" in second
    assert "3\n" in stepping.type("n")
    assert "\n3  each(<list 2>, twice).into(<str 4>)\n" in stepping.type("p state.data")
    assert "6\n" in stepping.type("c")

    assert ended(stepping) == (0, {"data": 6, "more": [10, 12]})


def test_it_steps_into_functions_of_the_job_and_into_nothing_else(stepping):
    stepping.type("c")
    stepping.type("c")
    assert "each(" in stepping.type("s")
    assert "--Call--\n> " in (into := stepping.type("n"))
    assert "job.py(5)twice()\n-> def twice(state):" in into
    assert "job.py(6)twice()" in stepping.type("p state.data, state.index")
    assert "(5, 0)\n" in stepping.type("n")
    stepping.type("p doubled")
    assert "10\n" in stepping.type("c")

    assert ended(stepping)[0] == 0


def test_operations_can_be_tried_at_the_prompt(stepping):
    stepping.type("p set_data([1, 2]).result(), twice(state.replace(data=4)).data")
    assert "([1, 2], 8)\n" in stepping.type("finish")

    assert ended(stepping) == (0, {"data": 6, "more": [10, 12]})


def test_finish_stops_no_more_and_the_tree_is_shown(stepping):
    stepping.type("finish")
    shown = stepping.rest()

    assert "(Pdb)" not in shown
    assert "job: success in " in shown
    assert "├─ twice  " in shown
    assert ended(stepping)[0] == 0


@pytest.mark.parametrize("inside", [False, True])
def test_q_gives_up_as_an_interrupt_does(stepping, inside):
    stepping.type("c")
    stepping.type("s" if inside else "q")
    if inside:
        stepping.type("q")

    code, state = ended(stepping)

    assert (code, state["data"]) == (130, None)
    assert "job: interrupted in " in stepping.seen


def test_q_is_no_error_that_a_loop_puts_aside_or_a_handler_takes(on_terminal: OnTerminal, write_job: WriteJob):
    job = JOB.replace('into("more")', "catch(lambda error, state: state)").replace(
        "twice)", "twice, on_error='collect')"
    )
    terminal = on_terminal("run", write_job(job), "--step")
    for line in ("c", "c", "s", "q"):
        terminal.type(line)

    assert ended(terminal)[0] == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_what_runs(on_terminal: OnTerminal, write_job: WriteJob, number, code):
    job = "import threading\nfrom crossdock import Job\ndef hang(state):\n    print('it hangs')\n    threading.Event().wait()\njob = Job(hang)"
    terminal = on_terminal("run", write_job(job), "--step")
    terminal.type("c")
    terminal.until("it hangs\n")

    terminal.process.send_signal(number)

    assert ended(terminal)[0] == code


def test_what_the_job_prints_goes_to_the_terminal_without_secrets(
    on_terminal: OnTerminal, write_job: WriteJob, write_json: WriteJson
):
    secret = "s3cret-Token/1"
    job = write_job(
        "import os, subprocess\nfrom crossdock import Job, credentials, log, resolve\n"
        "def chatter(state):\n"
        "    print('1 printed', resolve(credentials.api.token))\n"
        "    log(f'2 logged {resolve(credentials.api.token)}')\n"
        "    os.write(1, b'3 written\\n')\n"
        "    subprocess.run(['echo', '4 echoed'])\n"
        "    return state\n"
        "from crossdock.adaptors import http\n"
        "job = Job(chatter)\n"
    )
    entry = {"api": {"adaptor": "http", "base_url": "http://127.0.0.1:1", "token": secret}}
    terminal = on_terminal("run", job, "--step", "--credentials", write_json(entry, "credentials.json"))
    terminal.type("p resolve(credentials.api.token)")
    terminal.type("c")

    code, state = ended(terminal)

    assert (code, state) == (0, {"data": None})
    for part in ("'***'\n", "1 printed ***\n", "2 logged ***\n", "3 written\n", "4 echoed\n"):
        assert part in terminal.seen
    assert secret not in terminal.seen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--step needs a terminal as standard input and error"),
        (["--timeout", "5"], "--step and --timeout can't be given together"),
        (["--state", "-"], "--step needs standard input for itself: name a state file."),
    ],
)
def test_where_nobody_can_answer_it_is_refused(crossdock: Crossdock, write_job: WriteJob, options, said):
    done = crossdock("run", write_job(JOB), "--step", *options)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
