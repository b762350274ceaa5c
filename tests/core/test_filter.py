"""Filter: containment as PostgreSQL has it, and why a payload does not pass."""

import json

import pytest
from crossdock import Job, Run, Step, Workflow, set_data
from crossdock.errors import InputError
from crossdock.filter import Filter, contains
from crossdock.testing import Postgres
from crossdock.workflow import Edge
from fix_filters import GOLDEN, NO, YES
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(("body", "wanted", "held"), GOLDEN)
def test_containment_is_that_of_the_golden_table(body, wanted, held):
    assert contains(json.loads(body), json.loads(wanted)) is held


def in_postgres(postgres: Postgres, body: str, wanted: str) -> bool:
    return postgres.execute("select %s::jsonb @> %s::jsonb as held", body, wanted)[0]["held"]


def test_the_golden_table_is_what_postgresql_says(postgres: Postgres):
    assert [(*pair, in_postgres(postgres, *pair)) for pair in YES + NO] == GOLDEN


def test_a_number_with_a_fraction_is_what_python_reads_it_as(postgres: Postgres):
    body, wanted = '{"n":0.1}', '{"n":0.10000000000000001}'

    assert not in_postgres(postgres, body, wanted)
    assert contains(json.loads(body), json.loads(wanted))


SCALARS = st.none() | st.booleans() | st.sampled_from([0, 1, 8, 8.0, -0.0, 0.5, 1e23, 10**23, 2**53 + 1, "8", "", "a"])
JSON = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)


@st.composite
def parts(draw, of):
    """A value that is likely contained in another one."""
    if isinstance(of, dict):
        return {key: draw(parts(item)) for key, item in of.items() if draw(st.booleans())}
    if isinstance(of, list):
        return [draw(parts(item)) for item in draw(st.permutations(of)) if draw(st.booleans())]
    return draw(st.just(of) | SCALARS)


PAIRS = JSON.flatmap(lambda body: st.tuples(st.just(body), parts(body) | JSON))


@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # the pairs of one example are few enough to read
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(PAIRS, min_size=50, max_size=100))
def test_containment_is_that_of_postgresql_for_any_two_values(postgres: Postgres, pairs):
    texts = [[json.dumps(value) for value in side] for side in zip(*pairs, strict=True)]
    query = "select a::jsonb @> b::jsonb as held from unnest(%s::text[], %s::text[]) with ordinality as t(a, b, n) order by n"
    held = [row["held"] for row in postgres.execute(query, *texts)]

    assert [contains(*pair) for pair in pairs] == held


@given(JSON)
def test_any_value_contains_itself(value):
    assert contains(value, value)


# Filters


@pytest.mark.parametrize(
    ("body", "include", "exclude", "holds"),
    [
        ({"name": "john doe"}, {"name": "john doe"}, {"allowedToShare": False}, True),
        ({"name": "john doe", "allowedToShare": False}, {"name": "john doe"}, {"allowedToShare": False}, False),
        (
            {"data": [{"outlet_call": "TRUE", "new_existing": "Existing", "outlet": 7}]},
            {"data": [{"outlet_call": "TRUE", "new_existing": "Existing"}]},
            None,
            True,
        ),
        ({"form": {"@xmlns": "urn:a", "case": {}}}, '{"form": {"@xmlns": "urn:a"}}', "", True),
        ({"form": "bns_survey", "body": {"survey_type": "practice"}}, {"form": "bns_survey"}, {"body": {}}, False),
        ({"any": 1}, None, None, True),
        ({"any": 1}, " \n", "\t", True),
        ({"any": 1}, {}, None, True),
        ({"any": 1}, None, {}, False),
        ([{"a": 1}], [{"a": 1}], None, True),
    ],
)
def test_a_filter_includes_and_excludes_a_blank_is_none(body, include, exclude, holds):
    assert Filter(include, exclude).holds(body) is holds


@pytest.mark.parametrize(
    ("include", "exclude", "said"),
    [
        ('{"form":\n v2}', None, "include of the trigger 'form' is not JSON: Expecting value in line 2, column 2"),
        (
            None,
            '{"a": 1, "a": 2}',
            "exclude of the trigger 'form' is not strict JSON: a key stands twice in one object",
        ),
        ({"a": [{1}]}, None, "include of the trigger 'form' is not JSON: a value of type set is not JSON at $.a[0]"),
        (None, 7, "exclude of the trigger 'form' is of type int, neither a mapping nor a text"),
        ({1: "a"}, None, "include of the trigger 'form' is not JSON: the key 1"),
    ],
)
def test_a_filter_that_is_not_json_says_which_part_and_where(include, exclude, said):
    with pytest.raises(InputError) as caught:
        Filter(include, exclude, what="the trigger 'form'")

    assert said in caught.value.message


def test_a_filter_stays_as_it_was_built():
    include = {"tags": ["a"]}
    built = Filter(include)

    include["tags"].append("b")

    assert built.holds({"tags": ["a"]})
    assert repr(built) == "Filter(include={'tags': ['a']}, exclude=None)"


@pytest.mark.parametrize(("data", "is_followed"), [({"kind": "visit"}, True), ({"kind": "visit", "test": True}, False)])
def test_an_edge_may_ask_a_filter(data, is_followed):
    edge = Edge("report", when=Filter({"data": {"kind": "visit"}}, exclude={"data": {"test": True}}))
    run = Run(Workflow("visits", Step("load", Job(set_data(data)), next=[edge]), Step("report", Job(set_data("sent")))))

    run.execute()

    assert run.state.data == ("sent" if is_followed else data)
    assert str(edge) == 'always, when include {"data": {"kind": "visit"}}, exclude {"data": {"test": true}}'


SECRET = "Amina-0712"


@pytest.mark.parametrize(
    ("body", "include", "reasons"),
    [
        ({"formID": SECRET}, {"formID": "v7"}, ['$.formID is another text of length 10; wanted "v7"']),
        ({"n": "8"}, {"n": 8}, ["$.n is a text of length 1; wanted 8"]),
        ({"n": 9}, {"n": 8}, ["$.n is another number; wanted 8"]),
        ({"n": 1}, {"n": True}, ["$.n is a number; wanted true"]),
        ({"n": None}, {"n": {"a": 1}}, ['$.n is null; wanted {"a": 1}']),
        ({"n": {SECRET: SECRET}}, {"n": 1}, ["$.n is an object; wanted 1"]),
        ({"a": {"b": SECRET}}, {"a": {"c/d": 1}, "e": None}, ['$.a["c/d"] is missing; wanted 1', "$.e is missing; wanted null"]),
        ({"t": [SECRET, "b"]}, {"t": ["b", "c"]}, ['$.t is a list of length 2, and no item holds "c"']),
        ({"t": SECRET}, {"t": ["b"]}, ['$.t is a text of length 10; wanted ["b"]']),
        ({"d": ["x", {"y": SECRET}]}, {"d": [{"y": 1}]}, ["$.d[1].y is a text of length 10; wanted 1"]),
        ({"d": [{"y": 2}, {"y": SECRET}]}, {"d": [{"y": 1}]}, ['$.d is a list of length 2, and no item holds {"y": 1}']),
        ([SECRET], {"y": 1}, ['$ is a list of length 1; wanted {"y": 1}']),
    ],
)  # fmt: skip
def test_a_payload_that_does_not_pass_is_explained_without_its_values(body, include, reasons):
    explained = [str(mismatch) for mismatch in Filter(include).explain(body)]

    assert explained == [f"include: {reason}" for reason in reasons]
    assert SECRET not in str(explained)


def test_both_parts_of_a_filter_are_explained():
    mismatches = Filter({"form": "visit"}, {"test": True}).explain({"form": 1, "test": True})

    assert [mismatch._asdict() for mismatch in mismatches] == [
        {"part": "include", "path": "$.form", "reason": 'is a number; wanted "visit"'},
        {"part": "exclude", "path": "$", "reason": 'holds {"test": true}'},
    ]


@settings(max_examples=400, deadline=None)
@given(PAIRS, PAIRS)
def test_what_does_not_pass_is_explained_and_nothing_else(include, exclude):
    built = Filter(json.dumps(include[1]), json.dumps(exclude[1]))

    for body in (include[0], exclude[0]):
        assert (built.explain(body) == []) is built.holds(body)


# Filters that nothing passes


@pytest.mark.parametrize(
    ("include", "exclude", "accept", "possible"),
    [
        ({"form": "visit"}, {"test": True}, "object", True),
        ({"form": "visit", "test": True}, {"test": True}, "object", False),
        ({"form": "visit"}, {"form": "visit", "test": True}, "object", True),
        ({"tags": ["a", "b"]}, {"tags": ["b"]}, "object", False),
        (None, {"a": 1}, "object", True),
        (None, {}, "object", False),
        (None, {}, "any", True),
        ([{"a": 1}], None, "object", False),
        ([{"a": 1}], None, "any", True),
        ('"bar"', '["bar"]', "any", True),
        ('["bar"]', '"bar"', "any", False),
    ],
)
def test_a_filter_that_excludes_all_that_it_includes_can_not_match(include, exclude, accept, possible):
    assert Filter(include, exclude).can_match(accept=accept) is possible


@settings(max_examples=500, deadline=None)
@given(PAIRS.flatmap(lambda pair: st.tuples(st.just(pair[0]), st.just(pair[1]), parts(pair[1]))))
def test_nothing_passes_a_filter_that_can_not_match(values):
    body, include, exclude = values
    assume(include is not None and exclude is not None)  # null is no filter
    built = Filter(json.dumps(include), json.dumps(exclude))
    assume(not built.can_match(accept="any"))

    assert not built.holds(body)
