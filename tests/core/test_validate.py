"""validate: C50 to C53, and what a JSON Schema may be."""

import datetime

import pytest
from crossdock import JobError, State, each, state, validate
from crossdock.errors import ArgumentError

DRAFTS = {
    "draft-07": "http://json-schema.org/draft-07/schema#",
    "2019-09": "https://json-schema.org/draft/2019-09/schema",
    "2020-12": "https://json-schema.org/draft/2020-12/schema",
}
PERSON = {
    "title": "Person",
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
}


def faults_of(schema, value):
    with pytest.raises(JobError) as caught:
        validate(schema, value)(State())
    assert caught.value.code == "INVALID_DATA"
    return [(fault["path"], fault["message"]) for fault in caught.value.details["faults"]]


@pytest.mark.parametrize("draft", DRAFTS)
def test_c50_what_fits_leaves_the_state_and_what_does_not_is_an_error(run_job, draft):
    schema = {"$schema": DRAFTS[draft], **PERSON}

    good = run_job(validate(schema), state={"data": {"name": "Amina", "age": 30}, "kept": 1})
    bad = run_job(validate(schema), state={"data": {"name": "Amina", "age": "unknown"}})

    assert (good.outcome, good.state) == ("success", {"data": {"name": "Amina", "age": 30}, "kept": 1})
    record = bad.state.errors["job"]
    assert (bad.outcome, record["code"]) == ("failed", "INVALID_DATA")
    assert record["details"]["faults"] == [{"path": "$.age", "message": "must be of type integer", "keyword": "type"}]


def test_c50_the_draft_is_the_one_that_is_named():
    """In draft 7 prefixItems is no keyword, and the items of a list are checked by position."""
    items = {"items": [{"type": "integer"}]}

    assert faults_of({"$schema": DRAFTS["draft-07"], **items}, ["x"]) == [("$[0]", "must be of type integer")]
    assert faults_of({"prefixItems": [{"type": "integer"}]}, ["x"]) == [("$[0]", "must be of type integer")]
    assert validate({"$schema": DRAFTS["draft-07"], "prefixItems": [False]}, ["x"])(State()) == {}


def test_c51_schema_and_value_are_paths_or_functions_too():
    start = State(data=1, s=PERSON, d={"name": "Amina", "age": 30})

    assert validate(state.s, state.d)(start) == start
    assert validate(lambda s: s.s, lambda s: s.d)(start) == start
    with pytest.raises(JobError):
        validate(state.s)(start)


def test_c52_each_item_has_its_own_faults(run_job):
    people = [{"name": "Amina", "age": "a"}, {"age": 1}, {"name": "Juma"}]

    run = run_job(each(state.data, validate(PERSON), on_error="collect"), state={"data": people})

    assert run.outcome == "partial"
    assert [
        (entry["index"], [fault["path"] for fault in entry["error"]["details"]["faults"]]) for entry in run.state.failed
    ] == [(0, ["$.age"]), (1, ["$"])]


def test_c53_two_schemas_without_an_id_do_not_mix():
    text, number = {"type": "string"}, {"type": "number"}

    assert validate(text, "x")(State()) == validate(number, 1)(State()) == {}
    assert faults_of(number, "x") == [("$", "must be of type number")]
    assert faults_of(text, 1) == [("$", "must be of type string")]


def test_c53_two_schemas_with_one_id_do_not_mix():
    number, text = ({"$id": "https://example.org/person", "type": kind} for kind in ("number", "string"))

    assert validate(number, 1)(State()) == validate(text, "x")(State()) == {}
    assert faults_of(text, 1) == [("$", "must be of type string")]


def test_all_faults_are_listed_with_their_paths():
    schema = {
        "properties": {
            "age": {"type": "integer"},
            "tags": {"items": {"enum": ["a", "b"]}, "maxItems": 2},
            "a key": {"minLength": 3},
            "more": {"additionalProperties": False, "required": ["x", "y"]},
        }
    }
    value = {"age": "x", "tags": ["a", "c", "d"], "a key": "ab", "more": {"z": 1}}

    assert faults_of(schema, value) == [
        ("$.age", "must be of type integer"),
        ("$.tags[1]", "must be one of 'a', 'b'"),
        ("$.tags[2]", "must be one of 'a', 'b'"),
        ("$.tags", "must have 2 or fewer items"),
        ('$["a key"]', "must have 3 or more characters"),
        ("$.more", "must have no other keys than the schema names"),
        ("$.more", "must have 'x', 'y'"),
    ]


def test_no_error_shows_a_value():
    schema = {
        "properties": {
            "name": {"maxLength": 3, "pattern": "^x", "enum": ["a"], "const": "b", "format": "email", "not": {}},
            "n": {"anyOf": [{"type": "string"}], "oneOf": [False], "multipleOf": 2, "maximum": 1},
        },
        "propertyNames": {"maxLength": 20},
        "contains": {},
        "dependentRequired": {"name": ["other"]},
        "additionalProperties": False,
    }

    with pytest.raises(JobError) as caught:
        validate(schema)(State(data={"name": "Amina Otieno", "n": 31337, "Amina Otieno lives in Kisumu": 1}))

    shown = f"{caught.value} {caught.value.details} {caught.value.fix}"
    assert caught.value.details["count"] >= 11
    assert not [secret for secret in ("Amina", "31337", "Kisumu") if secret in shown]


def test_a_thousand_faults_are_counted_and_fifty_listed(run_job):
    run = run_job(validate({"items": {"type": "integer"}}), state={"data": ["x"] * 1000})

    details = run.state.errors["job"]["details"]
    assert (len(details["faults"]), details["count"]) == (50, 1000)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2024-05-02T10:00:00Z", "2024-05-02 10:00"),
        ("time", "10:00:00Z", "25:00:00Z"),
        ("email", "a@example.org", "example.org"),
        ("hostname", "example.org", "-example-.org"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "::g"),
        ("uri", "https://example.org/a", "example org"),
        ("uri-reference", "/a?b", "\\a"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("regex", "^a$", "("),
    ],
)
def test_formats_are_checked(name, good, bad):
    assert validate({"format": name}, good)(State()) == {}
    assert faults_of({"format": name}, bad) == [("$", f"must be a {name}")]


def test_dates_are_checked_as_the_text_that_they_become():
    day = datetime.date(2024, 5, 2)

    assert validate({"type": "string", "format": "date"}, day)(State(data=day)).data == day


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "strng"}, r"no JSON Schema: \$\.type "),
        (None, "no JSON Schema"),
        ([], "no JSON Schema"),
        ({"pattern": "("}, r"no JSON Schema: \$\.pattern"),
        ({"$schema": "https://example.org/mine"}, "does not know the draft 'https://example.org/mine'"),
        ({"$schema": []}, "does not know the draft"),
        ({"$ref": "#/$defs/nothing"}, "refers to '.*nothing', which is not in it"),
        ({"$ref": "https://example.org/other.json"}, "refers to 'https://example.org/other.json', which is not in it"),
        ({"$ref": "#"}, "refers to itself without end"),
        ({"enum": {1, 2}}, "a schema that is not JSON"),
    ],
)
def test_what_is_no_schema_is_an_error_that_says_where(schema, said):
    with pytest.raises(ArgumentError, match=said):
        validate(schema, "x")(State())


def test_nothing_is_fetched_from_the_network(httpserver):
    schema = {"$ref": httpserver.url_for("/person.json")}

    with pytest.raises(ArgumentError, match="which is not in it"):
        validate(schema, 5)(State())

    assert httpserver.log == []


def test_schemas_may_be_true_and_false_and_refer_to_parts_of_themselves():
    tree = {
        "$defs": {"node": {"properties": {"in": {"$ref": "#/$defs/node"}}, "type": "object"}},
        "$ref": "#/$defs/node",
    }

    assert validate(True, 1)(State()) == validate(tree, {"in": {"in": {}}})(State()) == {}
    assert faults_of(False, 1) == [("$", "is not allowed here")]
    assert faults_of(tree, {"in": {"in": 1}}) == [("$.in.in", "must be of type object")]
