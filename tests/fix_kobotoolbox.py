"""A KoboToolbox server that answers as the documentation of its API says: https://support.kobotoolbox.org/api.html."""

import json
import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import pytest
from crossdock.testing import JobRun, RunJob
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

RunKobo = Callable[..., JobRun]
MOST_OF_A_PAGE = 1000
USUAL_PAGE = 100
STATUSES = ("approved", "not_approved", "on_hold")


class RefusedError(Exception):
    """An answer that is an error."""


class FakeKobo:
    """Its forms, their submissions and attachments; what it was asked is in ``asked``."""

    def __init__(self, server: HTTPServer, token: str = "kobo-token-0123456789") -> None:
        self.token = token
        self.forms: dict[str, dict[str, Any]] = {}
        self.submissions: dict[str, list[dict[str, Any]]] = {}
        self.stored: dict[str, str] = {}
        """Where the file of an attachment is stored."""
        self.asked: list[Request] = []
        self.url = server.url_for("").rstrip("/")
        self._ids = count(1)
        self._places: dict[str, Callable[..., Any]] = {
            r"GET /api/v2/assets\.json": self._forms,
            r"GET /api/v2/assets/(\w+)\.json": self._form,
            r"GET /api/v2/assets/(\w+)/data\.json": self._data,
            r"GET /api/v2/assets/(\w+)/data/([\w-]+)\.json": self._submission,
            r"GET /api/v2/assets/(\w+)/data/(\d+)/attachments/(\w+)/": self._attachment,
            r"PATCH /api/v2/assets/(\w+)/data/(\d+)/validation_status/": self._validate,
        }
        server.expect_request(re.compile("")).respond_with_handler(self.respond)

    @property
    def credential(self) -> dict[str, Any]:
        return {"adaptor": "kobotoolbox", "base_url": self.url, "token": self.token}

    def add_form(self, uid: str, name: str, kind: str = "survey") -> None:
        self.forms[uid] = {"uid": uid, "name": name, "asset_type": kind, "content": {"survey": [{"type": "image"}]}}
        self.submissions[uid] = []

    def submit(self, form: str, **answers: Any) -> dict[str, Any]:
        record = {"_id": next(self._ids), "_attachments": [], "_validation_status": {}, **answers}
        self.submissions[form].append(record)
        return record

    def attach(self, form: str, record: dict[str, Any], uid: str, stored: str) -> None:
        url = f"{self.url}/api/v2/assets/{form}/data/{record['_id']}/attachments/{uid}/"
        record["_attachments"].append({"uid": uid, "download_url": url, "question_xpath": "scan"})
        self.stored[uid] = stored

    def respond(self, request: Request) -> Response:
        self.asked.append(request)
        try:
            return self._routed(request)
        except RefusedError as refused:
            status, detail = refused.args
            return Response(json.dumps({"detail": detail}), status, content_type="application/json")

    def _routed(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Token {self.token}":
            raise RefusedError(401, "Invalid token.")
        for place, answer in self._places.items():
            if found := re.fullmatch(place, f"{request.method} {request.path}"):
                given = answer(request, *found.groups())
                return (
                    given
                    if isinstance(given, Response)
                    else Response(json.dumps(given), content_type="application/json")
                )
        raise RefusedError(404, "Not found.")

    def _forms(self, request: Request) -> Any:
        wanted = dict(re.findall(r"(\w+):(\w+)", request.args.get("q", "")))
        found = [form for form in self.forms.values() if all(value in form[name] for name, value in wanted.items())]
        return self._page(request, [{**form, "content": None} for form in found], "offset")

    def _form(self, _: Request, uid: str) -> Any:
        if uid not in self.forms:
            raise RefusedError(404, "Not found.")
        return self.forms[uid]

    def _data(self, request: Request, uid: str) -> Any:
        self._form(request, uid)
        query = json.loads(request.args.get("query", "{}"))
        found = [record for record in self.submissions[uid] if matches(record, query)]
        for name, way in reversed(json.loads(request.args.get("sort", "{}")).items()):
            found.sort(key=lambda record: record[name], reverse=way < 0)
        return self._page(request, found, "start")

    def _submission(self, request: Request, form: str, submission: str) -> dict[str, Any]:
        self._form(request, form)
        for record in self.submissions[form]:
            if submission in (str(record["_id"]), record.get("_uuid")):
                return record
        raise RefusedError(404, "Not found.")

    def _attachment(self, request: Request, form: str, submission: str, uid: str) -> Response:
        if uid not in [attachment["uid"] for attachment in self._submission(request, form, submission)["_attachments"]]:
            raise RefusedError(404, "Not found.")
        return Response(status=302, headers={"Location": self.stored[uid]})

    def _validate(self, request: Request, form: str, submission: str) -> Any:
        status = (request.json or {}).get("validation_status.uid", "")
        if status.removeprefix("validation_status_") not in STATUSES:
            raise RefusedError(400, "Invalid validation status.")
        self._submission(request, form, submission)["_validation_status"] = {"uid": status}
        return {"uid": status}

    def _page(self, request: Request, found: list[Any], parameter: str) -> dict[str, Any]:
        size = min(int(request.args.get("limit", USUAL_PAGE)), MOST_OF_A_PAGE)
        start = int(request.args.get(parameter, 0))
        asked = request.args.to_dict() | {"limit": str(size), parameter: str(start + size)}
        more = f"{request.base_url}?{'&'.join(f'{name}={value}' for name, value in asked.items())}"
        following = more if start + size < len(found) else None
        return {"count": len(found), "next": following, "previous": None, "results": found[start : start + size]}


def matches(record: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    """Tell whether a record fits a query of MongoDB, of the simplest kinds."""
    return all(
        record[name] > wanted["$gt"] if isinstance(wanted, dict) else record[name] == wanted
        for name, wanted in query.items()
    )


@pytest.fixture
def kobo(httpserver: HTTPServer) -> FakeKobo:
    """Give a KoboToolbox with a form and no submissions."""
    fake = FakeKobo(httpserver)
    fake.add_form("aVisits", "visits")
    return fake


@pytest.fixture
def run_kobo(kobo: FakeKobo, run_job: RunJob) -> RunKobo:
    """Run operations on it; what is given by name are fields of the credential."""

    def run(*operations: Any, files: Any = None, **fields: Any) -> JobRun:
        around = {} if files is None else {"files": files}
        return run_job(*operations, credentials={"kobo": {**kobo.credential, **fields}}, **around)

    return run
