"""What crossdock costs, as ratios to the bare library measured in the same run.

Each pair is measured in turns, several times; the ratio of the medians is what counts, and the limit beside it is the goal.
"""

import functools
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import httpx
import loops
from case import Case, each_call, measure
from crossdock import Job, Run, State, Workflow, each, operation, state, stream_xml
from crossdock.adaptors import dhis2, http
from crossdock_http import Client, HttpConfiguration
from database import MEMORY, database, memory_of
from lxml import etree
from server import dhis2_server, local_server
from steps import step_cases


def process(*arguments: str) -> Callable[[], float]:
    """Time a whole Python process."""

    def run() -> float:
        started = perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        return perf_counter() - started

    return run


def bare_put(given: State, value: Any, *, key: Any = None) -> State:
    """Make the same new state as the operation."""
    return given.result(value)


@operation
def put(state: State, value: Any, *, key: Any = None) -> State:
    """Make a new state."""
    return state.result(value)


def cases(folder: Path) -> list[Case]:
    """Give all cases; job files for them go to a folder."""
    small = State(data={"id": 1}, cursors={})
    big = State(data=[{"n": n, "text": "x" * 80} for n in range(10_000)], cursors={})
    built, bare_build = put("x"), each_call(lambda: functools.partial(bare_put, "x", key=1))
    trivial, http_job = folder / "trivial.py", folder / "http_job.py"
    trivial.write_text("from crossdock import Job, set_data\njob = Job(set_data(1))\n")
    http_job.write_text(
        "from crossdock import Job\nfrom crossdock.adaptors import http\njob = Job(lambda state: state if http else None)\n"
    )
    click, httpx = process("-c", "import click"), process("-c", "import httpx")
    command = ("-m", "crossdock.cli")
    return [
        Case(
            "calling an operation, 1 KB state",
            each_call(lambda: bare_put(small, "x")),
            each_call(lambda: built(small)),
            3,
        ),
        Case(
            "calling an operation, 1 MB state", each_call(lambda: bare_put(big, "x")), each_call(lambda: built(big)), 3
        ),
        Case("building an operation", bare_build, each_call(lambda: put("x", key=1)), 6),
        Case(
            "building one with two lazy paths",
            bare_build,
            each_call(lambda: put(state.data["a"], key=state.data["b"])),
            12,
        ),
        Case("crossdock --help", click, process(*command, "--help"), 2),
        Case("a trivial job", click, process(*command, "run", str(trivial)), 3),
        Case("a job with http", httpx, process(*command, "run", str(http_job)), 2.2),
    ]


def _counted(state: State) -> State:
    return state.result(len(state.data))


def bare_people(file: Path) -> Iterator[dict[str, str]]:
    """Build the same mappings as stream_xml, for this one document."""
    for _, person in etree.iterparse(file, tag="person"):
        yield {"@id": person.get("id"), **{field.tag: field.text or "" for field in person}}
        person.clear()
        while person.getprevious() is not None:
            del person.getparent()[0]


def our_people(file: Path) -> Iterator[Any]:
    """Stream the people of a file."""
    with file.open("rb") as source:
        yield from stream_xml(source, "people/person")


def xml_case(folder: Path) -> Case:
    """Give the case of a file with 100,000 elements: 20,000 people with four fields each."""
    file, person = folder / "people.xml", "<name>Person {0}</name>\n<age>{0}</age>\n<village>Mbeya</village>\n<note/>"
    people = "\n".join(f'<person id="{n}">\n{person.format(n)}\n</person>' for n in range(20_000))
    file.write_text(f"<people>\n{people}\n</people>")
    assert list(our_people(file)) == list(bare_people(file))
    return Case(
        "streaming 100,000 XML elements",
        each_call(lambda: deque(bare_people(file), 0), 1, process_time),
        each_call(lambda: deque(our_people(file), 0), 1, process_time),
        1.3,
    )


def http_cases(url: str, bare: httpx.Client, ours: Client) -> list[Case]:
    """Give the cases that ask a server: one request after another, and eight at a time."""
    body, items = {"text": "x" * 1000}, range(80)
    entry = {"api": {"adaptor": "http", "base_url": url}}

    def bare_threads() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: bare.get(f"{url}/slow").json(), items))

    def our_each() -> None:
        job = Job(each(items, http.get("/slow"), concurrency=8))
        assert Run(Workflow.of(job), credentials=entry).execute() == "success"

    def bare_pages() -> None:
        found, path = [], "/pages/1"
        while path:
            page = bare.get(f"{url}{path}").json()
            found += page["results"]
            path = page["next"]
        assert len(found) == 100_000

    def our_pages() -> None:
        run = Run(Workflow.of(Job(http.get_all("/pages/1"), _counted)), credentials=entry)
        assert (run.execute(), run.state.data) == ("success", 100_000)

    return [
        Case("get_all, 100 pages of 1,000 records", each_call(bare_pages, 1), each_call(our_pages, 1), 1.3),
        Case(
            "GET 1 KB",
            each_call(lambda: bare.get(f"{url}/x").json(), 300),
            each_call(lambda: ours.get("/x"), 300),
            1.25,
        ),
        Case(
            "POST 1 KB",
            each_call(lambda: bare.post(f"{url}/x", json=body).json(), 300),
            each_call(lambda: ours.post("/x", json=body), 300),
            1.25,
        ),
        Case("80 slow requests, 8 at a time", each_call(bare_threads, 1), each_call(our_each, 1), 1.25),
    ]


def events(number: int) -> Iterator[dict[str, Any]]:
    """Give events one by one."""
    known = {"program": "GaOaL76FraA", "programStage": "wJ9OoZ6ZLxR", "orgUnit": "DiszpKrYNg8"}
    for n in range(number):
        values = [{"dataElement": "m5OehFImiIJ", "value": str(n)} for _ in range(8)]
        yield {**known, "event": f"EV{n:09}", "status": "ACTIVE", "occurredAt": "2024-03-05", "dataValues": values}


def dhis2_cases(bare: httpx.Client, entry: Mapping[str, str]) -> list[Case]:
    """Give the case of a large import."""
    headers = {"authorization": f"ApiToken {entry['pat']}"}
    query = {"async": "false", "importStrategy": "CREATE_AND_UPDATE"}

    def bare_import() -> None:
        left = events(10_000)
        while chunk := list(islice(left, 500)):
            sent = bare.post(f"{entry['base_url']}/api/tracker", json={"events": chunk}, params=query, headers=headers)
            assert sent.json()["status"] == "OK"

    def our_import() -> None:
        job = Job(dhis2.tracker_import({"events": events(10_000)}, "CREATE_AND_UPDATE"))
        assert Run(Workflow.of(job), credentials={"hmis": entry}).execute() == "success"

    return [Case("10,000 events to DHIS2, 500 at a time", each_call(bare_import, 1), each_call(our_import, 1), 1.3)]


def main() -> int:
    """Measure everything; the exit code says whether a limit was passed."""
    with tempfile.TemporaryDirectory() as folder:
        first = [*cases(Path(folder)), *loops.cases(), xml_case(Path(folder)), *step_cases()]
        measured = [measure(case) for case in first]
    with local_server() as url, httpx.Client(trust_env=False) as bare, Client(HttpConfiguration(base_url=url)) as ours:
        measured += [measure(case) for case in http_cases(url, bare, ours)]
    with dhis2_server() as entry, httpx.Client(trust_env=False) as bare:
        measured += [measure(case) for case in dhis2_cases(bare, entry)]
    with database() as server:
        measured += [measure(case) for case in server.cases()]
        measured.append(measure(server.reading()))
    for result in measured:
        print(result)
    too_large = [what for what, limit in MEMORY.items() if not within(what, memory_of(what), limit)]
    too_large += [] if within("loop over", loops.grown(), loops.GROWTH) else ["loop over"]
    return int(bool(too_large) or any(result.ratio > result.case.limit for result in measured))


def within(what: str, megabytes: float, limit: float) -> bool:
    """Print a figure of memory, and tell whether it is within its limit."""
    print(f"{'ok  ' if megabytes < limit else 'OVER'}  {megabytes:5.1f} MB (limit {limit:g})  {what} a million rows")
    return megabytes < limit


if __name__ == "__main__":
    sys.exit(main())
