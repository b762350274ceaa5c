"""What holds for any value: a result or a JobError that names value and fix, and never a wrong guess."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from html import escape

import pytest
from crossdock import JobError, batches, group_by
from crossdock.errors import ArgumentError
from crossdock.state import encode
from crossdock.values import (
    age_on,
    as_list,
    choices,
    clean,
    decode_base64,
    encode_base64,
    hmac_sha256,
    join_nonempty,
    last_day,
    null_if,
    number,
    sha256,
    strip_tags,
    table,
    text,
    title,
    uuid_of,
    value_at,
    yes_no,
)
from crossdock.values import date as read_date
from crossdock.values import datetime as read_datetime
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

UNICODE = st.text(st.characters(exclude_categories=["Cs"]))
NUMERIC = st.from_regex(r"\A[-+]?[0-9.,' _eE/:TZ]{0,12}\Z")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | UNICODE | NUMERIC
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(UNICODE, inner, max_size=4), max_leaves=8
)

READERS = {
    "null_if": (lambda value: null_if(value, "NaN", -99), object),
    "clean": (lambda value: clean(value, "NaN", -99), object),
    "as_list": (as_list, list),
    "yes_no": (yes_no, bool),
    "choices": (choices, list),
    "choices by": (lambda value: choices(value, table({"a": 1}, unknown="null"), by=","), list),
    "choices meaning": (lambda value: choices(value, {"a": 1}), list),
    "number": (number, (int, float)),
    "number with thousands": (lambda value: number(value, thousands=".", point=","), (int, float)),
    "number decimal": (lambda value: number(value, decimal=True), (int, Decimal)),
    "text": (text, str),
    "title": (title, str),
    "join_nonempty": (join_nonempty, str),
    "strip_tags": (strip_tags, str),
    "date": (read_date, date),
    "date d/m": (lambda value: read_date(value, "%d/%m/%Y"), date),
    "date packed": (lambda value: read_date(value, "%d%m%Y"), date),
    "datetime": (read_datetime, datetime),
    "datetime zone": (lambda value: read_datetime(value, zone="Europe/Zurich"), datetime),
    "datetime epoch": (lambda value: read_datetime(value, "epoch", zone="Asia/Tokyo"), datetime),
    "datetime epoch_ms": (lambda value: read_datetime(value, "epoch_ms"), datetime),
    "datetime d/m": (lambda value: read_datetime(value, "%d/%m/%Y %H:%M", zone="UTC"), datetime),
    "age_on": (lambda value: age_on("2024-02-29", value), int),
    "age_on any day": (lambda value: age_on(value, "2000-02-29"), int),
    "last_day": (last_day, date),
    "encode_base64 text": (lambda value: encode_base64(str(value)), str),
    "decode_base64": (decode_base64, str),
    "decode_base64 bytes": (lambda value: decode_base64(value, to="bytes"), bytes),
    "sha256": (sha256, str),
    "hmac_sha256": (lambda value: hmac_sha256("key", value), str),
    "uuid_of": (uuid_of, str),
    "table": (table({"a": "A"}, unknown="null"), str),
    "table error": (table({"a": "A"}, unknown="error"), str),
    "value_at": (lambda value: value_at(value, "a[0].b"), object),
    "value_at all": (lambda value: value_at(value, "$..a[*]"), list),
    "group_by": (lambda value: group_by([value], "a"), dict),
}


def attempt(read, *args, error=JobError, **options):
    """Give what a reader gives, and how it refused."""
    try:
        return read(*args, **options), None
    except error as refusal:
        return None, refusal


@given(value=JSON)
@example(value="\x00")
@example(value="1e999999999")
@example(value=[[], {}])
@settings(max_examples=400, deadline=None)
def test_any_json_value_is_read_or_refused(value):
    for name, (read, kinds) in READERS.items():
        result, refusal = attempt(read, value)

        assert result is None or isinstance(result, kinds), name
        if refusal is not None:
            assert re.fullmatch("[A-Z0-9_]+", refusal.code), name
            assert re.fullmatch("[A-Z].*[.]", refusal.fix), name
            assert "value" in refusal.details or name == "group_by"
            assert len(str(refusal)) < 250, name
            assert str(refusal).isprintable(), name


@given(value=JSON)
def test_cleaning_changes_what_null_if_changes_and_nothing_else(value):
    def leaves(part, path=()):
        inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else None
        if inner is None:
            return [(path, part)]
        return [(path, type(part)), *(leaf for key, item in inner for leaf in leaves(item, (*path, key)))]

    cleaned = leaves(clean(value, "NaN", 0))

    assert repr(cleaned) == repr([(path, null_if(leaf, "NaN", 0)) for path, leaf in leaves(value)])


@given(
    st.dates(),
    st.sampled_from(["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d %b %Y", "%Y%m%d", "%d%m%Y", "%j/%Y"]),
)
def test_a_day_comes_back_as_it_was_written(day, form):
    assume(day.year >= 1000)  # strftime does not fill the years before

    assert read_date(day.strftime(form), form) == day


SMALL = st.integers(1, 31).flatmap(lambda number: st.sampled_from([str(number), f"{number:02}"]))
YEARS = st.sampled_from(["2024", "2023", "1999", "24", "0024", "202", "20240"])


@given(
    st.permutations([SMALL, SMALL, YEARS]).flatmap(lambda parts: st.tuples(*parts)),
    st.sampled_from("-/. ") | st.just(""),
)
@settings(max_examples=2000)
def test_a_day_that_is_read_is_the_one_that_was_written(parts, sign):
    """Only zeros before a number may differ: nothing is swapped, cut off or completed."""
    written = sign.join(parts)
    for form in ("%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d%m%Y", "%d %m %Y"):
        day, _ = attempt(read_date, written, form)
        bare = [part.lstrip("0") for part in re.split(r"(\D)", written)]
        assert day is None or bare == [part.lstrip("0") for part in re.split(r"(\D)", day.strftime(form))]


OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS)


@given(INSTANTS, st.sampled_from(["T", " "]), st.sampled_from(["auto", "seconds", "milliseconds"]))
def test_an_instant_comes_back_as_it_was_written(moment, sign, precision):
    written = moment.isoformat(sign, precision)

    assert read_datetime(written) == datetime.fromisoformat(written)
    assert read_datetime(written).utcoffset() == moment.utcoffset()


@given(INSTANTS, st.sampled_from(["Africa/Nairobi", "Europe/Zurich", "Asia/Kathmandu", "UTC"]))
def test_an_instant_is_the_same_in_any_zone(moment, zone):
    assert read_datetime(moment.isoformat(), zone=zone) == moment


@given(st.datetimes(datetime(1980, 1, 1), datetime(2037, 1, 1)))
def test_a_time_without_a_zone_is_refused_and_one_in_a_zone_is_that_on_its_clocks(moment):
    with pytest.raises(JobError):
        read_datetime(moment.isoformat())
    read, refusal = attempt(read_datetime, moment.isoformat(), zone="Europe/Zurich")
    if refusal is not None:
        assert "twice or never" in str(refusal)
        assert moment.month in (3, 4, 9, 10)
    else:
        assert read.replace(tzinfo=None) == moment
        assert read.astimezone(UTC).astimezone(read.tzinfo).replace(tzinfo=None) == moment


@given(st.integers(-(10**15), 10**15))
def test_milliseconds_since_1970_are_exact(count):
    read, _ = attempt(read_datetime, count, "epoch_ms")
    assume(read is not None)
    assert (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) == count


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)


@given(DECIMALS)
def test_a_number_is_read_to_its_last_digit_or_refused(exact):
    assert number(str(exact), decimal=True) == exact
    read, refusal = attempt(number, str(exact))
    if refusal is not None:
        assert "more digits" in str(refusal)
    else:
        assert Decimal(repr(read)) == exact


@given(st.integers(-(10**12), 10**12), st.sampled_from([(",", "."), (".", ","), (" ", ","), ("'", ".")]))
def test_separators_count_only_where_they_are_told(count, signs):
    thousands, point = signs
    written = f"{count:,}".replace(",", thousands)

    assert number(written, thousands=thousands, point=point) == count
    if abs(count) >= 1_000_000:
        with pytest.raises(JobError):
            number(written)


SAID = {True: ("yes", "y", "true", "1"), False: ("no", "n", "false", "0")}
NEAR = st.sampled_from([*SAID[True], *SAID[False]]).flatmap(
    lambda word: st.sampled_from([word.upper(), f" {word}\n", f"{word}.", word * 2])
)


@given(UNICODE | NEAR)
def test_yes_and_no_are_only_what_is_said(value):
    answer, refusal = attempt(yes_no, value)

    said = [meaning for meaning, words in SAID.items() if value.strip().casefold() in words]
    assert said == ([] if answer is None else [answer])
    assert (refusal is None) == (bool(said) or not value.strip())


WORDS = st.text(st.characters(categories=["L", "N"]) | st.sampled_from("-'’ ."))


@given(WORDS)
def test_a_title_differs_in_capitals_and_blanks_alone(value):
    written = title(value) or ""

    assert "".join(written.split()).casefold() == "".join(value.split()).casefold()
    assert written == " ".join(written.split())


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"])))
def test_text_that_is_escaped_comes_back(value):
    assert strip_tags(escape(value)) == (" ".join(value.split()) or None)
    assert strip_tags(f"<p>{escape(value)}</p><script>x</script>") == (" ".join(value.split()) or None)


@given(st.lists(st.from_regex(r"\A[a-z0-9_]+\Z"), min_size=1), st.sampled_from([None, ",", ";"]))
def test_choices_come_back_in_their_order(codes, by):
    assert choices((by or " ").join(codes), by=by) == codes == choices(codes)


@given(UNICODE)
def test_base64_comes_back(value):
    assert decode_base64(encode_base64(value)) == (value or None)
    assert decode_base64(encode_base64(value.encode()), to="bytes") == (value.encode() or None)


PARTS = st.lists(UNICODE.map(str.strip).filter(bool), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_uuids_are_one_for_the_same_parts_alone(some, others):
    assert (uuid_of(*some) == uuid_of(*others)) == (some == others)


@given(st.dictionaries(UNICODE.filter(str.strip).map(str.strip), st.integers()), UNICODE)
def test_a_table_says_what_is_in_it(entries, code):
    codes = table(entries, unknown="error")

    assert dict(codes) == entries
    meaning, refusal = attempt(codes, code)
    assert meaning == entries.get(code.strip())
    assert (refusal is None) == (not code.strip() or code.strip() in entries)


@given(st.dates(), st.dates())
def test_age_is_the_number_of_birthdays(day, born):
    assume(born <= day)

    def birthday(year):
        try:
            return born.replace(year=year)
        except ValueError:  # 29 February
            return date(year, 3, 1)

    assert age_on(day, born) == sum(birthday(year) <= day for year in range(born.year + 1, day.year + 1))


@given(st.dates(max_value=date(9999, 11, 30)))
def test_after_the_last_day_comes_the_first_of_the_next_month(day):
    last = last_day(day)

    assert ((last + timedelta(days=1)).day, last.month, last >= day) == (1, day.month, True)


@given(JSON, UNICODE | st.from_regex(r"\A[$.]?[a-c.*@\[\]0-9'?:,-]{1,10}\Z"))
def test_any_path_is_followed_or_an_argument_error(value, path):
    _, refusal = attempt(value_at, value, path, error=ArgumentError)

    assert refusal is None or "path" in str(refusal)


@given(JSON, UNICODE.filter(bool))
def test_a_key_of_its_own_is_always_found(value, key):
    found = value_at({key: value}, key)

    assert found is value


def leaves(value, path="$"):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}['{key}']")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="'\\"))
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


@given(TREES)
def test_every_leaf_has_a_path(tree):
    for path, leaf in leaves(tree):
        assert value_at(tree, path) is leaf


@given(st.lists(st.dictionaries(st.just("k"), st.integers(0, 3) | st.none())))
def test_groups_hold_every_item_that_has_the_key_in_order(items):
    groups = group_by(items, "k")

    assert [item for group in groups.values() for item in group] == sorted(
        (item for item in items if item.get("k") is not None), key=lambda item: list(groups).index(item["k"])
    )


@given(st.lists(st.integers()), st.integers(1, 10))
def test_batches_hold_every_item_in_order(items, size):
    found = list(batches(iter(items), size))

    assert [item for batch in found for item in batch] == items
    assert all(len(batch) == size for batch in found[:-1])


@given(JSON)
@settings(deadline=None)
def test_what_is_read_from_text_can_stand_in_a_state(value):
    for name, (read, kinds) in READERS.items():
        if kinds not in (object, list, dict, bytes):
            assert encode({"data": attempt(read, value)[0]}), name
