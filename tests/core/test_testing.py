"""The kit for adaptor authors: a server with faults, a proxy that cuts, and ports that nobody answers."""

import os
import re
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import pytest
import trustme
from crossdock.testing import Close, Drip, FaultyServer, Forever, Reset, Stall, TcpProxy, http_reply

ROOT = Path(__file__).parent.parent.parent
GET = b"GET /people HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /people HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;x=1\r\nhello\r\n2\r\n\r\n\r\n0\r\nA: 1\r\nB: 2\r\n\r\n"
FIRST, SECOND = http_reply(b"1"), http_reply(b"2", status=503, retry_after="7")


def connect(place, timeout=10.0):
    return socket.create_connection(place.address, timeout=timeout)


def ask(client, request, size):
    client.sendall(request)
    return receive(client, size)


def receive(client, size):
    """Read so many bytes, or all until the end."""
    received = bytearray()
    while len(received) < size and (piece := client.recv(min(65536, size - len(received)))):
        received += piece
    return bytes(received)


def exchange(place, request):
    """Send a request on a connection of its own, and read until its end; a reset ends it too."""
    with connect(place) as client:
        received = b""
        with suppress(ConnectionError):
            client.sendall(request)
            while piece := client.recv(65536):
                received += piece
        return received


@contextmanager
def nothing_left_open():
    """See that threads and sockets are as many afterwards as before."""

    def now():
        return set(threading.enumerate()), sorted(os.listdir("/dev/fd"))

    before = now()
    yield
    assert now() == before


def test_each_request_gets_its_reply_and_the_last_is_for_good(faulty_server):
    server = faulty_server(FIRST, SECOND)

    with connect(server) as client:
        replies = [ask(client, GET, len(FIRST)), ask(client, POST, len(SECOND)), ask(client, GET, len(SECOND))]

    assert replies == [FIRST, SECOND, SECOND]
    assert (server.requests, server.connections) == ([GET, POST, GET], 1)


def test_the_replies_go_on_over_connections_and_can_be_changed(faulty_server):
    server = faulty_server([FIRST, Close()], [SECOND, Close()])

    replies = [exchange(server, GET) for _ in range(3)]
    server.script([b"other", Close()])

    assert replies == [FIRST, SECOND, SECOND]
    assert exchange(server, GET) == b"other"
    assert server.connections == 4


@pytest.mark.parametrize("request_", [POST, CHUNKED], ids=["length", "chunked"])
def test_a_request_is_answered_when_it_is_whole(faulty_server, request_):
    server = faulty_server(FIRST)

    with connect(server) as client:
        for byte in request_[:-1]:
            client.sendall(bytes([byte]))
        assert select.select([client], [], [], 0.05)[0] == []
        assert server.requests == []
        assert ask(client, request_[-1:], len(FIRST)) == FIRST

    assert server.requests == [request_]


def test_requests_that_come_at_once_are_taken_apart(faulty_server):
    server = faulty_server(FIRST, SECOND)

    with connect(server) as client:
        assert ask(client, CHUNKED + POST, len(FIRST + SECOND)) == FIRST + SECOND

    assert server.requests == [CHUNKED, POST]


def test_a_request_that_breaks_off_is_none(faulty_server):
    server = faulty_server(FIRST)

    with connect(server) as client:
        client.sendall(POST[:-1])
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""

    assert server.requests == []


def test_a_reply_can_be_a_function_of_the_request(faulty_server):
    server = faulty_server(lambda request: [b"<" + request.split()[1] + b">", Close()])

    assert exchange(server, GET) == b"</people>"


def test_a_reply_function_that_raises_is_seen_and_no_client_waits(faulty_server, monkeypatch):
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda raised: seen.append(raised.exc_type))

    def reply(_):
        raise FileNotFoundError("reply.json")

    with FaultyServer(reply) as server:
        assert exchange(server, GET) == b""

    assert seen == [FileNotFoundError]


def test_close_is_an_end_in_good_order(faulty_server):
    with connect(faulty_server([b"half", Close(), b"never"])) as client:
        assert ask(client, GET, 100) == b"half"


def test_reset_is_a_reset(faulty_server):
    with connect(faulty_server(Reset())) as client, pytest.raises(ConnectionResetError):
        ask(client, GET, 100)


def test_stall_keeps_the_connection_and_says_nothing(faulty_server):
    with connect(faulty_server([b"half", Stall(), b"never"])) as client:
        assert ask(client, GET, 4) == b"half"
        assert select.select([client], [], [], 0.1)[0] == []


def test_drip_sends_byte_by_byte(faulty_server):
    with connect(faulty_server(Drip(b"abcd", every=0.05))) as client:
        client.sendall(GET)
        started = time.monotonic()
        pieces = [client.recv(100) for _ in range(4)]

    assert pieces == [b"a", b"b", b"c", b"d"]
    assert 0.15 <= time.monotonic() - started < 1


def test_no_piece_of_a_reply_is_held_back_to_be_gathered(faulty_server):
    with connect(faulty_server([FIRST[:10], FIRST[10:]])) as client:
        started = time.monotonic()
        for _ in range(40):
            assert ask(client, GET, len(FIRST)) == FIRST

    assert time.monotonic() - started < 0.8  # with Nagle's algorithm, 40 ms each


def test_forever_goes_on_until_the_client_goes(faulty_server):
    server = faulty_server([b"head", Forever(b"0123456789" * 1000)])

    with connect(server) as client:
        assert ask(client, GET, 4_000_004) == b"head" + b"0123456789" * 400_000
    server.script([FIRST, Close()])

    assert exchange(server, GET) == FIRST


def test_forever_needs_something_to_send():
    with pytest.raises(ValueError, match="at least one byte"):
        Forever(b"")


def test_a_test_can_wait_for_a_request(faulty_server):
    server = faulty_server(Stall())
    with pytest.raises(TimeoutError, match="0 of 1 requests came"):
        server.wait_for_requests(timeout=0.01)

    with connect(server) as client:
        threading.Timer(0.05, client.sendall, [GET]).start()
        server.wait_for_requests()

    assert server.requests == [GET]


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def server_context(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def client_context(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def ask_safely(server, context, request=GET):
    with connect(server) as plain, context.wrap_socket(plain, server_hostname=server.address.host) as client:
        return ask(client, request, len(FIRST))


def test_a_server_can_speak_tls(faulty_server, server_context, client_context):
    server = faulty_server(FIRST, tls=server_context)

    assert server.url == f"https://127.0.0.1:{server.address.port}"
    assert ask_safely(server, client_context) == FIRST
    assert server.requests == [GET]


@pytest.mark.parametrize("step", [Stall(), Forever(b"x"), Drip(b"x" * 100), Close(), Reset()], ids=str)
def test_every_step_works_over_tls_and_ends_with_the_server(server_context, client_context, step):
    started = time.monotonic()
    with (
        nothing_left_open(),
        FaultyServer(step, tls=server_context) as server,
        connect(server) as plain,
        client_context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
    ):
        client.sendall(GET)
        server.wait_for_requests()

    assert time.monotonic() - started < 1


def test_a_client_that_does_not_trust_sends_nothing(faulty_server, server_context, client_context):
    server = faulty_server(FIRST, tls=server_context)

    with pytest.raises(ssl.SSLCertVerificationError):
        ask_safely(server, ssl.create_default_context())

    assert (server.requests, server.connections) == ([], 1)
    assert ask_safely(server, client_context) == FIRST


def test_a_client_without_a_certificate_learns_why_it_is_refused(faulty_server, server_context, client_context):
    server_context.verify_mode = ssl.CERT_REQUIRED
    server = faulty_server(FIRST, tls=server_context)

    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        ask_safely(server, client_context, GET + b"x" * 1_000_000)


def test_a_client_that_speaks_no_tls_is_no_harm(faulty_server, server_context, client_context):
    server = faulty_server(FIRST, tls=server_context)

    exchange(server, GET)

    assert ask_safely(server, client_context) == FIRST


def test_a_context_that_can_not_serve_is_refused_at_once():
    with pytest.raises(ssl.SSLError, match="PROTOCOL_TLS_CLIENT"):
        FaultyServer(FIRST, tls=ssl.create_default_context())


STEPS = [FIRST, Stall(), Forever(b"x"), Drip(b"x" * 100), Close(), Reset()]


@pytest.mark.parametrize("leaves", ["at once", "after the server"])
@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_server_leaves_no_thread_and_no_socket(step, leaves):
    started = time.monotonic()
    with nothing_left_open():
        with FaultyServer(step) as server:
            clients = [connect(server) for _ in range(3)]
            for client in clients[:2]:
                client.sendall(GET)
            server.wait_for_requests(2)
            if leaves == "at once":
                clients.pop().close()
        for client in clients:
            client.close()

    assert time.monotonic() - started < 1


@pytest.mark.parametrize("make", [lambda: FaultyServer(FIRST), lambda: TcpProxy("127.0.0.1", 9)])
def test_one_starts_and_ends_within_five_milliseconds(make):
    times = []
    for _ in range(21):
        started = time.perf_counter()
        with make():
            pass
        times.append(time.perf_counter() - started)

    assert median(times) < 0.005


REPLY = http_reply(b"x" * 20)


def test_a_proxy_hands_all_on_and_counts_it(faulty_server, tcp_proxy):
    server = faulty_server(REPLY)
    proxy = tcp_proxy(*server.address)

    with connect(proxy) as client:
        assert [ask(client, POST, len(REPLY)) for _ in range(3)] == [REPLY] * 3

    assert (server.requests, server.connections, proxy.connections, proxy.cuts) == ([POST] * 3, 1, 1, 0)
    assert (proxy.sent, proxy.received) == (3 * len(POST), 3 * len(REPLY))


def test_a_client_that_has_said_all_still_gets_its_answer(faulty_server, tcp_proxy):
    proxy = tcp_proxy(*faulty_server(REPLY).address)

    with connect(proxy) as client:
        client.sendall(POST)
        client.shutdown(socket.SHUT_WR)
        assert receive(client, 1000) == REPLY


@pytest.mark.parametrize("cut", [Close(), Reset()], ids=str)
def test_a_response_is_cut_at_every_byte(faulty_server, tcp_proxy, cut):
    server = faulty_server(REPLY)
    proxy = tcp_proxy(*server.address, cut=cut)

    received = []
    for proxy.cut_response_at in range(len(REPLY) + 1):
        received.append(exchange(proxy, POST))

    assert received == [REPLY[:size] for size in range(len(REPLY) + 1)]
    assert server.requests == [POST] * len(received)
    assert proxy.cuts == proxy.connections == len(received)
    assert proxy.received == sum(map(len, received))


@pytest.mark.parametrize("cut", [Close(), Reset()], ids=str)
def test_a_request_is_cut_at_every_byte(faulty_server, tcp_proxy, cut):
    server = faulty_server(REPLY)
    proxy = tcp_proxy(*server.address, cut=cut)

    received = []
    for proxy.cut_request_at in range(len(POST) + 1):
        before = proxy.sent
        received.append(exchange(proxy, POST))
        assert proxy.sent - before == proxy.cut_request_at

    assert received == [b""] * (len(POST) + 1)
    assert proxy.cuts == len(received)
    if cut == Close():  # a reset may overtake what the server has not read yet
        server.wait_for_requests(1)
        assert server.requests == [POST]


@pytest.mark.parametrize(("cut", "error"), [(Close(), None), (Reset(), ConnectionResetError)])
def test_a_cut_is_what_it_is_called_though_the_client_goes_on_sending(faulty_server, tcp_proxy, cut, error):
    proxy = tcp_proxy(*faulty_server(REPLY).address, cut_request_at=10, cut=cut)

    with connect(proxy) as client:
        client.sendall(POST[:10])
        assert select.select([client], [], [], 10)[0] == [client]
        if error is None:
            for _ in range(10):  # were the connection not there any more, the second would break
                client.sendall(b"x" * 100_000)
            assert client.recv(1) == b""
        else:
            with pytest.raises(error):
                client.recv(1)


def test_a_stalled_proxy_hands_on_nothing_more(faulty_server, tcp_proxy):
    server = faulty_server(REPLY)
    proxy = tcp_proxy(*server.address, cut_response_at=5, cut=Stall())

    with connect(proxy) as client:
        assert ask(client, POST, 5) == REPLY[:5]
        client.sendall(POST)
        assert select.select([client], [], [], 0.1)[0] == []

    assert (server.requests, proxy.received, proxy.cuts) == ([POST], 5, 1)


def test_one_connection_of_many_is_cut_alone(faulty_server, tcp_proxy):
    proxy = tcp_proxy(*faulty_server(REPLY).address)

    with connect(proxy) as first, connect(proxy) as second:
        assert ask(first, POST, len(REPLY)) == REPLY
        proxy.cut_response_at = len(REPLY) + 5
        assert ask(second, POST, len(REPLY)) == REPLY
        assert ask(first, POST, len(REPLY)) == REPLY[:5]
        assert ask(second, POST, len(REPLY)) == REPLY[:5]


def test_the_answer_to_certain_bytes_can_be_cut(faulty_server, tcp_proxy):
    server = faulty_server(REPLY)
    proxy = tcp_proxy(*server.address, cut_response_to=b"COMMIT")
    commit = POST.replace(b"/people", b"/COMMIT")

    with connect(proxy) as client:
        assert ask(client, POST, len(REPLY)) == REPLY
        client.sendall(commit[:9])
        assert select.select([client], [], [], 0.05)[0] == []
        assert ask(client, commit[9:], len(REPLY)) == b""

    assert server.requests == [POST, commit]


def test_a_delay_holds_for_each_piece(faulty_server, tcp_proxy):
    proxy = tcp_proxy(*faulty_server(REPLY).address, delay=0.1)

    with connect(proxy) as client:
        started = time.monotonic()
        assert ask(client, POST, len(REPLY)) == REPLY
    took = time.monotonic() - started

    assert 0.2 <= took < 1


@contextmanager
def both_ends(tcp_proxy):
    """Give a client and the server that it is connected to through a proxy."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        connect(tcp_proxy(*listener.getsockname())) as client,
        listener.accept()[0] as server,
    ):
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client, server


def test_a_proxy_holds_no_piece_back_to_gather_it(tcp_proxy):
    with both_ends(tcp_proxy) as (client, server):
        started = time.monotonic()
        for one, other in [(client, server), (client, server), (server, client)] * 40:
            one.sendall(b"hello")
            assert receive(other, 5) == b"hello"

    assert time.monotonic() - started < 0.8  # with Nagle's algorithm, 40 ms for every second piece


def fill(connection):
    """Send until nobody takes any more; give how much it was."""
    size = 0
    while select.select([], [connection], [], 0.1)[1]:
        size += connection.send(b"x" * 100_000)
    return size


@pytest.mark.parametrize("stuck", ["client", "server"])
def test_a_direction_that_is_stuck_does_not_hold_up_the_other(tcp_proxy, stuck):
    with both_ends(tcp_proxy) as ends:
        one, other = ends if stuck == "client" else ends[::-1]
        size = fill(one)
        for _ in range(3):
            other.sendall(b"hello")
            assert receive(one, 5) == b"hello"
        assert receive(other, size) == b"x" * size


def test_a_reset_by_the_server_reaches_the_client(faulty_server, tcp_proxy):
    with connect(tcp_proxy(*faulty_server(Reset()).address)) as client, pytest.raises(ConnectionResetError):
        ask(client, GET, 1)


def test_a_server_that_refuses_is_a_reset_to_the_client(closed_port, tcp_proxy):
    with pytest.raises(ConnectionResetError), connect(tcp_proxy(*closed_port)) as client:
        client.recv(1)


@pytest.mark.parametrize("leaves", ["at once", "after the proxy"])
@pytest.mark.parametrize("cut", [Close(), Reset(), Stall()], ids=str)
def test_a_proxy_leaves_no_thread_and_no_socket(cut, leaves):
    started = time.monotonic()
    with nothing_left_open():
        with FaultyServer(REPLY) as server, TcpProxy(*server.address, cut_response_at=30, cut=cut) as proxy:
            clients = [connect(proxy) for _ in range(3)]
            for client in clients[:2]:
                assert ask(client, GET, 30) == REPLY[:30]
            if leaves == "at once":
                clients.pop().close()
        for client in clients:
            client.close()

    assert time.monotonic() - started < 1


def test_a_closed_port_refuses(closed_port):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(closed_port)


def test_ht_23_a_deaf_port_lets_nobody_in(deaf_port):
    for _ in range(2):
        with pytest.raises(TimeoutError):
            socket.create_connection(deaf_port, timeout=0.1)


def test_the_plugin_is_there_once_and_by_its_entry_point(pytestconfig):
    import crossdock.testing.pytest_plugin as plugin

    named = [name for name, found in pytestconfig.pluginmanager.list_name_plugin() if found is plugin]

    assert named == ["crossdock"]


def run_pytest(folder, *options):
    command = [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("heading", ["Testing jobs and adaptors", "Testing against a faulty network"])
def test_the_example_of_the_readme_passes(tmp_path, heading):
    readme = (ROOT / "core/README.md").read_text(encoding="utf-8")
    section = readme.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    example = re.search(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)[1]
    (tmp_path / "test_example.py").write_text(example, encoding="utf-8")

    done = run_pytest(tmp_path)

    assert done.returncode == 0, done.stdout
    assert re.search(rf"^{example.count('def test_')} passed", done.stdout, re.MULTILINE)


HEAVY = ["asyncio", "click", "httpx", "lxml", "psycopg", "pydantic", "rich", "ruamel", "ssl", "stamina"]


def test_collecting_imports_nothing_heavy(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the others have imports of their own
    (tmp_path / "test_nothing.py").write_text("def test_nothing(faulty_server, tcp_proxy): pass\n")
    (tmp_path / "conftest.py").write_text(
        "import sys\ndef pytest_collection_finish():\n"
        f"    print('loaded', [name for name in {HEAVY} if name in sys.modules], 'crossdock' in sys.modules)\n"
    )

    done = run_pytest(tmp_path, "--collect-only", "-s", "-p", "crossdock.testing.pytest_plugin")

    assert "loaded [] True" in done.stdout


def test_the_kit_needs_no_pytest_outside_of_its_plugin():
    code = "import sys, crossdock.testing, crossdock.testing.postgres; sys.exit('pytest' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
