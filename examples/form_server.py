"""A small form server that answers as KoboToolbox does: a token, pages, a ``next`` link."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

DATA = Path(__file__).parent / "data"


class FormServer(ThreadingHTTPServer):
    """Serves each file ``data/NAME.json`` as the form NAME."""

    def __init__(self, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.token = token

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def page(self, form: str, start: int, limit: int) -> dict[str, Any]:
        """Give one page of a form's submissions."""
        submissions = json.loads((DATA / f"{form}.json").read_text(encoding="utf-8"))
        further = {"format": "json", "limit": limit, "start": start + limit}
        more = start + limit < len(submissions)
        return {
            "count": len(submissions),
            "next": f"{self.url}/api/v2/assets/{form}/data/?{urlencode(further)}" if more else None,
            "previous": None,
            "results": submissions[start : start + limit],
        }


class _Handler(BaseHTTPRequestHandler):
    server: FormServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        form = parts.path.removeprefix("/api/v2/assets/").removesuffix("/").removesuffix("/data")
        if self.headers.get("Authorization") != f"Token {self.server.token}":
            self._answer(401, {"detail": "Invalid token."})
        elif not (form.isidentifier() and (DATA / f"{form}.json").is_file()):
            self._answer(404, {"detail": "Not found."})
        else:
            query = parse_qs(parts.query)
            self._answer(
                200, self.server.page(form, int(query.get("start", ["0"])[0]), int(query.get("limit", ["100"])[0]))
            )

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Keep quiet: the demo shows what the job does, not what its server does."""


@contextmanager
def form_server(token: str) -> Iterator[FormServer]:
    """Run a form server in a thread."""
    server = FormServer(token)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
