"""Days and instants: one given form, a known zone, never a guess."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from crossdock import JobError
from crossdock.errors import ArgumentError
from crossdock.values import age_on, last_day
from crossdock.values import date as read_date
from crossdock.values import datetime as read_datetime

DAY = date(2024, 5, 2)
NAIROBI = timezone(timedelta(hours=3))


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2024-05-02", "%Y-%m-%d"),
        (" 02/05/2024 ", "%d/%m/%Y"),
        ("2/5/2024", "%d/%m/%Y"),
        ("05/02/2024", "%m/%d/%Y"),
        ("20240502", "%Y%m%d"),
        ("02MAY2024", "%d%b%Y"),
        ("2 May 2024", "%d %B %Y"),
        ("Thursday, 02 May 2024", "%A, %d %B %Y"),
        ("2024-123", "%Y-%j"),
        ("2024-W18-4", "%G-W%V-%u"),
        ("2024-05-02T23:59:59Z", "%Y-%m-%dT%H:%M:%SZ"),
        (DAY, "%d/%m/%Y"),
        (datetime(2024, 5, 2, 23, 59, tzinfo=NAIROBI), "%Y-%m-%d"),
    ],
)
def test_a_day_is_read_in_the_given_format(value, form):
    assert read_date(value, form) == DAY


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("31/02/2024", "%d/%m/%Y"),
        ("29/02/2023", "%d/%m/%Y"),
        ("05/13/2024", "%d/%m/%Y"),
        ("2024-05-02", "%d-%m-%Y"),
        ("02/05/24", "%d/%m/%Y"),
        ("112024", "%d%m%Y"),
        ("2024502", "%Y%m%d"),
        ("2023 366", "%Y %j"),
        ("Monday 2024-05-02", "%A %Y-%m-%d"),
        ("2024-05-02T10:00:00", "%Y-%m-%d"),
        ("today", "%Y-%m-%d"),
        (20240502, "%Y%m%d"),
        (1714608000, "%Y-%m-%d"),
        (True, "%Y-%m-%d"),
        (["2024-05-02"], "%Y-%m-%d"),
    ],
)
def test_what_is_no_such_day_is_refused(value, form):
    with pytest.raises(JobError, match="is no date in the format") as caught:
        read_date(value, form)

    assert caught.value.code == "BAD_DATE"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("%d/%m/%y", "a year of two digits"),
        ("%Y-%m", "names no whole day"),
        ("%d %H:%M", "names no whole day"),
        ("%Y-%m-%d %Q", "is no format"),
        ("%Y-%m-%d %", "is no format"),
        ("DD/MM/YYYY", "names no whole day"),
        ("%%Y-%%m-%%d", "names no whole day"),
    ],
)
def test_a_format_that_leaves_a_guess_is_the_jobs_fault_also_for_nothing(form, said):
    with pytest.raises(ArgumentError, match=said):
        read_date(None, form)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-05-02T10:00:00Z", "2024-05-02T10:00:00+00:00"),
        ("2024-05-02t10:00:00z", "2024-05-02T10:00:00+00:00"),
        ("2024-05-02 10:00:00.250+03", "2024-05-02T10:00:00.250000+03:00"),
        ("2024-05-02T10:00:00.000+0000", "2024-05-02T10:00:00+00:00"),
        ("20240502T1000Z", "2024-05-02T10:00:00+00:00"),
        (datetime(2024, 5, 2, tzinfo=UTC), "2024-05-02T00:00:00+00:00"),
    ],
)
def test_an_instant_is_read_with_the_offset_that_it_has(value, expected):
    assert read_datetime(value).isoformat() == expected


def test_an_instant_is_given_in_a_zone():
    assert read_datetime("2024-05-02T21:30:00Z", zone="Africa/Nairobi").date() == date(2024, 5, 3)
    assert read_datetime("2024-05-02T21:30:00", zone="Africa/Nairobi").isoformat() == "2024-05-02T21:30:00+03:00"
    assert read_datetime(datetime(2024, 5, 2), zone="Africa/Nairobi").isoformat() == "2024-05-02T00:00:00+03:00"


def test_an_instant_is_read_in_a_given_format():
    assert read_datetime("02/05/2024 10:00 +0300", "%d/%m/%Y %H:%M %z") == datetime(2024, 5, 2, 7, tzinfo=UTC)
    assert read_datetime("02/05/2024 10:00 PM", "%d/%m/%Y %I:%M %p", zone="UTC").hour == 22


def test_seconds_and_milliseconds_since_1970():
    assert read_datetime(1714685400000, "epoch_ms", zone="Africa/Nairobi").isoformat() == "2024-05-03T00:30:00+03:00"
    assert read_datetime("1714685400", "epoch").isoformat() == "2024-05-02T21:30:00+00:00"
    assert read_datetime(0, "epoch") == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "options", "said"),
    [
        ("2024-05-02T10:00:00", {}, "has no time zone"),
        (datetime(2024, 5, 2), {}, "has no time zone"),
        ("2024-05-02", {"zone": "UTC"}, "is no time in the format 'iso'"),
        ("2024-05-02x10:00:00Z", {}, "is no time"),
        ("2024-05-02T25:00:00Z", {}, "is no time"),
        ("2024-02-30T10:00:00Z", {}, "is no time"),
        ("02/05/2024 10:00", {"zone": "UTC"}, "is no time"),
        (1714685400, {}, "is no time"),
        (1714685400000, {"format": "epoch"}, "is no time in the format 'epoch'"),
        ("soon", {"format": "epoch_ms"}, "is no time"),
        (True, {"format": "epoch"}, "is no time"),
        (date(2024, 5, 2), {}, "is no time"),
        ([], {}, "is no time"),
        (
            "2024-10-27T02:30:00",
            {"zone": "Europe/Zurich"},
            "is a time that clocks in Europe/Zurich show twice or never",
        ),
        ("2024-03-31T02:30:00", {"zone": "Europe/Zurich"}, "show twice or never"),
        ("0001-01-01T00:00:00+03:00", {"zone": "America/Lima"}, "is out of range"),
        ("9999-12-31T23:00:00-03:00", {"zone": "Africa/Nairobi"}, "is out of range"),
    ],
)
def test_what_is_no_instant_is_refused(value, options, said):
    with pytest.raises(JobError, match=said) as caught:
        read_datetime(value, name="seen", **options)

    assert (caught.value.code, caught.value.details["name"]) == ("BAD_DATETIME", "seen")


@pytest.mark.parametrize(
    ("options", "said", "fix"),
    [
        ({"format": "%Y-%m-%d"}, "has no hour", "date(…)"),
        ({"format": "%Y-%m-%d %I:%M"}, "has no hour", "date(…)"),
        ({"format": "%Y-%m-%d %H:%M %Z"}, "the short name of a zone", "zone="),
        ({"format": "ISO"}, "names no whole day", "date"),
        ({"zone": "Africa/Nairoby"}, "there is no time zone 'Africa/Nairoby'", "Did you mean 'Africa/Nairobi'?"),
        ({"zone": "../etc/passwd"}, "there is no time zone", "Give a name"),
        ({"zone": "EAT"}, "there is no time zone 'EAT'", ""),
    ],
)
def test_a_format_or_zone_that_is_not_clear_is_the_jobs_fault(options, said, fix):
    with pytest.raises(ArgumentError, match=said) as caught:
        read_datetime(None, **options)

    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("day", "born", "age"),
    [
        ("2024-02-28", "2012-02-29", 11),
        ("2024-02-29", "2012-02-29", 12),
        ("2023-02-28", "2012-02-29", 10),
        ("2023-03-01", "2012-02-29", 11),
        ("2024-05-01", "2000-05-02", 23),
        ("2024-05-02", "2000-05-02", 24),
        ("2024-05-02", "2024-05-02", 0),
        (datetime(2024, 5, 2, 23, tzinfo=UTC), date(2000, 5, 2), 24),
        ("2024-05-02", "", None),
        (None, "2000-05-02", None),
    ],
)
def test_age_is_the_years_that_are_complete(day, born, age):
    assert age_on(day, born) == age


def test_a_birth_after_the_day_is_refused():
    with pytest.raises(JobError, match="'2024-05-03' is after 2024-05-02, so it is no day of birth in born") as caught:
        age_on("2024-05-02", "2024-05-03", name="born")

    assert caught.value.code == "BAD_DATE"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-02-10", date(2024, 2, 29)),
        ("2023-02-28", date(2023, 2, 28)),
        ("9999-12-01", date(9999, 12, 31)),
        ("", None),
    ],
)
def test_the_last_day_of_a_month(value, expected):
    assert last_day(value) == expected
