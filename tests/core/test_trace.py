"""Traces: what the operations of a run did, as a tree that stays small."""

import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from crossdock import Job, each, in_run, noted, operation, set_data, state, stop, when
from crossdock.redaction import Redactor
from crossdock.testing import RunJob
from crossdock.trace import Trace, open_span
from fix_command import Crossdock, WriteJob, WriteJson
from fix_systems import Systems

SECRET = "s3cret-Token/1"
Told = list[dict[str, Any]]
TraceJob = Callable[..., Told]


@pytest.fixture
def trace_job(run_job: RunJob) -> TraceJob:
    """Run operations, and give the spans of the top-level ones."""

    def run(*operations: Any, given: Any = None, values: bool = False, redactor: Redactor | None = None) -> Told:
        told: Told = []
        trace = Trace(redactor or Redactor(), values=values, tell=told.append)
        run_job(*operations, state={"data": given}, trace=trace)
        return told

    return run


def tree(spans: Told) -> list[Any]:
    """Give names and counts of spans, and what is inside them."""
    return [(span["name"], span["count"], *([tree(span["spans"])] if span["spans"] else [])) for span in spans]


def changed(span: dict[str, Any]) -> list[str]:
    """Give the changes of a span as text."""
    return [f"{c['how']} {c['path']} {c['before']} {c['after']} {c['times']}" for c in span["changes"]]


def double(state):
    if state.data == 5:
        raise ValueError("five")
    return set_data(state.data * 2)


def twice_by_hand(state):
    for number in range(3):
        set_data(number).result()
    set_data(1)(state)
    return state


def test_the_operations_of_functions_jobs_and_conditions_are_inside_them(trace_job: TraceJob):
    found = trace_job(
        set_data(1), twice_by_hand, Job(set_data(2), Job(set_data(3))), when(state.data, Job(double, set_data(4)))
    )

    assert tree(found) == [
        ("set_data", 1),
        ("twice_by_hand", 1, [("set_data", 3), ("set_data", 1)]),
        ("Job", 1, [("set_data", 1), ("Job", 1, [("set_data", 1)])]),
        ("when", 1, [("Job", 1, [("double", 1, [("set_data", 1)]), ("set_data", 1)])]),
    ]
    assert [span["failed"] for span in found] == [0] * 4


def test_into_is_one_with_what_it_keeps_and_catch_and_retry_show_each_try(trace_job: TraceJob):
    tries = iter([1, 1])

    def fail_twice(state):
        for number in tries:
            raise ValueError(number)
        return state

    failing = Job(fail_twice).retry(3, wait=0.0)
    kept, caught, tried = trace_job(
        set_data(1).into("one"), Job(double).catch(lambda error, state: set_data(0)), failing, given=5
    )

    assert tree([kept]) == [("set_data.into", 1)]
    assert changed(kept) == ["+ one None int 1"]
    assert tree([caught]) == [("Job.catch", 1, [("Job", 1, [("double", 1)]), ("set_data", 1)])]
    assert (caught["failed"], caught["spans"][0]["error"]) == (0, "ValueError")
    assert tree([tried]) == [("Job.retry", 1, [("Job", 3, [("fail_twice", 3)])])]
    assert tried["spans"][0]["failed"] == 2


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("keep", [False, True])
def test_the_items_of_each_are_summed_up(trace_job: TraceJob, concurrency, keep):
    loop = each(range(500), double, on_error="collect", concurrency=concurrency)
    (found,) = trace_job(loop.into("doubled") if keep else loop)
    (items,) = found["spans"]

    assert tree(found["spans"]) == [("double", 500, [("set_data", 499)])]
    assert (items["failed"], items["error"], found["failed"]) == (1, "ValueError", 0)
    assert 0 < items["slowest"] <= items["seconds"]
    assert items["slowest"] <= items["until"] - items["at"]


def test_a_trace_of_endless_nesting_stays_small(trace_job: TraceJob):
    def deeper(state):
        return state if state.data == 0 else Job(lambda state: state.replace(data=state.data - 1), deeper)

    def width(span):
        return 1 + sum(width(inner) for inner in span["spans"])

    def depth(span):
        return 1 + max((depth(inner) for inner in span["spans"]), default=0)

    wide = {"set_data": set_data}
    source = "\n".join(["def wide(state):", *["    set_data(1).result()"] * 3000, "    return state"])
    exec(source, wide)
    (found,) = trace_job(deeper, given=60)
    (other,) = trace_job(wide["wide"])

    assert depth(found) == 30
    assert width(other) == 2000


def test_a_failed_operation_and_one_that_stops_are_told_apart(trace_job: TraceJob):
    *_, failed = trace_job(set_data(5), double)
    *_, stopped = trace_job(set_data(5), stop("enough"))

    assert (failed["name"], failed["failed"], failed["error"], failed["changes"]) == ("double", 1, "ValueError", [])
    assert (stopped["name"], stopped["failed"], stopped["error"]) == ("stop", 0, None)


def test_changes_have_paths_types_and_sizes_and_no_values(trace_job: TraceJob):
    def change(given):
        visits = [{**visit, "seen_on": date(2024, 5, day)} for day, visit in enumerate(given.data["visits"], 1)]
        return given.replace(
            data={"visits": visits, "clinic": "Kisumu", "n": 1, "form/name": None}, kind=True, n=[1, "x" * 9]
        )

    before = {"visits": [{"seen_on": "1/5/24", "id": 7}] * 3, "n": 1.0, "left": {"a": 1}, "form/name": "x"}
    (span,) = trace_job(change, given=before)

    assert changed(span) == [
        "~ data.visits[*].seen_on str 6 date 3",
        "~ data.n float int 1",
        "- data.left dict 1 None 1",
        '~ data["form/name"] str 1 None 1',
        "+ data.clinic None str 6 1",
        "+ kind None bool 1",
        "+ n None list 2 1",
    ]
    assert "Kisumu" not in str(span)


def test_a_change_in_place_is_seen_too(trace_job: TraceJob):
    """Nothing keeps a function from writing into what it received, and a trace does not call that unchanged."""

    def write_into(given):
        given.data["visits"][0]["phone"] = None
        return given

    (span,) = trace_job(write_into, given={"visits": [{"phone": "NaN"}, {"phone": "NaN"}]})

    assert changed(span) == ["~ data.visits[*].phone str 3 None 1"]


def test_of_many_changes_some_are_listed_and_large_data_is_not_walked(trace_job: TraceJob):
    many, large = trace_job(set_data({f"key{n}": n for n in range(50)}), set_data([[n] for n in range(200_000)]))
    *_, more = trace_job(set_data({}), lambda state: state.replace(**{f"key{n}": n for n in range(50)}))[1]["changes"]

    assert changed(many) == ["~ data None dict 50 1"]
    assert changed(large) == ["~ data dict 50 list 200000 1"]
    assert more["path"] == ""


def test_a_dict_without_any_of_its_keys_is_another_value(trace_job: TraceJob):
    (span,) = trace_job(set_data({"to": 1, "text": "x"}), given={"form": 1, "today": 2, "visit": 3})

    assert changed(span) == ["~ data dict 3 dict 2 1"]


def test_values_are_shown_if_asked_for_cut_and_without_secrets(trace_job: TraceJob):
    redactor = Redactor()
    redactor.add(SECRET, what="a credential")
    long = "x" * 1000
    (span,) = trace_job(
        set_data([{"name": "Amina", "token": f"a {SECRET}", "on": date(2024, 5, 1)}, long, *range(10)]),
        values=True,
        redactor=redactor,
    )

    (change,) = span["changes"]
    assert (change["was"], change["after"]) == ("null", "list 12")
    assert change["is"].startswith('[{"name": "Amina", "token": "a ***", "on": "2024-05-01"}, ')
    assert len(change["is"]) < 200


def test_a_secret_is_masked_before_a_value_is_cut(trace_job: TraceJob):
    """Of one that has blanks, a part could be left."""
    redactor = Redactor()
    redactor.add("correct horse battery staple", what="a credential")
    (span,) = trace_job(set_data("x" * 100 + " correct horse battery staple"), values=True, redactor=redactor)

    assert "correct" not in str(span)


def test_large_data_that_stays_is_no_change(trace_job: TraceJob):
    _, stays = trace_job(set_data([[n] for n in range(50_000)]), lambda state: state.replace(done=True))

    assert changed(stays) == ["+ done None bool 1"]


def test_what_connections_do_is_noted_in_the_operation_that_runs(trace_job: TraceJob):
    @operation
    def ask(state, times, *, fail=False):
        for number in range(times):
            with noted("request", method="GET", url=f"https://example.org/people?id={number}") as note:
                if fail:
                    raise ConnectionError
                note(status=404 if number == 50 else 200, bytes=100)
        return state

    def in_a_thread(state):
        import threading

        thread = threading.Thread(target=in_run(lambda: ask(1)(state)))
        thread.start()
        thread.join()
        return state

    many, failed, function = trace_job(ask(100), ask(1, fail=True).catch(lambda _, state: state), in_a_thread)

    noted_many, noted_failed = many["notes"]["request"], failed["spans"][0]["notes"]["request"]
    assert {key: noted_many[key] for key in ("count", "failed", "amount")} == {
        "count": 100,
        "failed": 1,
        "amount": 10_000,
    }
    assert [note["status"] for note in noted_many["kept"]] == [200] * 20 + [404]
    assert [note["error"] for note in noted_failed["kept"]] == ["ConnectionError"]
    assert noted_many["kept"][0]["url"] == "https://example.org/people?id=…"
    assert function["spans"][0]["notes"]["request"]["count"] == 1
    assert all(first["at"] <= second["at"] for first, second in pairwise(noted_many["kept"][:20]))


def test_a_fact_that_takes_time_is_found_only_where_somebody_traces(trace_job: TraceJob):
    asked = []

    @operation
    def query(state):
        with noted("statement", text=lambda: asked.append(1) or "select  1\n") as note:
            note(rows=1)
        return state

    query()(state={})
    assert asked == []
    (span,) = trace_job(query())
    assert (asked, span["notes"]["statement"]["kept"][0]["text"]) == ([1], "select 1")


# The command

JOB = """
from crossdock import Job, each, set_data, state
from crossdock.adaptors import http

def mapped(state):
    return state.replace(people=[person["name"] for person in state.people])

job = Job(
    http.get("/people", query={"name": "Amina", "key": "abcd"}).into("people"),
    mapped,
    each(range(10_000), lambda state: state.result(state.index + 1)),
    http.post("/people", {"name": "Amina"}),
)
"""
STUBS = [
    {"when": {"method": "GET"}, "respond": {"status": 200, "json": [{"name": "Amina"}, {"name": "Baraka"}]}},
    {"when": {"method": "POST"}, "respond": {"status": 422, "json": {"error": "Amina is there"}}},
]
TIME = re.compile(r"\d+(\.\d+)? m?s\b")


def traced(
    crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson, systems: Systems, *options: str
) -> list[str]:
    """Run the job with --trace, and give the lines of the tree without times and places."""
    systems.answer_with(STUBS)
    credentials = {"api": {"adaptor": "http", "base_url": systems.address("api"), "token": SECRET}}
    done = crossdock(
        "run",
        write_job(JOB),
        "--credentials",
        write_json(credentials, "credentials.json"),
        "--trace",
        *options,
        env={"PYTHONUTF8": "1"},
    )
    assert done.returncode == 1, done.stderr
    assert SECRET not in done.stderr + done.stdout
    shown = TIME.sub("TIME", done.stderr.replace(systems.address("api"), "ADDRESS"))
    return [line.removesuffix("\n") for line in shown.splitlines() if line.startswith(("├", "│", "└", "   "))]


def test_trace_shows_what_a_run_did(crossdock, write_job, write_json, systems):
    lines = traced(crossdock, write_job, write_json, systems)

    assert lines[:10] == [
        "├─ http.get.into  TIME  job.py:9",
        "│  + people  list 2",
        "│  → GET  ADDRESS/people?name=…&key=…  200  TIME  39 B",
        "├─ mapped  TIME  job.py:5",
        "│  ~ people[*]  dict 1 → str 5  (2 ×)",
        "├─ each  TIME  job.py:11",
        "│  └─ <lambda>  10,000 × in TIME, slowest TIME  job.py:11",
        "│     ~ data  int → int  (first of 10,000)",
        "└─ http.post  failed after TIME (HttpError)  job.py:12",
        "   → POST  ADDRESS/people  422  TIME  27 B",
    ]
    assert "Amina" not in "".join(lines[:10])


def test_trace_shows_values_if_they_are_asked_for(crossdock, write_job, write_json, systems):
    lines = traced(crossdock, write_job, write_json, systems, "--values")

    assert '│  + people  list 2 [{"name": "Amina"}, {"name": "Baraka"}]' in lines
    assert "│  → GET  ADDRESS/people?name=Amina&key=***  200  TIME  39 B" in lines


def test_values_alone_say_what_they_need(crossdock: Crossdock, write_job: WriteJob):
    done = crossdock("run", write_job(JOB), "--values")

    assert (done.returncode, "--values needs --trace" in done.stderr) == (2, True)


def test_trace_shows_what_was_running_when_the_time_was_over(crossdock: Crossdock, write_job: WriteJob):
    job = write_job(
        "import threading\nfrom crossdock import Job, set_data\n"
        "def hang(state):\n    threading.Event().wait()\n"
        "job = Job(set_data(1), hang)"
    )

    done = crossdock("run", job, "--trace", "--timeout", "2", env={"PYTHONUTF8": "1"})

    assert done.returncode == 5
    assert "├─ set_data  " in done.stderr
    assert "└─ hang  was running  job.py:3" in done.stderr


def test_trace_uses_signs_that_the_terminal_can_show(crossdock: Crossdock, write_job: WriteJob):
    job = write_job("from crossdock import Job, set_data\njob = Job(set_data(1), set_data('x'))")

    done = crossdock("run", job, "--trace", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})

    assert "|- set_data  " in done.stderr
    assert "   ~ data  int > str 1" in done.stderr
    assert done.stderr.isascii()


def test_a_run_that_nobody_traces_has_no_spans(run_job: RunJob):
    seen = []

    run_job(lambda state: seen.append(open_span.get()) or state)

    assert seen == [None]
