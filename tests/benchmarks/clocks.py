"""Five years of cron triggers in twelve zones, by a clock that is turned."""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from crossdock.project import read_project
from crossdock.store.records import Search
from crossdock.store.store import Store
from crossdock.worker.clock import Clock
from figure import Figure

ZONES = [
    "Africa/Nairobi",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Europe/London",
    "Europe/Lisbon",
    "America/New_York",
    "America/Santiago",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "UTC",
]
BEGIN, END = datetime(2020, 1, 1, 12, tzinfo=UTC), datetime(2025, 1, 1, 12, tzinfo=UTC)


def figures() -> Iterator[Figure]:
    """Measure."""
    times = started()
    twice = sum(number - 1 for number in Counter(times).values())
    missed = sum(len(set(days(zone)) ^ {day for of, day in times if of == zone}) for zone in ZONES)
    what = "daily triggers at half past two, in 5 years with summer time in 12 zones"
    got = f"{twice} twice, {missed} missed"
    yield Figure("F17", what, "0 twice, 0 missed", got, not twice and not missed, f"{len(times):,}", "calendars")


def started() -> list[tuple[str, str]]:
    """Turn the clock at random steps of under a day, and give the zone and the day of each run."""
    chance, now = random.Random(1), BEGIN
    with tempfile.TemporaryDirectory(dir=_fast()) as name:
        folder = Path(name)
        triggers = "".join(
            f"\n      z{number}: {{cron: '30 2 * * *', timezone: {zone}, overlap: queue}}"
            for number, zone in enumerate(ZONES)
        )
        (folder / "project.yaml").write_text(
            f"workflows:\n  nightly:\n    triggers: {triggers}\n    steps: {{load: {{job: load.py}}}}\n"
        )
        (folder / "load.py").write_text("from crossdock import Job\njob = Job(lambda state: state)\n")
        with Store("sqlite:///store.db", folder=folder) as store:
            clock = Clock(read_project(folder), lambda: "v1", store, now=lambda: now)
            while now < END:
                now = min(now + timedelta(hours=chance.uniform(2, 20)), END)
                clock.look()
            messages = list(store.history.messages(Search()))
    zones = {f"cron:nightly:z{number}": zone for number, zone in enumerate(ZONES)}
    return [(zone := zones[one.source], _day(one.received_at, zone)) for one in messages]


def days(zone: str) -> list[str]:
    """Give the days whose half past two lies in those years."""
    first, number = BEGIN.astimezone(ZoneInfo(zone)).date(), (END - BEGIN).days + 2
    found = [first + timedelta(days=day) for day in range(-1, number)]
    at = {day: datetime(day.year, day.month, day.day, 2, 30, tzinfo=ZoneInfo(zone)) for day in found}
    return [str(day) for day, moment in at.items() if BEGIN < moment.astimezone(UTC) <= END]


def _day(moment: datetime, zone: str) -> str:
    return str(moment.astimezone(ZoneInfo(zone)).date())


def _fast() -> str | None:
    """Give a place that needs no syncs: nothing is proven of the disk here."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
