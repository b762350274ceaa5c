"""The page for those who come from OpenFn: each form on it runs, no helper is missing, and no row of the study is forgotten."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import unquote_plus, urlencode

import crossdock
import crossdock_http
import pytest
from crossdock import Job, Operation, Plugins, Run, load_job, set_data
from crossdock.adaptors import http
from crossdock.credentials import Credentials, known_fields
from crossdock.decoding import decode
from crossdock.redaction import Redactor
from crossdock.state import encode
from crossdock.testing import RunJob
from crossdock_dhis2.testing import FakeDhis2
from crossdock_http import HttpConfiguration
from fix_documents import ROOT, Block, Row, blocks, code_in, rows
from pytest_httpserver import HTTPServer
from ruamel.yaml import YAML
from werkzeug import Request, Response

HELPERS = {
    "common": """execute fn alterState fnIf combine each beta.each map as group merge join dataPath dataValue sourceValue source
        referencePath lastReferenceValue jsonValue asData field fields index arrayToString toArray chunk splitKeys humanProper
        scrubEmojis composeNextState cursor parseCsv validate assert log debug dateFns.parse dateFns.format _
        metadata.createEntity dedupArrayOfObjects expandReferences http.get http.post http.request http.options""",
    "util": """util.request util.get util.post util.put util.del util.parseUrl util.assertRelativeUrl util.makeBasicAuthHeader
        util.logResponse util.encodeFormBody util.enableMockClient util.normalizeOauthConfig util.encode util.decode
        util.uuid util.parseDate util.throwError normalizeOauthConfig encode decode uuid throwError""",
    "http": "request get del post put patch parseXML parseCSV",
    "dhis2": """get create update upsert destroy tracker.import tracker.export http.get http.post http.patch http.request
        util.attr util.dv util.findAttributeValue util.findAttributeValueById metadata patch discover attr dv""",
    "postgresql": """sql findValue insert insertMany upsert upsertIf upsertMany describeTable insertTable modifyTable util.format
        setNull""",
    "options of http": """query headers body contentType errors parseAs timeout tls maxRedirections agentOptions
        followAllRedirects authentication auth qs params form formData json gzip successCodes responseType encoding keepCookie
        access_token baseUrl""",
    "idioms": """references await then Promise.all lastRunDateTime manualCursor toISOString setTimeout state.error handleMultiSelect
        parseInt collections.get collections.set console.log undefined[*]""",
}
"""The names that somebody who comes from OpenFn may search the page for."""

ROWS_OF_THE_STUDY = {
    1: "test_c01_each_operation_runs_once_and_in_order",
    2: "test_c02_a_job_without_operations_leaves_the_state",
    3: "test_c03_what_stands_after_an_operation_that_failed_never_runs",
    4: "execute",
    5: "test_c05_a_value_is_found_and_a_missing_one_is_none",
    6: "test_c06_and_08_one_value_or_all_of_them",
    7: "test_c07_the_leading_dollar_is_optional",
    8: "test_c06_and_08_one_value_or_all_of_them",
    9: "test_c09_falsy_values_stay_what_they_are",
    10: "test_c10_a_key_may_have_any_sign",
    11: "test_c11_at_signs_need_no_quotes_at_any_depth",
    12: "test_c12_a_key_with_a_dot_is_found_as_one_key",
    13: "test_c13_indexes_and_wildcards",
    14: "referencePath",
    15: "lastReferenceValue",
    16: "test_c16_and_17_every_item_runs_in_order_with_data_and_index",
    17: "test_c16_and_17_every_item_runs_in_order_with_data_and_index",
    18: "test_c18_and_19_afterwards_the_state_is_what_it_was",
    19: "test_c18_and_19_afterwards_the_state_is_what_it_was",
    20: "test_c20_none_is_empty_and_is_logged_with_its_path",
    21: "test_c21_the_items_of_a_list_are_its_members",
    22: "test_c22_what_is_no_list_of_items_is_an_error_that_names_each",
    23: "test_c23_and_h43_each_item_is_posted_with_its_own_values",
    24: "test_c24_a_job_may_stand_in_a_job",
    25: "test_c25_an_operation_runs_where_the_condition_holds",
    26: "test_c26_a_function_maps_items_with_their_index_and_the_state",
    27: "test_c27_a_result_gets_a_name_and_data_is_what_it_was",
    28: "test_c28_items_are_grouped_by_a_key_a_path_or_a_function",
    29: "merge",
    30: "join",
    31: "fields",
    32: "test_c32_what_there_is_is_joined",
    33: "test_c33_one_is_a_list_of_one",
    34: "splitKeys",
    35: "scrubEmojis",
    36: "test_c36_batches_of_a_size",
    37: "test_c37_underscores_are_blanks_and_hyphens_stay",
    38: "test_c38_to_c40_a_default_may_be_a_moment_in_words",
    39: "test_c38_to_c40_a_default_may_be_a_moment_in_words",
    40: "test_c38_to_c40_a_default_may_be_a_moment_in_words",
    41: "test_c41_the_names_of_cursors_are_those_of_their_run",
    42: "test_c42_rows_become_dicts_of_text",
    43: "test_c43_44_and_48_a_stream_is_read_in_batches_and_never_as_a_whole",
    44: "test_c43_44_and_48_a_stream_is_read_in_batches_and_never_as_a_whole",
    45: "test_c45_a_ragged_row_is_named_by_its_line",
    46: "test_c46_batches_of_no_rows_are_an_error",
    47: "test_c47_mark_blanks_quotes_and_empty_lines",
    48: "test_c48_a_large_stream_needs_the_memory_of_a_row",
    49: "test_c49_other_delimiters_and_tables_without_a_first_line",
    50: "test_c50_what_fits_leaves_the_state_and_what_does_not_is_an_error",
    51: "test_c51_schema_and_value_are_paths_or_functions_too",
    52: "test_c52_each_item_has_its_own_faults",
    53: "test_c53_two_schemas_without_an_id_do_not_mix",
    54: "test_c54_what_does_not_hold_is_an_error_with_its_message",
    55: "test_c55_what_is_logged_is_resolved_and_the_state_stays",
    56: "test_c56_base64",
    57: "test_c57_arguments_are_resolved_in_dicts_lists_and_tuples",
    58: "test_c58_a_callback_is_passed_through_and_not_called",
    59: "test_c59_a_field_is_known_under_each_of_its_names",
    60: "composeNextState",
    61: "test_c61_a_job_error_keeps_its_code_message_fix_and_details",
}
"""What proves each behaviour C01 to C61 of the study: a test, or the line of the page for a name."""

PAGE = ROOT / "docs/coming-from-openfn.md"
ROWS = rows(PAGE)
FIRST, *IDIOMS = blocks("python", documents=[PAGE])
NAMES: dict[str, Any] = {"__name__": "documented"}
exec(compile(FIRST.text, str(PAGE), "exec"), NAMES)

NOW = datetime(2024, 5, 10, 12, tzinfo=UTC)
PERSON = {"id": 7, "name": "Amina"}
ANSWERS = {
    "/people": [PERSON],
    "/people/7": PERSON,
    "/clinics.csv": "code\nKSM-01\n",
    "/schema.json": {"type": "object", "required": ["form"]},
    "/visits": {"results": [1, 2], "next": "/visits?page=2"},
    "/visits?page=2": {"results": [3], "next": None},
}
"""What the http server of the examples answers with; to others with an empty list, and 404 below /gone."""


class Sent(NamedTuple):
    """A request that arrived at one of the systems."""

    method: str
    target: str
    headers: Any
    body: str

    def is_as_told(self, told: str) -> bool:
        """Tell whether it is what the page says, with the body if that is told."""
        method, target, body = [*told.split(" ", 2), ""][:3]
        return (method, target) == self[:2] and (not body or _read(body) == _read(self.body))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Played(NamedTuple):
    """A run that ended, and what it sent."""

    run: Run
    sent: list[Sent]

    @property
    def final(self) -> dict[str, Any]:
        """The final state, as JSON."""
        return decode(encode(self.run.state))

    @property
    def changed(self) -> dict[str, Any]:
        """What it left in the state that was not there, apart from what the run notes itself."""
        before, noted = NAMES["sample"], ("failed", "warnings")
        return {key: value for key, value in self.final.items() if key not in noted and before.get(key) != value}


Play = Callable[[Operation, str], Played]


@pytest.fixture
def play(request: Any, httpserver: HTTPServer, dhis2_server: FakeDhis2, run_job: RunJob) -> Play:
    """Run an operation on the state and the systems of the page."""
    httpserver.expect_request(re.compile("")).respond_with_handler(_answer)
    base_url = httpserver.url_for("").rstrip("/")
    entries = {"api": {"adaptor": "http", "base_url": base_url, "db": "clinics"}, "hmis": dhis2_server.credential}
    entries["acme"] = {"adaptor": "acme", "base_url": base_url}

    def run(operation: Operation, code: str) -> Played:
        if "postgresql" in code:
            entries["warehouse"] = request.getfixturevalue("postgres").credential
            assert run_job(NAMES["clinics"], credentials=entries).outcome == "success"
        ended = run_job(operation, state=NAMES["sample"], credentials=entries, now=NOW)
        return Played(ended, [*map(_sent, httpserver.log), *map(_sent_to_dhis2, dhis2_server.requests)])

    return run


def _answer(request: Request) -> Response:
    found = ANSWERS.get(request.full_path, ANSWERS.get(request.path, []))
    if isinstance(found, str):
        return Response(found, content_type="text/csv")
    gone = request.path == "/gone"
    return Response(
        json.dumps({"error": "not found"} if gone else found), 404 if gone else 200, content_type="application/json"
    )


def _sent(logged: tuple[Request, Any]) -> Sent:
    request = logged[0]
    return Sent(
        request.method,
        unquote_plus(request.full_path.removesuffix("?")),
        request.headers,
        request.get_data(as_text=True),
    )


def _sent_to_dhis2(request: Any) -> Sent:
    query = unquote_plus(urlencode(request.query, doseq=True))
    return Sent(
        request.method, request.path + (query and f"?{query}"), request.headers, json.dumps(request.body or None)
    )


def operation_of(row: Row) -> tuple[Operation, bool]:
    """Give a form of the page as an operation, and tell whether the page shows that operation itself."""
    inside = row.cells.get("in a function")
    (code,) = code_in(row.cells["here"] if inside is None else inside)
    compiled = compile(code, str(row), "eval")
    if inside is not None:
        return Job(lambda state: state.result(eval(compiled, {**NAMES, "state": state}))), False
    form = eval(compiled, dict(NAMES))
    return (form, True) if isinstance(form, Operation) else (set_data(form), False)


def check_sent(told: list[str], played: Played) -> None:
    """Check that the requests were those that are told, each with the headers that stand after it."""
    requests = [line for line in told if ": " not in line.partition("/")[0]]
    assert len(played.sent) == len(requests), [request[:2] for request in played.sent]
    at = -1
    for line in told:
        if line in requests:
            at += 1
            assert played.sent[at].is_as_told(line), played.sent[at]
        else:
            name, _, value = line.partition(": ")
            assert played.sent[at].headers[name] == value


def check_given(told: list[str], value: Any) -> None:
    """Check that a value is the one that is told."""
    (expected,) = told
    assert value == eval(expected, {})


FORMS = [row for row in ROWS if ("gives" in row.cells or "sends" in row.cells) and list(row.cells.values())[1]]


@pytest.mark.parametrize("row", FORMS, ids=str)
def test_each_form_of_a_table_gives_or_sends_what_the_page_says(row, play):
    operation, shown = operation_of(row)

    played = play(operation, str(row.cells))

    told = row.cells.get("gives") or row.cells.get("sends") or ""
    if told.startswith("fails"):
        assert played.run.outcome == "failed"
        assert [played.run.error.code] == code_in(told)
        return
    assert played.run.outcome == "success", played.run.error
    if "sends" in row.cells:
        check_sent(code_in(told), played)
    elif told:
        values = list(played.changed.values()) if shown else [played.final["data"]]
        assert len(values) == 1, played.changed
        check_given(code_in(told), values[0])
    else:
        assert played.changed == {}


@pytest.mark.parametrize("block", IDIOMS, ids=str)
def test_each_job_of_the_page_does_what_it_says_below(block, play, tmp_path):
    (tmp_path / "job.py").write_text(block.text, encoding="utf-8")

    played = play(load_job(tmp_path / "job.py"), block.text)

    for what, told in claims(block):
        if what == "Sends":
            check_sent(told, played)
        elif what == "Gives":
            check_given(told, *played.changed.values())
        else:
            assert played.run.outcome == told[0]
            assert [failed["error"]["code"] for failed in played.run.state["failed"]] == told[1:2]
    assert "Ends" in block.after or played.run.outcome == "success", played.run.error


def claims(block: Block) -> list[tuple[str, list[str]]]:
    """Give what the paragraph below a job says of it: what it sends, gives and ends as."""
    found = re.findall(r"^(Sends|Gives|Ends) (.*)", block.after, re.MULTILINE)
    assert found, "a job of the page says what it does"
    return [(what, code_in(told)) for what, told in found]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_a_table_only_names_is_there(row):
    names = {**vars(crossdock), **vars(crossdock_http), **NAMES, **HttpConfiguration.model_fields}
    only_named = row.cells.get("") if {"gives", "sends"} & set(row.cells) else row.cells["here"]

    for code in code_in(only_named):
        eval(code.partition(": ")[0], {**names, "FakeDhis2": FakeDhis2, "data": None})


def test_a_line_without_a_form_says_why():
    assert [str(row) for row in ROWS if not list(row.cells.values())[1] and not row.cells.get("")] == []


@pytest.mark.parametrize("block", blocks("yaml", documents=[PAGE]), ids=str)
def test_the_credentials_of_the_page_are_valid(block, monkeypatch):
    for name in re.findall(r"env:(\w+)", block.text):
        monkeypatch.setenv(name, "a secret of a test")
    entries = YAML(typ="safe", pure=True).load(block.text)

    for name, entry in entries.items():
        assert Credentials(entries, plugins=Plugins(), redactor=Redactor()).configuration(http.adaptor, name)
        assert [field for field in entry if not known_fields(HttpConfiguration, {field: None})] == ["adaptor"]


@pytest.mark.parametrize("group", HELPERS)
def test_every_name_of_openfn_is_on_the_page(group):
    assert [name for name in HELPERS[group].split() if not is_told(name)] == []


def is_told(name: str) -> bool:
    """Tell whether somebody who searches for a name finds it: on the left of a table, or in what leads an idiom in."""
    left = [code for row in ROWS for code in code_in(row.cells["there"])]
    idioms = re.sub(r"^```.*?^```$", "", PAGE.read_text(encoding="utf-8").partition("## Idioms")[2], flags=re.M | re.S)
    return any(re.search(rf"(?<![\w]){re.escape(name)}(?!\w)", code) for code in [*left, *code_in(idioms)])


def test_every_row_of_the_study_is_proven():
    tests = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    }

    assert list(ROWS_OF_THE_STUDY) == list(range(1, 62))
    assert [name for name in ROWS_OF_THE_STUDY.values() if name not in tests and not is_told(name)] == []
