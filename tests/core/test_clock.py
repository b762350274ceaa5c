"""Cron triggers, with a clock that the tests turn."""

import sqlite3
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from crossdock.errors import ProjectError
from crossdock.project import read_project
from crossdock.store.records import Finish, Limit, Search
from crossdock.store.store import Store
from crossdock.worker.clock import Clock

HOURLY = 'cron: "0 * * * *"'
MakeClock = Callable[..., Clock]


class Day:
    """The time, which a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2024, 5, 2, 10, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def at(self, text: str) -> None:
        """Set it to a time in UTC."""
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)

    def pass_(self, **length: float) -> None:
        """Let time pass."""
        self.now += timedelta(**length)


@pytest.fixture
def day() -> Day:
    """The time."""
    return Day()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store("sqlite:///store.db", folder=tmp_path) as store:
        yield store


@pytest.fixture
def make_clock(tmp_path: Path, store: Store, day: Day) -> MakeClock:
    """Make the clock of a server, for one trigger."""

    def make(trigger: str) -> Clock:
        project = f"""
        workflows:
          nightly:
            triggers: {{clock: {{{trigger}}}}}
            steps: {{load: {{job: jobs/load.py}}}}
        """
        (tmp_path / "jobs").mkdir(exist_ok=True)
        (tmp_path / "jobs" / "load.py").write_text("from crossdock import Job\njob = Job(lambda state: state)\n")
        (tmp_path / "project.yaml").write_text(textwrap.dedent(project))
        return Clock(read_project(tmp_path), lambda: "v1", store, now=day)

    return make


def fired(store: Store) -> list[str]:
    """Give the times for which runs were started."""
    times = [message.received_at for message in store.history.messages(Search())][::-1]
    return [f"{time:%Y-%m-%d %H:%M}" for time in times]


def run_all(store: Store) -> None:
    """Let all runs that wait succeed."""
    while (claimed := store.claim("test", limits={"nightly": Limit(100)})) is not None:
        store.finish(claimed, Finish("success"))


def test_a_run_is_started_at_each_time_with_its_time_in_the_request(make_clock: MakeClock, store: Store, day: Day):
    clock = make_clock(HOURLY)

    assert clock.look() == 30 * 60
    assert fired(store) == []
    day.pass_(minutes=30)
    assert clock.look() == 60 * 60

    claimed = store.claim("test")
    assert claimed is not None
    assert (claimed.workflow, claimed.trigger, claimed.message.kind) == ("nightly", "clock", "cron")
    assert claimed.message.request == {"trigger": "clock", "scheduled_at": "2024-05-02T11:00:00+00:00"}
    clock.look()
    assert fired(store) == ["2024-05-02 11:00"]


def test_two_servers_start_one_run_for_a_time(make_clock: MakeClock, store: Store, day: Day):
    first, second = make_clock(f"{HOURLY}, overlap: queue"), make_clock(f"{HOURLY}, overlap: queue")
    day.pass_(hours=1)

    first.look()
    second.look()

    assert fired(store) == ["2024-05-02 11:00"]


def test_rt_31_times_at_which_the_run_before_goes_on_are_skipped(
    make_clock: MakeClock, store: Store, day: Day, caplog: pytest.LogCaptureFixture
):
    clock = make_clock(HOURLY)
    for _ in range(3):
        day.pass_(hours=1)
        clock.look()

    assert fired(store) == ["2024-05-02 11:00"]
    assert [record.message for record in caplog.records] == [
        "cron:nightly:clock: a time is skipped, since the run before goes on"
    ] * 2
    run_all(store)
    day.pass_(hours=1)
    clock.look()
    assert fired(store) == ["2024-05-02 11:00", "2024-05-02 14:00"]


def test_rt_31_a_time_waits_while_the_store_can_not_be_read_and_the_clock_goes_on(
    make_clock: MakeClock, store: Store, day: Day, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    clock = make_clock(HOURLY)
    day.pass_(hours=1)

    with closing(sqlite3.connect(tmp_path / "store.db")) as other:
        other.execute("ALTER TABLE run RENAME TO away")
        clock.look()
        other.execute("ALTER TABLE away RENAME TO run")

    assert [record.event for record in caplog.records] == ["tick_waits"]
    assert fired(store) == []
    clock.look()
    assert fired(store) == ["2024-05-02 11:00"]


def test_a_fault_does_not_end_the_clock(
    make_clock: MakeClock, store: Store, day: Day, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    make_clock(HOURLY)
    asked = threading.Event()

    def version() -> str:
        asked.set()
        raise RuntimeError("a fault")

    clock = Clock(read_project(tmp_path), version, store, now=day)
    day.pass_(hours=1)
    clock.start()
    assert asked.wait(30)
    clock.stop()

    assert [record.event for record in caplog.records] == ["fault"]


def test_with_overlap_queue_each_time_starts_a_run(make_clock: MakeClock, store: Store, day: Day):
    clock = make_clock(f"{HOURLY}, overlap: queue")
    for _ in range(3):
        day.pass_(hours=1)
        clock.look()

    assert fired(store) == ["2024-05-02 11:00", "2024-05-02 12:00", "2024-05-02 13:00"]


@pytest.mark.parametrize(
    ("catch_up", "times"),
    [("latest", ["2024-05-02 11:00", "2024-05-03 10:00"]), ("none", ["2024-05-02 11:00"])],
)
def test_rt_31_times_missed_while_no_server_was_there_are_made_up_by_one_run(
    make_clock: MakeClock, store: Store, day: Day, catch_up: str, times: list[str]
):
    clock = make_clock(f"{HOURLY}, catch_up: {catch_up}")
    day.pass_(hours=1)
    clock.look()
    run_all(store)
    day.pass_(hours=23)  # nobody was there

    make_clock(f"{HOURLY}, catch_up: {catch_up}").look()

    assert fired(store) == times


def test_rt_29_a_clock_that_is_set_back_starts_nothing_again(make_clock: MakeClock, store: Store, day: Day):
    clock = make_clock(HOURLY)
    day.at("2024-05-02 12:05")
    clock.look()
    run_all(store)

    day.at("2024-05-02 11:05")
    for server in (clock, make_clock(HOURLY)):
        server.look()
    day.at("2024-05-02 12:10")
    for server in (clock, make_clock(HOURLY)):
        server.look()

    assert fired(store) == ["2024-05-02 12:00"]


def test_rt_29_a_jump_forward_starts_each_trigger_at_most_once(make_clock: MakeClock, store: Store, day: Day):
    clock = make_clock('cron: "* * * * *"')
    day.pass_(days=30)

    clock.look()
    clock.look()

    assert fired(store) == ["2024-06-01 10:30"]


@pytest.mark.parametrize(
    ("before", "after", "times"),
    [
        ("2024-03-30 12:00", "2024-03-31 12:00", ["2024-03-31 01:00"]),  # 02:30 is not there: 03:00 in Paris
        ("2024-10-26 12:00", "2024-10-27 12:00", ["2024-10-27 00:30"]),  # 02:30 is there twice: the first
    ],
)
def test_rt_30_a_time_that_summer_time_takes_or_doubles_comes_once(
    make_clock: MakeClock, store: Store, day: Day, before: str, after: str, times: list[str]
):
    day.at(before)
    clock = make_clock('cron: "30 2 * * *", timezone: Europe/Paris')
    end = datetime.fromisoformat(after).replace(tzinfo=UTC)
    while day.now < end:
        day.pass_(minutes=5)
        clock.look()
        run_all(store)

    assert fired(store) == times


def test_rt_30_a_leap_day_is_found(make_clock: MakeClock, store: Store, day: Day):
    day.at("2025-01-01 00:00")
    clock = make_clock('cron: "0 0 29 2 *"')
    day.at("2028-03-01 00:00")
    clock.look()

    assert fired(store) == ["2028-02-29 00:00"]


def test_rt_30_a_date_that_never_is_is_refused(make_clock: MakeClock):
    with pytest.raises(ProjectError, match="'31' for its day-of-month"):
        make_clock('cron: "0 0 31 2 *"')


def test_a_clock_that_is_switched_off_starts_nothing(make_clock: MakeClock, store: Store, day: Day):
    clock = make_clock(f"{HOURLY}, enabled: false")
    day.pass_(hours=2)

    clock.look()

    assert fired(store) == []
