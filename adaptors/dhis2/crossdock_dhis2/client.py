"""Dhis2Client: one DHIS2 instance, asked through the client of the http adaptor."""

from collections.abc import Mapping
from itertools import count
from typing import Any, NoReturn
from urllib.parse import urlsplit

from crossdock import AdaptorError, Answer, now
from crossdock_http import Client, HttpError, Reply, Request, SendOptions

from crossdock_dhis2.configuration import Dhis2Configuration
from crossdock_dhis2.errors import ApiVersionError, AuthFailedError, BaseUrlError, Dhis2RequestError, LoginPageError
from crossdock_dhis2.kinds import TRACKER
from crossdock_dhis2.report import read_report
from crossdock_dhis2.uids import uid


class Dhis2Client(Client):
    """A DHIS2 instance; paths are those below ``/api``.

    Example:
        >>> with Dhis2Client(Dhis2Configuration(base_url="https://hmis.example.org", pat="d2pat_x")) as client:
        ...     client.place("organisationUnits", 42)
        '/api/42/organisationUnits'
    """

    def __init__(self, configuration: Dhis2Configuration) -> None:
        super().__init__(configuration, headers={"accept": "application/json"})
        self._version = configuration.api_version
        self._base_url = configuration.base_url
        self._legacy_tracker = configuration.legacy_tracker
        self._made_uids = count()

    def verify(self) -> str:
        """Ask DHIS2 who one is, and say where, as which user, and which version runs there.

        Raises:
            AuthFailedError: The user or token is not accepted.
            BaseUrlError: What answers is no DHIS2.
        """
        me = self.read("me", query={"fields": "username,userCredentials[username]"}).data
        info = self.read("system/info").data
        user = _username(me)
        if user is None or not isinstance(info, Mapping):
            raise BaseUrlError(f"{self._base_url} answered, and not as a DHIS2 does")
        return f"{self._base_url} as user {user}, DHIS2 {info.get('version')}"

    def place(self, path: str, api_version: int | None = None) -> str:
        """Give the path of a resource below the instance."""
        version = api_version or self._version
        return f"/api/{path.strip('/')}" if version is None else f"/api/{version}/{path.strip('/')}"

    def is_tracker(self, resource: str) -> bool:
        """Tell whether a resource is written through ``/api/tracker``."""
        return resource in TRACKER and not self._legacy_tracker

    def read_place(self, resource: str) -> str:
        """Give the path that objects of a resource are read from."""
        return f"tracker/{resource}" if self.is_tracker(resource) else resource

    def read(self, path: str, *, api_version: int | None = None, **options: Any) -> Answer:
        """Get a resource."""
        try:
            return self.get(self.place(path, api_version), **{"parse": "json", **options})
        except HttpError as error:
            self._say(error, api_version)

    def write(
        self, method: str, path: str, *, api_version: int | None = None, validates: bool = False, **options: Any
    ) -> Answer:
        """Send a write, and give its answer if it is a success, or holds a report to be judged.

        Args:
            method: The HTTP method.
            path: The resource.
            api_version: The version of the API.
            validates: Whether it only asks what a write would do: then a dry run sends it, too.
            options: Those of requests.
        """
        place, given = self.place(path, api_version), {"parse": "json", **options}
        try:
            return self.request(method, place, reads=validates, **given)
        except HttpError as error:
            answer = error.answer
            if answer is not None and 400 <= answer.status < 500 and read_report(answer.data) is not None:
                return answer  # type: ignore[no-any-return]  # the live answer of an error is Any
            self._say(error, api_version)

    def new_uid(self, record: Mapping[str, Any]) -> str:
        """Make an identifier for a record: always the same one when a run is repeated or replayed."""
        return uid(f"{now().isoformat()} {next(self._made_uids)} {record!r}")

    def judge(self, request: Request, reply: Reply, options: SendOptions) -> None:
        """See whether it is DHIS2 that answered, and whether it lets us in."""
        if reply.status == 401 and not _is_expected(401, options):
            raise AuthFailedError(f"{request} was answered 401: DHIS2 does not let us in", status=401)
        if reply.status < 300 and reply.type == "text/html" and dict(options).get("parse") == "json":
            self._refuse_page(request, reply)

    def _refuse_page(self, request: Request, reply: Reply) -> NoReturn:
        """Say what is wrong when a page for people came."""
        path, moved = urlsplit(reply.url).path, f"{reply.method} {reply.url}" != str(request)
        if moved and "login" not in path:
            there = reply.url.removesuffix(path) + path.partition("/api")[0].rstrip("/")
            raise BaseUrlError(
                f"{request} was redirected to {reply.url}, where no API is",
                fix=f"Set base_url to the address of the instance, perhaps {there}.",
            )
        raise LoginPageError(
            f"{request} was answered with unexpected content: an HTML page{' at ' + path if moved else ''}"
        )

    def _say(self, error: HttpError, api_version: int | None) -> NoReturn:
        """Raise what an error means, where DHIS2 says more than HTTP."""
        version, status = api_version or self._version, error.details.get("status")
        if status == 404 and version is not None and not self._serves(version):
            raise ApiVersionError(f"{self._base_url} has no version {version} of the API", status=404) from error
        data = error.answer.data if error.answer is not None else None
        if isinstance(data, Mapping) and isinstance(data.get("errorCode"), str):
            raise Dhis2RequestError(
                f"{error.message}: {data['errorCode'][:20]}",
                answer=error.answer,
                status=status,
                errors=[data["errorCode"][:20]],
            ) from error
        raise error

    def _serves(self, version: int) -> bool:
        try:
            return self.get(f"/api/{version}/system/info", parse="text", errors=False).status != 404
        except AdaptorError:  # it was only asked to explain another error
            return True


def _username(me: Any) -> str | None:
    """Give the name of the user in an answer of ``/api/me``; older versions keep it one level down."""
    if not isinstance(me, Mapping):
        return None
    older = me.get("userCredentials")
    return me.get("username") or (older.get("username") if isinstance(older, Mapping) else None)


def _is_expected(status: int, options: SendOptions) -> bool:
    errors = options.get("errors")
    return errors is False or (isinstance(errors, Mapping) and status in errors) or status in (options.get("ok") or ())
