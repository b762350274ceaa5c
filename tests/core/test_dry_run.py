"""Dry runs: reads happen, writes are listed, and nothing that is kept moves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from crossdock import (
    Adaptor,
    Job,
    Run,
    Step,
    Workflow,
    cursor,
    each,
    in_run,
    operation,
    save_cursor,
    set_data,
    state,
    when,
)
from crossdock.errors import ArgumentError, StateEncodingError
from crossdock.plan import NO_ANSWER
from crossdock.scope import open_run
from crossdock.testing import RunJob
from fix_command import Crossdock, Done, WriteJob, WriteJson
from fix_distribution import Install, path_of
from pydantic import BaseModel, SecretStr


class Book:
    """A file that lines are read from and written to."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def lines(self) -> list[str]:
        return self.file.read_text().splitlines()

    def add(self, line: str) -> int:
        with self.file.open("a") as file:
            return file.write(f"{line}\n")


class ListingBook(Book):
    """A book that lists in a dry run what it would write."""

    lists_writes = True

    def add(self, line: str) -> int | None:
        run = open_run()
        if run is None or not run.dry_run:
            return super().add(line)
        run.plan_write({"text": line})
        return None


class Fields(BaseModel):
    file: Path
    token: SecretStr = SecretStr("")


@contextmanager
def opened(fields: Fields) -> Iterator[Book]:
    yield Book(fields.file)


@contextmanager
def opened_listing(fields: Fields) -> Iterator[Book]:
    yield ListingBook(fields.file)


book = Adaptor("book", configuration=Fields, connect=opened)
listing = Adaptor("listing", configuration=Fields, connect=opened_listing)


def _effect(text: str, *, look: bool = False) -> str:
    return "read" if look else "write"


class Helpers:
    """What a job calls: one operation reads, one writes, one does either."""

    def __init__(self, adaptor: Adaptor[Any, Book]) -> None:
        def lines(state):
            return state.result(adaptor.connection.lines())

        def add(state, text):
            return state.result(adaptor.connection.add(text))

        def either(state, text, *, look=False):
            return state.result(adaptor.connection.lines() if look else adaptor.connection.add(text))

        self.lines = adaptor.operation(effect="read")(lines)
        self.add = adaptor.operation(effect="write")(add)
        self.either = adaptor.operation(effect=_effect)(either)


HELPERS = {"listed by core": Helpers(book), "listed by the connection": Helpers(listing)}
lines, add = HELPERS["listed by core"].lines, HELPERS["listed by core"].add


class RunBook:
    """Runs a job on a file that has one line."""

    def __init__(self, run_job: RunJob, file: Path) -> None:
        self.run_job = run_job
        self.file = file

    def __call__(self, *operations: Any, **options: Any) -> Any:
        self.file.write_text("first\n")
        fields = {"file": str(self.file), "token": "s3cret-Token"}
        entries = {"diary": {"adaptor": "book", **fields}, "log": {"adaptor": "listing", **fields}}
        return self.run_job(*operations, **{"credentials": entries, "dry_run": True, **options})

    @property
    def added(self) -> list[str]:
        return self.file.read_text().splitlines()[1:]


@pytest.fixture
def run_book(run_job: RunJob, tmp_path: Path) -> RunBook:
    return RunBook(run_job, tmp_path / "book.txt")


def in_a_thread(add):
    def start(state):
        thread = Thread(target=in_run(lambda: add("a").result()))
        thread.start()
        thread.join()
        return state

    return start


def by_hand(add):
    def both(state):
        assert add("a").result() in (None, 2)
        return add("b")(state)

    return both


def fails_after(add):
    def fail(state):
        add("a").result()
        raise OSError("lost")

    return fail


NUMBERS = [str(n) for n in range(200)]

# name: what the job does, and what it writes
JOBS: dict[str, tuple[Callable[[Helpers], Any], list[str]]] = {
    "in the list": (lambda h: h.add("a"), ["a"]),
    "in a job in a job": (lambda h: Job(Job(h.add("a")), h.add("b")), ["a", "b"]),
    "in a function": (lambda h: by_hand(h.add), ["a", "b"]),
    "returned by a function": (lambda h: lambda state: h.add("a"), ["a"]),
    "in a thread": (lambda h: in_a_thread(h.add), ["a"]),
    "in when": (lambda h: when(True, h.add("a"), h.add("b")), ["a"]),
    "in each": (lambda h: each(["a", "b"], h.add(state.data)), ["a", "b"]),
    "in each with functions": (lambda h: each(["a", "b"], lambda s: h.add(s.data)), ["a", "b"]),
    "in each at once": (lambda h: each(NUMBERS, lambda s: h.add(s.data), concurrency=8), NUMBERS),
    "in each with commits": (lambda h: each(["a", "b"], h.add(state.data), commit="item"), ["a", "b"]),
    "in each that collects": (
        lambda h: each(["a", "b"], h.add(state.data), concurrency=2, on_error="collect"),
        ["a", "b"],
    ),
    "with into": (lambda h: h.add("a").into("written"), ["a"]),
    "with retry": (lambda h: h.add("a").retry(2, wait=0.001), ["a"]),
    "with catch": (lambda h: h.add("a").catch(lambda error, state: h.add("b")), ["a"]),
    "in a handler": (lambda h: Job(fails_after(h.add)).catch(lambda error, state: h.add("b")), ["a", "b"]),
    "with a value of the state": (lambda h: h.add(state.data), ["given"]),
    "if its arguments say so": (lambda h: h.either(lambda s: s.data, look=state.nothing), ["given"]),
    "not if its arguments say so": (lambda h: h.either("a", look=state.data), []),
    "not by reading": (lambda h: h.lines(), []),
}


@pytest.mark.parametrize("way", HELPERS)
@pytest.mark.parametrize("name", JOBS)
def test_a_dry_run_lists_what_a_real_run_writes_and_writes_nothing(run_book: RunBook, name: str, way: str):
    job, expected = JOBS[name][0](HELPERS[way]), JOBS[name][1]

    dry = run_book(job, state={"data": "given"})
    assert (dry.outcome, run_book.added, dry.state.plan) == ("success", [], dry.plan), dry.error

    real = run_book(job, state={"data": "given"}, dry_run=False)
    assert (real.outcome, sorted(run_book.added), "plan" in real.state) == ("success", sorted(expected), False)
    texts = [entry["text"] if "text" in entry else entry["arguments"].split(", ")[0] for entry in dry.plan]
    assert sorted(texts) == sorted(expected if way != "listed by core" else (f"<str {len(text)}>" for text in expected))


def test_an_entry_names_the_operation_its_line_its_system_and_its_arguments_without_values(run_book: RunBook):
    job = add(state.data["name"])

    run = run_book(job, state={"data": {"name": "Amina"}})

    assert run.plan == [
        {"operation": "book.add", "line": str(job.site), "system": "diary", "arguments": "<str 5>"},
    ]


def test_what_a_connection_lists_is_completed_and_without_secrets(run_book: RunBook):
    job = HELPERS["listed by the connection"].add("token s3cret-Token")

    run = run_book(job)

    assert run.plan == [
        {"operation": "listing.add", "line": str(job.site), "system": "log", "text": "token ***"},
    ]


def test_what_a_connection_lists_is_what_it_was_then_and_under_the_name_that_it_gave(run_book: RunBook):
    body = {"seen_on": date(2024, 5, 2), "more": []}

    @Adaptor("outer").operation(effect="read")
    def plan(state):
        open_run().plan_write({"operation": "inner.add", "line": None, "body": body})
        body["more"].append("later")
        return state

    entry = {"operation": "inner.add", "line": None, "system": "outer", "body": {"seen_on": "2024-05-02", "more": []}}
    assert run_book(plan()).plan == [entry]


def test_a_secret_that_is_known_only_later_is_masked_in_the_final_state(run_book: RunBook):
    def learn(state):
        open_run().redactor.add("l4ter-Token", what="a vault")
        return state

    run = run_book(HELPERS["listed by the connection"].add("l4ter-Token"), learn)

    assert run.state.plan[0]["text"] == "***"


def test_an_entry_that_is_no_json_fails_at_its_operation(run_book: RunBook):
    run = run_book(HELPERS["listed by the connection"].add({1, 2}))

    assert (run.outcome, type(run.error), run.state.errors["job"]["operation"]) == (
        "crashed",
        StateEncodingError,
        "listing.add",
    )


def test_a_planned_write_has_none_as_its_result(run_book: RunBook):
    results = []

    def ask(state):
        results.append(add("a").result())
        results.append(add("a")(state).data)
        return state

    run = run_book(ask, set_data(7), add("b").into("written"), state={"data": 1})

    assert (results, run.state.data, run.state.written) == ([None, None], 7, None)


class Proxy:
    """A remote system whose every attribute is a call to it."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.called.append(name)


def test_a_proxy_that_has_any_attribute_does_not_list_its_writes(run_job: RunJob):
    proxy = Proxy()
    remote = Adaptor("remote", connect=lambda _: nullcontext(proxy))

    @remote.operation(effect="write")
    def save(state):
        return state.result(remote.connection.save())

    run = run_job(save(), dry_run=True)

    assert (proxy.called, [entry["operation"] for entry in run.plan]) == ([], ["remote.save"])


def test_an_operation_of_ones_own_that_says_that_it_writes_is_listed(run_job: RunJob):
    written = []

    @operation(effect="write")
    def publish(state, text):
        written.append(text)
        return state

    @operation
    def change(state, text):
        written.append(text)
        return state

    run = run_job(publish("a"), change("b"), dry_run=True)

    assert (written, [(entry["operation"], entry["system"]) for entry in run.plan]) == (["b"], [("publish", None)])


CURSORS = {
    "saved": [save_cursor("visits", 9)],
    "of items": [set_data([{"at": 9}]), save_cursor("visits", of=state.data, at="at")],
    "kept at once": [save_cursor("visits", 9, checkpoint=True), lambda state: 1 / 0],
    "written by the job": [lambda state: state.replace(cursors={"visits": 9})],
    "changed in place by the job": [lambda state: state.cursors.update(visits=9) or state],
    "dropped by the job": [lambda state: state.without("cursors")],
}


@pytest.mark.parametrize("came_in", [{"visits": 5}, {}])
@pytest.mark.parametrize("name", CURSORS)
def test_the_cursors_of_a_dry_run_are_those_that_came_in(run_job: RunJob, name: str, came_in: dict[str, int]):
    kept = []
    run = Run(Workflow.of(Job(*CURSORS[name])), {"cursors": dict(came_in)}, dry_run=True)
    run.on_checkpoint = kept.append

    run.execute()

    assert (run.state.get("cursors", {}), kept) == (came_in, [])


def test_a_later_step_of_a_dry_run_reads_the_cursor_of_an_earlier_one():
    steps = Step("a", Job(save_cursor("visits", 9)), next="b"), Step("b", Job(set_data(cursor("visits"))))
    run = Run(Workflow("two", *steps), {"cursors": {"visits": 5}}, dry_run=True)

    run.execute()

    assert (run.state.data, run.state.cursors, run.state.plan) == (9, {"visits": 5}, [])


def test_the_plan_is_the_frameworks_key(run_book: RunBook):
    with pytest.raises(ArgumentError, match="'plan'"):
        _ = set_data(1).into("plan")

    seen = []

    def look(state):
        seen.append("plan" in state)
        return state.replace(plan="mine")

    assert run_book(look, add("a"), state={"plan": ["old"]}).state.plan[0]["operation"] == "book.add"
    assert seen == [False]


def test_the_plan_does_not_count_as_a_part_of_the_state_that_is_limited(run_book: RunBook):
    run = run_book(each(["x" * 500] * 10, HELPERS["listed by the connection"].add(state.data)), size_limit=1000)

    assert (run.outcome, len(run.state.plan)) == ("success", 10), run.error


@pytest.mark.parametrize("planned", [True, False])
def test_an_error_after_a_planned_write_says_that_it_had_no_answer(run_book: RunBook, planned: bool):
    run = run_book(add("a") if planned else lines(), lambda state: state.replace(id=state.data["id"]))

    said = [note for note in run.error.__notes__ if "a planned write had no answer" in note]
    assert (run.outcome, len(said), len(run.state.plan)) == ("failed", planned, planned)


LEDGER = """
import os
from contextlib import nullcontext
from crossdock import Adaptor

adaptor = Adaptor("ledger", connect=lambda _: nullcontext(os.environ["LEDGER"]))

@adaptor.operation(effect="read")
def lines(state):
    with open(adaptor.connection) as file:
        return state.result(file.read().splitlines())

@adaptor.operation(effect="write")
def add(state, text):
    with open(adaptor.connection, "a") as file:
        print(text, file=file)
    return state
"""
COPIES = """
from crossdock import Job, each, save_cursor, state
from crossdock.adaptors import ledger

job = Job(
    ledger.lines().into("lines"),
    each(state.lines, ledger.add(state.data)),
    save_cursor("line", 2),
"""


@pytest.fixture
def run_ledger(crossdock: Crossdock, write_job: WriteJob, install: Install, tmp_path: Path) -> Callable[..., Done]:
    """Run a job that copies the two lines of a ledger into it."""
    folder = install("acme-ledger", LEDGER, entry="ledger")
    (tmp_path / "ledger.txt").write_text("Amina\nBaraka\n")

    def run(more: str, *options: Any) -> Done:
        return crossdock(
            "run", write_job(COPIES + more), *options, env={**path_of(folder), "LEDGER": str(tmp_path / "ledger.txt")}
        )

    return run


def test_the_command_shows_what_a_dry_run_would_write_and_ends_well(
    run_ledger: Callable[..., Done], write_json: WriteJson, tmp_path: Path
):
    given = write_json({"data": 1, "cursors": {"line": 1}})

    done = run_ledger(")", "--dry-run", "--state", given)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ledger.txt").read_text() == "Amina\nBaraka\n"
    assert done.json["lines"] == ["Amina", "Baraka"]
    assert done.json["cursors"] == {"line": 1}
    assert [entry["arguments"] for entry in done.json["plan"]] == ["<str 5>", "<str 6>"]
    assert done.stderr.splitlines()[-3:] == [
        "  would write  ledger.add(<str 5>)  to ledger  job.py:7",
        "  would write  ledger.add(<str 6>)  to ledger  job.py:7",
        "  dry run: 2 writes were not made",
    ]
    assert "Amina" not in done.stderr


def http_job(items: int, call: str) -> str:
    return (
        "from crossdock import Job, each, state\nfrom crossdock.adaptors import http\n\n"
        f"job = Job(each(range({items}), {call}))\n"
    )


SHOWN = {
    "one url": ("http.post('/x', state.data)", 40, ["40 × http.post  POST  http://h.invalid/x  to http  job.py:4"]),
    "a url an item": (
        "http.put('/people/{id}', state.data, params={'id': state.data}, query={'full': state.data})",
        1000,
        ["1000 × http.put  PUT  http://h.invalid/people/…?full=…  to http  job.py:4"],
    ),
    "few": (
        "http.put('/people/{id}', 1, params={'id': state.data})",
        2,
        [f"http.put  PUT  http://h.invalid/people/{n}  to http  job.py:4" for n in (0, 1)],
    ),
    "two kinds": (
        "Job(http.post('/x', 1), http.patch('/y', 1))",
        40,
        [
            "40 × http.post  POST  http://h.invalid/x  to http  job.py:4",
            "40 × http.patch  PATCH  http://h.invalid/y  to http  job.py:4",
        ],
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_writes_of_a_loop_are_one_line(crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson, name):
    call, items, lines = SHOWN[name]
    credentials = write_json({"base_url": "http://h.invalid"}, "credentials.json")

    done = crossdock("run", write_job(http_job(items, call)), "--dry-run", "--credentials", credentials)

    assert done.returncode == 0, done.stderr
    assert [line[15:] for line in done.stderr.splitlines() if line.startswith("  would write  ")] == lines
    assert done.stderr.endswith(f"dry run: {len(done.json['plan'])} writes were not made\n")


def test_many_writes_of_an_adaptor_that_lists_nothing_itself_are_one_line(run_ledger: Callable[..., Done]):
    done = run_ledger("    each(range(100), ledger.add(lambda state: 'x' * state.data)))", "--dry-run")

    assert "  would write  100 × ledger.add(…)  to ledger  job.py:9\n" in done.stderr


def test_without_the_option_the_command_writes(run_ledger: Callable[..., Done], tmp_path: Path):
    done = run_ledger(")")

    assert (done.returncode, done.json["cursors"], "plan" in done.json) == (0, {"line": 2}, False), done.stderr
    assert (tmp_path / "ledger.txt").read_text() == "Amina\nBaraka\n" * 2
    assert "dry run" not in done.stderr


def test_the_command_says_that_a_planned_write_had_no_answer(run_ledger: Callable[..., Done]):
    done = run_ledger("    lambda state: 1 / 0)", "--dry-run")

    assert (done.returncode, len(done.json["plan"]), "cursors" in done.json) == (1, 2, False)
    assert done.stderr.splitlines()[-1] == f"  {NO_ANSWER}"


def test_the_command_says_that_nothing_would_be_written(crossdock: Crossdock, write_job: WriteJob):
    done = crossdock("run", write_job("from crossdock import Job, set_data\njob = Job(set_data(1))"), "--dry-run")

    assert (done.returncode, done.json) == (0, {"data": 1, "plan": []})
    assert done.stderr.splitlines()[-1] == "  dry run: no write was planned"
