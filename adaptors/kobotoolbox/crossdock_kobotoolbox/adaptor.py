"""What a credential holds, how to connect, and the operations.

They follow the documentation of KoboToolbox's API, version 2: https://support.kobotoolbox.org/api.html, and what
each server says itself at ``/api/v2/docs/``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from crossdock import Adaptor, State, run_file
from crossdock.errors import ArgumentError
from crossdock_http import Client, HttpConfiguration, Limits
from pydantic import Field

_FORMS = "/api/v2/assets.json"
_FORM = "/api/v2/assets/{form}.json"
_SUBMISSIONS = "/api/v2/assets/{form}/data.json"
_SUBMISSION = "/api/v2/assets/{form}/data/{submission}.json"
_VALIDATION = "/api/v2/assets/{form}/data/{submission}/validation_status/"

Status = Literal["approved", "not_approved", "on_hold"]


class Configuration(HttpConfiguration):
    """What a credential for KoboToolbox holds, beside what it does for any HTTP system."""

    base_url: str = Field(description="The server, such as https://kf.kobotoolbox.org or https://eu.kobotoolbox.org.")
    scheme: str = Field("Token", description="The word before the token.")
    page_size: int = Field(500, gt=0, le=1000, description="How many forms or submissions are asked for at a time.")
    verify_path: str | None = Field(
        "/api/v2/assets.json?limit=1", description="What `crossdock credentials check` reads."
    )


class KoboClient(Client):
    """A KoboToolbox server, asked through the client of the http adaptor."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration, headers={"Accept": "application/json"})
        self.page_size = configuration.page_size


adaptor = Adaptor("kobotoolbox", configuration=Configuration, connect=KoboClient, verify=Client.verify)


@adaptor.operation(effect="read")
def forms(state: State, search: str | None = None, *, credential: str | None = None) -> State:
    """Get the forms that one may see, without their questions.

    https://support.kobotoolbox.org/api.html: the assets of the type ``survey``.

    Args:
        search: Only those that match, in KoboToolbox's own words: ``name:visits``, ``owner__username:amina``.
        credential: The credential to use.

    Returns:
        The state with the list of forms in ``data``; ``uid`` is what the other operations call ``form``.

    Raises:
        HttpError: KoboToolbox refuses the request.

    Example:
        >>> forms("name:visits")
        kobotoolbox.forms(<str 11>)
    """
    client, wanted = adaptor.connection, f"asset_type:survey AND ({search})" if search else "asset_type:survey"
    return state.result(list(client.records(_FORMS, items="results", query={"limit": client.page_size, "q": wanted})))


@adaptor.operation(effect="read")
def form(state: State, form: str, *, credential: str | None = None) -> State:
    """Get one form, with its questions and choices in ``content``.

    Args:
        form: The form's ``uid``.
        credential: The credential to use.

    Returns:
        The state with the form in ``data``.

    Raises:
        HttpError: There is no such form, or one may not see it: both are answered with 404.

    Example:
        >>> form("aSAvYreNzVEkrWg5Gdcvg")
        kobotoolbox.form(<str 21>)
    """
    return state.result(adaptor.connection.get(_FORM, params={"form": form}, parse="json"))


@adaptor.operation(effect="read")
def submissions(
    state: State,
    form: str,
    query: Mapping[str, Any] | None = None,
    *,
    sort: Mapping[str, int] | None = None,
    start: int = 0,
    max_items: int | None = None,
    credential: str | None = None,
) -> State:
    """Get the submissions of a form as one list, page after page.

    https://support.kobotoolbox.org/data_endpoint.html

    Args:
        form: The form's ``uid``.
        query: What they have to match, as MongoDB writes it: ``{"_submission_time": {"$gt": "2024-05-01"}}``.
        sort: Their order: fields with 1 (up) or -1 (down). By default ``{"_id": 1}``, the oldest first: what is
            submitted while pages are read comes at the end, and moves nothing.
        start: How many are passed over.
        max_items: The most that are given; what is left is a warning of the run.
        credential: The credential to use.

    Returns:
        The state with the list of submissions in ``data``.

    Raises:
        HttpError: KoboToolbox refuses the request.
        PagingError: The pages go round in circles, or elsewhere.

    Example:
        >>> submissions("aSAvYreNzVEkrWg5Gdcvg", {"_submission_time": {"$gt": "2024-05-01"}})
        kobotoolbox.submissions(<str 21>, {'_submission_time': <dict 1>})
    """
    return state.result(list(_submissions(form, query, sort, start, max_items)))


@adaptor.operation(effect="read")
def stream_submissions(
    state: State,
    form: str,
    query: Mapping[str, Any] | None = None,
    *,
    sort: Mapping[str, int] | None = None,
    start: int = 0,
    max_items: int | None = None,
    credential: str | None = None,
) -> State:
    """Get the submissions of a form one by one, in the memory of one page.

    A page is read when it is needed. The result can be iterated once, by ``each`` or in a function of the same job.

    Args:
        form: The form's ``uid``; it and all else are as in ``submissions``.
        query: What they have to match.
        sort: Their order.
        start: How many are passed over.
        max_items: The most that are given.
        credential: The credential to use.

    Returns:
        The state with an iterator in ``data``.

    Raises:
        HttpError: KoboToolbox refuses a page, while iterating.
        PagingError: The pages go round in circles, or elsewhere.

    Example:
        >>> stream_submissions("aSAvYreNzVEkrWg5Gdcvg", sort={"_submission_time": -1})
        kobotoolbox.stream_submissions(<str 21>, sort=<dict 1>)
    """
    return state.result(_submissions(form, query, sort, start, max_items))


@adaptor.operation(effect="read")
def attachments(state: State, form: str, submission: int | str, *, credential: str | None = None) -> State:
    """Get what is known of the files that came with a submission.

    Args:
        form: The form's ``uid``.
        submission: The submission's ``_id``, or its ``_uuid``.
        credential: The credential to use.

    Returns:
        The state with the list of attachments in ``data``: ``download_url``, ``mimetype``, ``question_xpath`` …

    Raises:
        HttpError: There is no such submission, or one may not see it.

    Example:
        >>> attachments("aSAvYreNzVEkrWg5Gdcvg", 451)
        kobotoolbox.attachments(<str 21>, <int>)
    """
    params = {"form": form, "submission": submission}
    found = adaptor.connection.get(_SUBMISSION, params=params, parse="json").data
    return state.result(found.get("_attachments") or [])


@adaptor.operation(effect="read")
def download_attachment(
    state: State, attachment: Mapping[str, Any], file: str, *, credential: str | None = None
) -> State:
    """Download an attachment into a file of the run, which is there as a whole or not at all.

    KoboToolbox may send one on to where it stores files. That place gets no token.

    Args:
        attachment: One of ``attachments``, or of ``_attachments`` in a submission.
        file: The name of the file inside the run's folder (see ``run_file``).
        credential: The credential to use.

    Returns:
        The state with ``file``, ``bytes``, ``sha256`` and ``type`` in ``data``.

    Raises:
        ArgumentError: The attachment has no ``download_url``, as one that was deleted.
        HttpError: There is no such attachment, or one may not see it.
        UrlError: Its ``download_url`` leads to another server than the credential's.

    Example:
        >>> download_attachment({"download_url": "https://kf.kobotoolbox.org/api/v2/…"}, "451/scan.jpg")
        kobotoolbox.download_attachment(<dict 1>, <str 12>)
    """
    client, url = adaptor.connection, attachment.get("download_url")
    if not url:
        raise ArgumentError("an attachment has no download_url", fix="Give one of `attachments` that is not deleted.")
    answer = client.download(url, run_file(file, create=True), headers={"Accept": "*/*"})
    return state.result({"file": file, **answer.data}, response=answer.response)


@adaptor.operation(effect="write")
def set_validation_status(
    state: State, form: str, submission: int | str, status: Status, *, credential: str | None = None
) -> State:
    """Approve a submission, refuse it, or put it on hold.

    Args:
        form: The form's ``uid``.
        submission: The submission's ``_id``.
        status: ``approved``, ``not_approved`` or ``on_hold``.
        credential: The credential to use.

    Returns:
        The state with the answer of KoboToolbox in ``data``.

    Raises:
        HttpError: There is no such submission or status, or one may not validate it.
        UnknownOutcomeError: The status was sent, and no answer came.

    Example:
        >>> set_validation_status("aSAvYreNzVEkrWg5Gdcvg", 451, "approved")
        kobotoolbox.set_validation_status(<str 21>, <int>, <str 8>)
    """
    params, body = {"form": form, "submission": submission}, {"validation_status.uid": f"validation_status_{status}"}
    return state.result(adaptor.connection.patch(_VALIDATION, params=params, json=body))


def _submissions(
    form: str, query: Mapping[str, Any] | None, sort: Mapping[str, int] | None, start: int, most: int | None
) -> Iterator[Any]:
    client, limits = adaptor.connection, Limits(max_items=most)
    asked = {"limit": client.page_size, "query": query or None, "sort": sort or {"_id": 1}, "start": start}
    return client.records(_SUBMISSIONS, items="results", limits=limits, params={"form": form}, query=asked)
