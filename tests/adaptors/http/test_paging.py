"""How the pages of a list hang together, and where reading ends."""

import threading
from urllib.parse import parse_qsl

import pytest
from crossdock.adaptors import http
from crossdock_http import HttpError, PagingError
from werkzeug import Response


def pages(server, path, answers):
    """Answer each query with its page, and others with 404."""
    for query, answer in answers.items():
        server.expect_request(path, query_string=query).respond_with_json(answer)


def asked(server):
    """Give path and query of each request."""
    return [request.full_path.rstrip("?") for request, _ in server.log]


def counted(total, size, key="items"):
    """Answer offset and limit, or page and pageSize, from a list of numbers."""

    def handle(request):
        query = request.args
        size_ = int(query.get("limit") or query.get("pageSize") or size)
        start = int(query["offset"]) if "offset" in query else (int(query.get("page", 1)) - 1) * size_
        body = {key: list(range(total))[start : start + size_], "total": total, "pages": -(-total // size_)}
        return http_json(body)

    return handle


def http_json(body, **headers):
    import json

    return Response(json.dumps(body), content_type="application/json", headers=headers)


@pytest.mark.parametrize(
    ("style", "links"),
    [
        ("next", ["{url}?p=2", "{path}?p=3"]),
        (http.Next("next"), ["?p=2", "?p=3"]),
    ],
    ids=["absolute, then a path", "queries alone"],
)
def test_h48_pages_linked_by_next(httpserver, run_http, style, links):
    two, three = (link.format(url=httpserver.url_for("/v"), path="/v") for link in links)
    pages(
        httpserver,
        "/v",
        {
            "limit=2": {"results": [1, 2], "next": two},
            "p=2": {"results": [3], "next": three},
            "p=3": {"results": [4], "next": None},
        },
    )

    run = run_http(http.get_all("/v", query={"limit": 2}, pages=style))

    assert run.state.data == [1, 2, 3, 4]
    assert asked(httpserver) == ["/v?limit=2", "/v?p=2", "/v?p=3"]
    assert run.state.get("warnings") is None


@pytest.mark.parametrize("end", [None, "", False])
def test_h48_next_may_lie_within_and_ends_in_many_ways(httpserver, run_http, end):
    pages(
        httpserver,
        "/v",
        {"": {"meta": {"next": "?p=2"}, "d": {"x": [1]}}, "p=2": {"meta": {"next": end}, "d": {"x": []}}},
    )

    assert run_http(http.get_all("/v", pages=http.Next("meta.next"), items="d.x")).state.data == [1]


def test_h48_the_key_of_a_query_goes_to_each_page(httpserver, run_http):
    pages(httpserver, "/v", {"api_key=c4nary": {"r": [1], "next": "?p=2"}, "p=2&api_key=c4nary": {"r": [2]}})

    run = run_http(http.get_all("/v"), api_key={"value": "c4nary", "query": "api_key"})

    assert run.state.data == [1, 2]


@pytest.mark.parametrize(
    "header",
    [
        '<{url}?p=9>; rel="last", <{url}?p=2>; rel="next"',
        "<?p=2>; rel=next",
        '<?p=9>; rel="prev", </v?p=2>; title="a, b"; rel="start next"',
        "<?p=2>; REL=Next; type=text",
        '<?p=2>;rel="next", <?p=9>;rel="next"',
    ],
)
def test_h48_pages_linked_by_their_link_header(httpserver, run_http, header):
    link = header.format(url=httpserver.url_for("/v"))
    httpserver.expect_request("/v", query_string="").respond_with_handler(lambda _: http_json([1], Link=link))
    httpserver.expect_request("/v", query_string="p=2").respond_with_handler(
        lambda _: http_json([2], Link='<?p=1>; rel="prev"')
    )

    run = run_http(http.get_all("/v", pages="link"))

    assert (run.state.data, asked(httpserver)) == ([1, 2], ["/v", "/v?p=2"])


def test_h48_another_relation_may_lead_on(httpserver, run_http):
    httpserver.expect_request("/v", query_string="").respond_with_handler(
        lambda _: http_json([1], Link='<?p=9>; rel="next", <?p=2>; rel="successor-version"')
    )
    httpserver.expect_request("/v", query_string="p=2").respond_with_json([2])

    assert run_http(http.get_all("/v", pages=http.LinkHeader("successor-version"))).state.data == [1, 2]


@pytest.mark.parametrize(
    ("style", "queries"),
    [
        ("page", ["page=1", "page=2", "page=3", "page=4"]),
        (http.PageNumber(size=2), ["pageSize=2&page=1", "pageSize=2&page=2", "pageSize=2&page=3"]),
        (http.PageNumber(total_pages="pages"), ["page=1", "page=2", "page=3"]),
        (http.PageNumber(total="total"), ["page=1", "page=2", "page=3"]),
        (http.PageNumber(size=2, size_parameter="per", total="total"), [f"per=2&page={n}" for n in (1, 2, 3)]),
        (http.Offset(2), ["limit=2&offset=0", "limit=2&offset=2", "limit=2&offset=4"]),
        (http.Offset(1, total="total"), [f"limit=1&offset={n}" for n in range(5)]),
    ],
)
def test_h48_pages_that_are_counted(httpserver, run_http, style, queries):
    httpserver.expect_request("/v").respond_with_handler(counted(5, 2))

    run = run_http(http.get_all("/v", query={"q": "é"}, pages=style, items="items"))

    assert run.state.data == [0, 1, 2, 3, 4]
    assert [request.query_string.decode() for request, _ in httpserver.log] == [
        f"q=%C3%A9&{query}" for query in queries
    ]


@pytest.mark.parametrize("style", [http.PageNumber(size=2, total="total"), http.Offset(2, total="total")])
def test_h48_no_page_is_asked_for_after_the_last_item(httpserver, run_http, style):
    httpserver.expect_request("/v").respond_with_handler(counted(4, 2))

    run = run_http(http.get_all("/v", pages=style, items="items"))

    assert (run.state.data, len(httpserver.log)) == ([0, 1, 2, 3], 2)


@pytest.mark.parametrize("total", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_h48_the_last_page_may_be_empty_short_or_full(httpserver, run_http, total, concurrency):
    httpserver.expect_request("/v").respond_with_handler(counted(total, 2))

    run = run_http(http.get_all("/v", pages=http.Offset(2), concurrency=concurrency))

    assert run.state.data == list(range(total))


def test_h48_pages_led_on_by_a_cursor(httpserver, run_http):
    pages(
        httpserver,
        "/v",
        {
            "q=1": {"r": [1], "meta": {"c": "a b"}},
            "q=1&after=a%20b": {"r": [2], "meta": {"c": 7}},
            "q=1&after=7": {"r": [], "meta": {}},
        },
    )

    run = run_http(http.get_all("/v", query={"q": 1}, pages=http.Cursor("meta.c", "after")))

    assert (run.state.data, len(httpserver.log)) == ([1, 2], 3)


def test_h48_a_function_says_what_comes_next(httpserver, run_http):
    pages(httpserver, "/v", {"q=1": {"r": [1], "n": 1}, "q=1&from=1": {"r": [2], "u": "/v?x=1"}, "x=1": {"r": [3]}})

    def following(answer):
        return {"from": 1} if "n" in answer.data else answer.data.get("u")

    run = run_http(http.get_all("/v", query={"q": 1}, pages=following))

    assert (run.state.data, asked(httpserver)) == ([1, 2, 3], ["/v?q=1", "/v?q=1&from=1", "/v?x=1"])


CUT = [
    ({"max_pages": 2}, [0, 1, 2, 3], 2, 4),
    ({"max_items": 3}, [0, 1, 2], 2, 3),
    ({"max_items": 4}, [0, 1, 2, 3], 2, 4),
    ({"max_items": 9, "max_pages": 1}, [0, 1], 1, 2),
    ({"max_items": 0}, [], 1, 0),
    ({"until": lambda answer: 99 in answer.data["items"], "max_pages": 1}, [0, 1], 1, 2),
    ({"until": lambda answer: 2 in answer.data["items"], "max_items": 3}, [0, 1, 2], 2, 3),
    ({"max_items": 4, "total": 5, "pages": http.Offset(5)}, [0, 1, 2, 3], 1, 4),
]


@pytest.mark.parametrize(("limits", "data", "read", "items"), CUT)
@pytest.mark.parametrize("concurrency", [1, 3])
def test_h48_what_a_limit_leaves_unread_is_a_warning(httpserver, run_http, limits, data, read, items, concurrency):
    options = {"pages": http.Offset(2), **limits}
    httpserver.expect_request("/v").respond_with_handler(counted(options.pop("total", 9), 2))

    run = run_http(http.get_all("/v", concurrency=concurrency, **options))

    (warning,) = run.state.warnings
    assert run.state.data == data
    assert (warning["code"], warning["pages"], warning["items"]) == ("pages_left_unread", read, items)
    assert warning["url"] == httpserver.url_for("/v")
    assert len(httpserver.log) == read or concurrency > 1


@pytest.mark.parametrize(
    ("limits", "data", "read"),
    [
        ({"until": lambda answer: 2 in answer.data["items"]}, [0, 1, 2, 3], 2),
        ({"max_items": 5, "max_pages": 3}, [0, 1, 2, 3, 4], 3),
        ({"until": lambda answer: False, "max_items": 6}, [0, 1, 2, 3, 4], 3),
    ],
)
def test_h48_a_limit_that_leaves_nothing_unread_is_no_warning(httpserver, run_http, limits, data, read):
    httpserver.expect_request("/v").respond_with_handler(counted(5, 2))

    run = run_http(http.get_all("/v", pages=http.Offset(2), **limits))

    assert (run.state.data, len(httpserver.log), run.state.get("warnings")) == (data, read, None)


ROUND = {
    "identical page": ({"": {"r": [1], "next": "?p=2"}, "p=2": {"r": [1], "next": "?p=3"}}, [1]),
    "next of itself": ({"": {"r": [1], "next": "?p=2"}, "p=2": {"r": [2], "next": "?p=2"}}, [1, 2]),
    "next of the first": ({"": {"r": [1], "next": "?p=2"}, "p=2": {"r": [2], "next": "/v"}}, [1, 2]),
    "another host": ({"": {"r": [1], "next": "http://other.example/v"}}, [1]),
    "another port": ({"": {"r": [1], "next": "http://localhost:9/v"}}, [1]),
    "https": ({"": {"r": [1], "next": "https://localhost:{port}/v"}}, [1]),
    "a file": ({"": {"r": [1], "next": "file:///etc/passwd"}}, [1]),
    "a user": ({"": {"r": [1], "next": "http://u:p@localhost:{port}/v"}}, [1]),
    "a number": ({"": {"r": [1], "next": 7}}, [1]),
}


@pytest.mark.parametrize(("answers", "so_far"), ROUND.values(), ids=ROUND)
def test_h48_pages_that_go_round_or_away_are_an_error_with_what_was_read(httpserver, run_http, answers, so_far):
    for answer in answers.values():
        if isinstance(answer["next"], str):
            answer["next"] = answer["next"].replace("{port}", str(httpserver.port))
    pages(httpserver, "/v", answers)

    failed = run_http(http.get_all("/v"))
    requests = len(httpserver.log)
    caught = run_http(http.get_all("/v").catch(lambda error, state: state.result(error.items)))

    assert (type(failed.error), requests) == (PagingError, len(answers))
    assert (caught.outcome, caught.state.data) == ("success", so_far)


def test_h48_a_loop_back_to_the_first_page_with_its_query_is_seen_at_once(httpserver, run_http):
    pages(httpserver, "/v", {"limit=1": {"r": [1], "next": "?p=2"}, "p=2": {"r": [2], "next": "?limit=1"}})

    run = run_http(http.get_all("/v", query={"limit": 1}))

    assert (run.error.items, len(httpserver.log)) == ([1, 2], 2)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"pages": "links"}, "'links'"),
        ({"pages": http.Offset}, "class Offset"),
        ({"pages": "next", "concurrency": 2}, "concurrently"),
        ({"pages": "page", "concurrency": 0}, "concurrency=0"),
        ({"items": "none"}, "'none'"),
    ],
)
def test_what_can_not_be_paged_is_an_error(httpserver, run_http, options, what):
    httpserver.expect_request("/v").respond_with_json({"r": [1]})

    error = run_http(http.get_all("/v", **options)).error

    assert isinstance(error, HttpError)
    assert what in error.message


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("pages")]


def test_concurrent_pages_come_in_order_though_they_answer_out_of_order(other_server, run_http):
    answered = {number: threading.Event() for number in range(1, 9)}
    page = counted(15, 2)

    def handle(request):
        number = int(dict(parse_qsl(request.query_string.decode()))["page"])
        if number in (2, 4, 6) and not answered[number + 1].wait(5):  # an even page waits for the one after it
            return Response(status=500)
        answered[number].set()
        return page(request)

    other_server.expect_request("/v").respond_with_handler(handle)

    run = run_http(
        http.get_all("/v", pages=http.PageNumber(size=2), concurrency=4), base_url=other_server.url_for("").rstrip("/")
    )

    assert run.state.data == list(range(15))
    assert threads() == []


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_later_page_that_fails_is_the_error_of_the_list(httpserver, run_http, concurrency):
    page = counted(20, 2)
    httpserver.expect_request("/v", query_string="pageSize=2&page=4").respond_with_data("", status=500)
    httpserver.expect_request("/v").respond_with_handler(page)

    run = run_http(http.get_all("/v", pages=http.PageNumber(size=2), concurrency=concurrency))

    assert (run.error.details["status"], len(httpserver.log) <= 7) == (500, True)
    assert threads() == []


def test_a_page_beyond_the_last_may_fail_unseen(httpserver, run_http):
    page = counted(5, 2)
    for number in range(4, 9):
        httpserver.expect_request("/v", query_string=f"pageSize=2&page={number}").respond_with_data("", status=404)
    httpserver.expect_request("/v").respond_with_handler(page)

    run = run_http(http.get_all("/v", pages=http.PageNumber(size=2), concurrency=4))

    assert (run.outcome, run.state.data) == ("success", [0, 1, 2, 3, 4])
    assert threads() == []


def test_one_page_is_asked_for_once(httpserver, run_http):
    httpserver.expect_request("/v").respond_with_handler(counted(1, 2))

    run_http(http.get_all("/v", pages=http.Offset(2), concurrency=4))

    assert len(httpserver.log) == 1


def test_a_loop_that_stops_early_leaves_no_thread(httpserver, run_http):
    httpserver.expect_request("/v").respond_with_handler(counted(50, 2))

    def first_items(state):
        for page in http.adaptor.connection.pages("/v", http.Offset(2), concurrency=4):
            return state.result(page.items)
        return state

    run = run_http(http.get("/v", query={"offset": 0}), first_items)

    assert run.state.data == [0, 1]
    assert threads() == []
