"""The plain helpers: identifiers, periods, the small parts of records."""

import doctest
from datetime import date, datetime, timedelta
from importlib import import_module

import pytest
from crossdock_dhis2 import (
    PeriodError,
    attribute,
    data_value,
    find_attribute_value,
    is_uid,
    period,
    uid,
)
from hypothesis import given
from hypothesis import strategies as st

PERSON = {
    "attributes": [
        {"attribute": "zDhUuAYrxNC", "displayName": "First name", "value": "Sherlock"},
        {"attribute": "Rslz2y06aBf", "displayName": "Surname", "value": "McTesterson"},
        {"attribute": "w75KJ2mc4zz"},
    ]
}


@pytest.mark.parametrize(
    ("record", "name", "value"),
    [
        (PERSON, "surname", "McTesterson"),
        (PERSON, "SURNAME", "McTesterson"),
        (PERSON, "Rslz2y06aBf", "McTesterson"),
        (PERSON, "rslz2y06abf", None),
        (PERSON, "Nickname", None),
        (PERSON, "w75KJ2mc4zz", None),
        (PERSON, "", None),
        ({}, "surname", None),
        ({"attributes": None}, "surname", None),
        (None, "surname", None),
    ],
)
def test_d36_an_attribute_is_found_by_its_name_in_any_case_or_its_identifier(record, name, value):
    assert find_attribute_value(record, name) == value


def test_d37_attributes_and_data_values():
    assert attribute("a", 1) == {"attribute": "a", "value": 1}
    assert data_value("b", 2) == {"dataElement": "b", "value": 2}


@given(st.text())
def test_an_identifier_of_a_key_is_one_and_always_the_same(key):
    assert is_uid(uid(key))
    assert uid(key) == uid(key)


def test_identifiers_differ():
    assert len({uid() for _ in range(1000)} | {uid(str(n)) for n in range(1000)}) == 2000
    assert uid("kobo visits 1748") == "pkrDyHH8ift"  # it stands in databases by now


@pytest.mark.parametrize(
    "value", ["", "abcdefghij", "abcdefghijkl", "1bcdefghijk", "abc-efghijk", "abcdefghijk\n", None, 7]
)
def test_what_is_no_identifier(value):
    assert not is_uid(value)


GOOD = [
    "2024",
    "202403",
    "20240229",
    "2024W1",
    "2024W52",
    "2020W53",
    "2024WedW5",
    "2024SunW5",
    "2024BiW1",
    "2024BiW26",
    "202401B",
    "2024Q4",
    "2024NovQ1",
    "2024S1",
    "2024AprilS2",
    "2024NovS1",
    "2024April",
    "2024July",
    "2024Oct",
    "2024Nov",
    "2024Sep",
]
BAD = [
    "24",
    "20241",
    "202400",
    "202413",
    "20240230",
    "20241301",
    "2024W0",
    "2024W54",
    "2023W53",
    "2024W05",
    "2024Q0",
    "2024Q5",
    "2024S3",
    "2024May",
    "202407B",
    "LAST_MONTH",
    "2024-03",
    "2024q1",
    "3024",
    "２０２４",
]


@pytest.mark.parametrize("text", GOOD)
def test_dh_11_periods_of_every_form_are_known(text):
    assert period(text) == text


@pytest.mark.parametrize("text", [*BAD, "", " 2024", None])
def test_dh_11_what_is_no_period_is_refused(text):
    with pytest.raises(PeriodError, match="is no DHIS2 period"):
        period(text)


@pytest.mark.parametrize(
    ("kind", "day", "made"),
    [
        ("daily", "2024-03-05", "20240305"),
        ("weekly", "2024-12-30", "2025W1"),
        ("weekly", "2021-01-03", "2020W53"),
        ("biweekly", "2024-01-15", "2024BiW2"),
        ("monthly", "2024-03-05", "202403"),
        ("bimonthly", "2024-03-05", "202402B"),
        ("quarterly", "2024-03-31", "2024Q1"),
        ("quarterly", "2024-04-01", "2024Q2"),
        ("sixmonthly", "2024-06-30", "2024S1"),
        ("sixmonthly", "2024-07-01", "2024S2"),
        ("sixmonthly_april", "2024-03-31", "2023AprilS2"),
        ("sixmonthly_april", "2024-04-01", "2024AprilS1"),
        ("yearly", "2024-03-05", "2024"),
        ("financial_april", "2024-03-31", "2023April"),
        ("financial_july", "2024-07-01", "2024July"),
        ("financial_october", "2024-09-30", "2023Oct"),
        ("financial_november", "2024-11-01", "2024Nov"),
    ],
)
def test_the_period_of_a_day(kind, day, made):
    moment = datetime.fromisoformat(f"{day}T23:59:59")

    assert period(day, kind) == period(date.fromisoformat(day), kind) == period(moment, kind) == made


KINDS = ["daily", "weekly", "biweekly", "monthly", "bimonthly", "quarterly", "sixmonthly", "sixmonthly_april", "yearly"]


@given(st.dates(date(1901, 1, 1), date(2900, 1, 1)), st.sampled_from([*KINDS, "financial_april", "financial_october"]))
def test_every_period_that_is_made_is_one(day, kind):
    assert period(period(day, kind)) == period(day, kind)
    assert period(day + timedelta(days=1), "daily") > period(day, "daily")


@pytest.mark.parametrize(
    ("value", "kind"), [("soon", "monthly"), (None, "daily"), ("2024-02-30", "daily"), ("2024-01-01", "hourly")]
)
def test_what_has_no_period_is_refused(value, kind):
    with pytest.raises(PeriodError):
        period(value, kind)


def test_the_example_of_the_fake_runs():
    server = import_module("crossdock_dhis2.testing.server")

    assert doctest.testmod(server) == (0, 1)
