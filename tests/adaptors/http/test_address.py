"""From a path to a URL: where it may lead, and what becomes of values in it and in the query."""

import json
import re
from urllib.parse import parse_qsl, quote

import pytest
from crossdock.adaptors import http
from crossdock_http import Client, HttpConfiguration, UrlError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug import Response

PROPERTY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def asked(request):
    environ = request.environ
    return Response(json.dumps([environ["REQUEST_URI"], environ["QUERY_STRING"]]), content_type="application/json")


@pytest.fixture
def client(httpserver):
    """A client of a server that answers with the URL and query that it was asked for."""
    httpserver.expect_request(re.compile("(?s).*")).respond_with_handler(asked)
    with Client(HttpConfiguration(base_url=httpserver.url_for("").rstrip("/"))) as client:
        yield client


def test_h01_a_text_is_got_below_the_base_url(httpserver, run_http):
    httpserver.expect_request("/greeting", method="GET").respond_with_data("hello", content_type="text/plain")

    assert run_http(http.get("/greeting")).state.data == "hello"


@pytest.mark.parametrize("path", ["", "greeting", "/greeting", "?a=1"])
def test_h10_a_path_needs_a_base_url(run_job, path):
    """Upstream tells two codes apart; here it is one, and the message names the path."""
    run = run_job(http.get(path))

    assert (run.outcome, run.error.code) == ("failed", "unsafe_url")
    assert repr(path.partition("?")[0]) in run.error.message
    assert "base_url" in run.error.fix


def test_h10_a_whole_url_needs_none(httpserver, run_job):
    httpserver.expect_request("/greeting").respond_with_data("hello")
    anywhere = {"adaptor": "http", "allow_private_addresses": True}

    run = run_job(http.get(httpserver.url_for("/greeting")), credentials={"api": anywhere})

    assert run.state.data == "hello"


def test_h11_a_url_of_another_origin_is_refused_unsent(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data("own")

    error = run_http(http.get("http://other.example/x?token=c4nary")).error
    own = run_http(http.get(httpserver.url_for("/x")))

    assert isinstance(error, UrlError)
    assert "http://other.example:80 is another origin" in error.message
    assert "c4nary" not in error.message
    assert (own.state.data, len(httpserver.log)) == ("own", 1)


@pytest.mark.parametrize("base", ["/api", "/api/"])
@pytest.mark.parametrize("path", ["a", "/a"])
def test_h12_slashes_between_base_url_and_path_make_no_difference(httpserver, run_http, base, path):
    httpserver.expect_request("/api/a").respond_with_data("there")

    assert run_http(http.get(path), base_url=httpserver.url_for(base)).state.data == "there"


@pytest.mark.parametrize("path", [None, 7, b"/x", ["/x"]])
def test_a_path_that_is_no_text_is_refused_by_its_type(run_http, path):
    error = run_http(http.get(path)).error

    assert isinstance(error, UrlError)
    assert type(path).__name__ in error.message


@pytest.mark.parametrize(
    ("path", "params", "said"),
    [
        ("/people", {"id": 7}, "params has id"),
        ("/people/{id}", {"idd": 7}, "params has idd"),
        ("/people/{id}", None, "params['id'] is None"),
        ("/people/{id}", {}, "params['id'] is None"),
        ("/people/{id}", {"id": ["7"]}, "params['id'] is of type list"),
        ("/people/{id}", {"id": {"a": 1}}, "params['id'] is of type dict"),
    ],
)
def test_values_without_a_place_and_places_without_a_value_are_refused(httpserver, run_http, path, params, said):
    """``delete("/people", params={"id": 7})`` would delete all of them."""
    error = run_http(http.delete(path, params=params)).error

    assert isinstance(error, UrlError)
    assert said in error.message
    assert httpserver.log == []


def test_braces_in_a_query_are_left_alone(client):
    assert client.get("/x?filter={name}").data[1] in ("filter={name}", "filter=%7Bname%7D")


@pytest.mark.parametrize(
    "path",
    ["ftp://x.example/?key=c4nary", "/a b?key=c4nary", "/x#access_token=c4nary", "file:x?c4nary", "/../x?c4nary"],
)
def test_a_path_that_is_refused_is_shown_without_its_query(run_http, path):
    error = run_http(http.get(path)).error

    assert isinstance(error, UrlError)
    assert "c4nary" not in f"{error.message} {error.details}"


@pytest.mark.parametrize("path", ["//[x", "http://[x/", "http://x.example:port/"])
def test_a_host_that_can_not_be_is_refused(run_http, path):
    assert isinstance(run_http(http.get(path)).error, UrlError)


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ({"id": 1}, "id=1"),
        ({"b": [1, 2], "e": True, "f": "x y&z"}, "b=1&b=2&e=true&f=x%20y%26z"),
        ({"a": None, "b": [None, "1"], "c": []}, "b=1"),
        ({"a": ""}, "a="),
        ({"where": {"a": [1]}}, "where=%7B%22a%22%3A%5B1%5D%7D"),
        ({}, ""),
    ],
)
def test_h18_a_query_is_written_like_this(client, query, sent):
    assert client.get("/x", query=query).data[1] == sent


def test_h18_what_the_url_has_wins_and_the_metadata_tell_what_was_asked(client):
    answer = client.get("/x?z=9&a=url&m=1&m=2", query={"a": "opt", "n": None, "b": 1})

    assert answer.data[1] == "z=9&a=url&m=1&m=2&b=1"
    assert answer.response["query"] == {"z": "9", "a": "url", "m": ["1", "2"], "b": 1}
    assert client.get("/x?z=9").response["query"] == {"z": "9"}
    assert "query" not in client.get("/x").response


def test_h18_the_key_of_the_credential_is_not_in_the_metadata(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({})

    run = run_http(
        http.get("/x", query={"page": 1}),
        lambda s: s.result(s.response["query"]),
        api_key={"value": "key-c4nary", "query": "api_key"},
    )

    assert run.state.data == {"page": 1}


@PROPERTY
@given(st.dictionaries(st.text(), st.lists(st.text(), min_size=1, max_size=3), max_size=4))
@example({"": [""]})
@example({"a&b=c": ["+ %2B", "#", "?"]})
def test_h18_any_query_arrives_as_it_is(client, query):
    pairs = [(name, value) for name, values in query.items() for value in values]

    assert parse_qsl(client.get("/x", query=query).data[1], keep_blank_values=True) == pairs


@PROPERTY
@given(st.dictionaries(st.text(), st.lists(st.text(), min_size=1, max_size=3), max_size=4))
@example({"": [""]})
def test_any_form_arrives_as_it_is(httpserver, client, form):
    httpserver.expect_oneshot_request("/form").respond_with_handler(
        lambda request: Response(json.dumps(request.get_data(as_text=True)), content_type="application/json")
    )
    pairs = [(name, value) for name, values in form.items() for value in values]

    assert parse_qsl(client.post("/form", form=form).data or "", keep_blank_values=True) == pairs


@PROPERTY
@given(st.text())
@example("%2e%2e")
@example("..;/")
@example("{b}")
@example("\x00")
def test_ht_19_any_value_is_one_segment_or_refused(client, value):
    if value in ("", ".", ".."):
        with pytest.raises(UrlError):
            client.url("/{a}/end", {"a": value})
        return

    assert client.get("/{a}/end", params={"a": value}).data[0] == f"/{quote(value, safe='')}/end"


@PROPERTY
@given(st.text(st.sampled_from("./\\%25eE2fF;:@?#ab{}[] \t"), max_size=12))
@example("//evil.example/x")
@example("http://evil.example/x")
@example("%252e%252e/x")
def test_ht_19_no_path_leaves_the_base_url(httpserver, value):
    base = httpserver.url_for("/base")
    with Client(HttpConfiguration(base_url=base)) as client:
        try:
            url = client.url(value)
        except UrlError:
            return
    assert url == base or url.startswith(f"{base}/")
