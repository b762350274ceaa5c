"""The public interface as its users write it; mypy --strict reads this file, nothing runs it."""

import datetime
from collections.abc import Iterator, Mapping
from decimal import Decimal
from io import BytesIO
from typing import Any, assert_type

from crossdock import (
    Adaptor,
    Answer,
    Job,
    Operation,
    Run,
    State,
    Workflow,
    computed,
    credentials,
    cursor,
    each,
    find_xml,
    group_by,
    operation,
    parse_xml,
    resolve,
    state,
    stream_xml,
    tap,
    validate,
    when,
)
from crossdock.adaptors import dhis2, http, postgresql
from crossdock.testing import (
    Address,
    Close,
    Drip,
    FaultyServer,
    Reset,
    Stall,
    StartFaultyServer,
    StartTcpProxy,
    TcpProxy,
    http_reply,
)
from crossdock.values import date, number, table, text, value_at
from crossdock_http import Client, HttpConfiguration

adaptor = Adaptor("acme", configuration=HttpConfiguration, connect=Client)


@adaptor.operation(effect="write")
def register(state: State, person: Mapping[str, Any], *, notify: bool = False, credential: str | None = None) -> State:
    """Register one person."""
    assert_type(adaptor.connection, Client)
    answer = adaptor.connection.post("/people", json={**person, "notify": notify})
    assert_type(answer, Answer)
    return state.result(answer)


@operation
def double(state: State, number: int) -> State:
    """Double a number."""
    return state.result(number * 2)


def rows(state: State) -> list[dict[str, Any]]:
    return [{"id": visit["_id"]} for visit in state.visits]


def tell(state: State) -> State | Operation:
    hit = dhis2.get("events").result()
    return state if hit else dhis2.create("events", {"program": "x"})


job = Job(
    http.get_all("/visits", query={"since": cursor("visits")}).into("visits"),
    postgresql.upsert_many("visits", computed(rows), key="visit_id", returning="id"),
    register({"name": state.data["name"], "pin": credentials.acme.pin}, notify=True),
    each(state.visits, tell, concurrency=4, on_error="collect"),
    when(state.data["urgent"], tell, lambda state: state.replace(done=True)),
    tap(print, state.data),
    double(state.data["n"]).catch(lambda error, state: state).retry(2, wait=1.5),
)

assert_type(register({"name": "Amina"}), Operation)
assert_type(double(2), Operation)
assert_type(http.post("/x", {"a": 1}, query={"n": 1}), Operation)
assert_type(job(State()), State)
assert_type(Run(Workflow.of(job)).state, State)
assert_type(resolve(state.data), Any)
assert_type(parse_xml(b"<a/>", encoding="utf-8", namespaces={"p": "urn:p"}), dict[str, Any])
assert_type(find_xml("<a/>", "//a[@id = $id]", id=7), list[Any])
assert_type(stream_xml(BytesIO(b"<a/>"), "a"), Iterator[Any])
assert_type(stream_xml([b"<a/>"], "a"), Iterator[Any])

assert_type(number("1"), int | float | None)
assert_type(number("1", decimal=True), int | Decimal | None)
assert_type(date("2024-05-02"), datetime.date | None)
assert_type(text(5), str | None)
assert_type(value_at({}, "a"), Any)
assert_type(group_by([State()], "id"), dict[Any, list[State]])
assert_type(validate({"type": "object"}), Operation)
SEXES = table({"1": "male"}, unknown="keep")
assert_type(SEXES[1], Any)
table("x.csv", unknown="ignore")  # type: ignore[arg-type]

double("two")  # type: ignore[arg-type]
double()  # type: ignore[call-arg]
register({}, notfy=True)  # type: ignore[call-arg]
http.get("/x", querry={})  # type: ignore[call-arg]
each([1], tell, on_error="ignore")  # type: ignore[arg-type]


def test_of_an_adaptor(faulty_server: StartFaultyServer, tcp_proxy: StartTcpProxy, closed_port: Address) -> None:
    """Use the fixtures of crossdock.testing."""
    server = faulty_server(
        b"", [http_reply(b"[]", status=503, retry_after="1"), Reset()], lambda request: Drip(request)
    )
    assert_type(server, FaultyServer)
    server.script(Close())
    proxy = tcp_proxy(*server.address, cut_response_at=10, cut=Stall())
    assert_type(proxy, TcpProxy)
    proxy.cut_response_at = None
    assert_type((server.url, proxy.url, closed_port.url), tuple[str, str, str])
