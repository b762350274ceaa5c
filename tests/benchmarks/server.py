"""A local server for the benchmarks, in a process of its own: 1 KB of JSON, at once or after a while."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BODY = json.dumps({"text": "x" * 1000}).encode()
PAGES = 100
RECORDS = [{"id": n, "name": f"Amina {n}", "seen": "2024-05-02", "beds": 7, "note": None} for n in range(1000)]


def page(number: int) -> bytes:
    """Give a page of 1,000 records and the link to the next one."""
    following = f"/pages/{number + 1}" if number < PAGES else None
    return json.dumps({"results": [{**record, "page": number} for record in RECORDS], "next": following}).encode()


BODIES = {f"/pages/{number}": page(number) for number in range(1, PAGES + 1)}


class Handler(BaseHTTPRequestHandler):
    """Answers GET and POST alike; below /slow after 20 ms, below /pages with 1,000 records."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/slow"):
            time.sleep(0.02)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        body = BODIES.get(self.path, BODY)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the base class calls

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def local_server() -> Iterator[str]:
    """Run the server, and give its address."""
    with subprocess.Popen([sys.executable, str(Path(__file__))], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


DHIS2 = """
import threading
from crossdock_dhis2.testing import FakeDhis2
with FakeDhis2() as fake:
    fake.add("organisationUnits", {"id": "DiszpKrYNg8"})
    fake.add("programStages", {"id": "wJ9OoZ6ZLxR"})
    fake.add("dataElements", {"id": "m5OehFImiIJ", "valueType": "NUMBER"})
    fake.before = lambda _: fake.requests.clear()
    print(fake.url, fake.credential["pat"], flush=True)
    threading.Event().wait()
"""


@contextmanager
def dhis2_server() -> Iterator[dict[str, str]]:
    """Run a fake DHIS2 in a process of its own, and give its credential."""
    with subprocess.Popen([sys.executable, "-c", DHIS2], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, pat = process.stdout.readline().split()
        yield {"adaptor": "dhis2", "base_url": url, "pat": pat}
        process.kill()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
