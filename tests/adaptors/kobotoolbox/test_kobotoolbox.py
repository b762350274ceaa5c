"""The operations of kobotoolbox, on a server that pages, checks the token and refuses as KoboToolbox does."""

import pytest
from crossdock.adaptors import kobotoolbox
from crossdock.testing import Close
from crossdock_http import HttpError, UrlError

FORM = "aVisits"
SCAN = "the very bytes"


@pytest.fixture
def visits(kobo):
    return [kobo.submit(FORM, village=village) for village in ("Kisiwa", "Ahero", "Kisiwa", "Awasi", "Kisiwa")]


@pytest.fixture
def scanned(kobo, http_system):
    """A submission with a file, which is stored on another server."""
    record = kobo.submit(FORM, _uuid="1f0c-77")
    kobo.attach(FORM, record, "att1", f"{http_system.url}/bucket/scan?signature=abc")
    return record


@pytest.fixture
def storage(http_system):
    return http_system.on("GET", "/bucket/scan", query={"signature": "abc"}).answer(text=SCAN)


def ids(run):
    return [record["_id"] for record in run.data]


def test_forms_are_those_of_all_pages_and_no_other_assets(kobo, run_kobo):
    for number in range(4):
        kobo.add_form(f"aForm{number}", f"survey_{number}")
    kobo.add_form("aBlock", "visits_block", kind="block")

    run = run_kobo(kobotoolbox.forms(), page_size=2)

    assert [form["uid"] for form in run.data] == [FORM, "aForm0", "aForm1", "aForm2", "aForm3"]
    assert [request.args["limit"] for request in kobo.asked] == ["2", "2", "2"]


def test_a_search_among_the_forms_goes_along(kobo, run_kobo):
    kobo.add_form("aStock", "stock")

    run = run_kobo(kobotoolbox.forms("name:stock"))

    assert [form["uid"] for form in run.data] == ["aStock"]
    assert kobo.asked[0].args["q"] == "asset_type:survey AND (name:stock)"


def test_a_form_has_its_questions(kobo, run_kobo):
    assert run_kobo(kobotoolbox.form(FORM)).data == kobo.forms[FORM]


@pytest.mark.parametrize("operation", [kobotoolbox.form("aNone"), kobotoolbox.submissions("aNone")], ids=str)
def test_a_form_that_is_not_there_is_a_failure(run_kobo, operation):
    run = run_kobo(operation)

    assert (run.outcome, run.error.code, run.error.details["status"]) == ("failed", "http_error", 404)


def test_a_token_that_is_not_accepted_is_a_failure(run_kobo):
    run = run_kobo(kobotoolbox.forms(), token="another-token")

    assert (run.outcome, run.error.code, run.error.details["status"]) == ("failed", "http_error", 401)


def test_the_scheme_of_a_credential_is_one_s_own(kobo, run_kobo):
    run_kobo(kobotoolbox.forms(), scheme="Bearer")

    assert kobo.asked[0].headers["Authorization"] == f"Bearer {kobo.token}"


def test_submissions_are_those_of_all_pages_the_oldest_first(kobo, visits, run_kobo):
    kobo.submissions[FORM].reverse()

    run = run_kobo(kobotoolbox.submissions(FORM), page_size=2)

    assert ids(run) == [1, 2, 3, 4, 5]
    assert [request.args["start"] for request in kobo.asked] == ["0", "2", "4"]


def test_what_is_submitted_between_two_pages_moves_nothing(kobo, visits, run_kobo):
    def and_submit(state):
        walked = iter(state.data)
        first = next(walked)
        kobo.submissions[FORM].insert(0, {"_id": 6})
        return state.result([first, *walked])

    run = run_kobo(kobotoolbox.stream_submissions(FORM), and_submit, page_size=2)

    assert ids(run) == [1, 2, 3, 4, 5, 6]


def test_a_page_that_the_server_makes_smaller_loses_nothing(kobo, run_kobo, monkeypatch):
    monkeypatch.setattr("fix_kobotoolbox.MOST_OF_A_PAGE", 3)
    for _ in range(7):
        kobo.submit(FORM)

    assert ids(run_kobo(kobotoolbox.submissions(FORM), page_size=5)) == [1, 2, 3, 4, 5, 6, 7]


CHOSEN = {
    "equal": ({"query": {"village": "Kisiwa"}}, [1, 3, 5]),
    "above": ({"query": {"_id": {"$gt": 2}}}, [3, 4, 5]),
    "downwards": ({"sort": {"_id": -1}}, [5, 4, 3, 2, 1]),
    "two-fields": ({"sort": {"village": 1, "_id": -1}}, [2, 4, 5, 3, 1]),
    "start": ({"start": 3}, [4, 5]),
}


@pytest.mark.parametrize("operation", [kobotoolbox.submissions, kobotoolbox.stream_submissions])
@pytest.mark.parametrize("name", CHOSEN)
def test_a_query_an_order_and_a_start_go_along_to_every_page(visits, run_kobo, operation, name):
    options, wanted = CHOSEN[name]

    run = run_kobo(operation(FORM, **options), lambda state: state.result(list(state.data)), page_size=2)

    assert ids(run) == wanted


def test_what_is_left_unread_is_a_warning(visits, run_kobo):
    run = run_kobo(kobotoolbox.submissions(FORM, max_items=3), page_size=2)

    assert ids(run) == [1, 2, 3]
    assert [warning["code"] for warning in run.warnings] == ["pages_left_unread"]


def test_a_stream_reads_a_page_when_it_is_needed(kobo, visits, run_kobo):
    read = []

    def watch(state):
        read.append(len(kobo.asked))
        read.extend(len(kobo.asked) for _ in state.data)
        return state.result(None)

    run = run_kobo(kobotoolbox.stream_submissions(FORM), watch, page_size=2)

    assert (run.outcome, read) == ("success", [0, 1, 1, 2, 2, 3])


def test_a_stream_takes_the_memory_of_a_page(kobo, measure_http):
    for _ in range(3000):
        kobo.submit(FORM, story="x" * 20_000)
    count = "lambda state: state.result(sum(1 for _ in state.data))"

    run = measure_http(f"kobotoolbox.stream_submissions({FORM!r}), {count}", **kobo.credential, page_size=50)

    assert (run.outcome, run.data) == ("success", 3000)
    assert run.grew < 3000 * 20_000 / 2


@pytest.mark.parametrize("submission", [1, "1f0c-77"], ids=["id", "uuid"])
def test_attachments_are_those_of_one_submission(kobo, scanned, run_kobo, submission):
    assert run_kobo(kobotoolbox.attachments(FORM, submission)).data == scanned["_attachments"]


def test_a_submission_without_files_has_no_attachments(kobo, run_kobo):
    kobo.submit(FORM, _attachments=None)

    assert run_kobo(kobotoolbox.attachments(FORM, 1)).data == []


def test_an_attachment_becomes_a_file_and_its_storage_gets_no_token(kobo, scanned, storage, run_kobo, tmp_path):
    download = kobotoolbox.download_attachment(scanned["_attachments"][0], "1/scan.jpg")

    run = run_kobo(download, files=tmp_path, allow_private_addresses=True)

    assert (run.outcome, run.data["file"], run.data["bytes"]) == ("success", "1/scan.jpg", len(SCAN))
    assert (tmp_path / "1/scan.jpg").read_text() == SCAN
    (stored,) = storage.requests
    assert "authorization" not in stored.headers
    assert kobo.token not in str(stored.headers)


def test_an_attachment_on_another_server_is_refused(http_system, run_kobo, tmp_path):
    elsewhere = {"download_url": f"{http_system.url}/bucket/scan"}

    run = run_kobo(kobotoolbox.download_attachment(elsewhere, "scan.jpg"), files=tmp_path)

    assert (run.outcome, type(run.error), list(tmp_path.iterdir())) == ("failed", UrlError, [])


def test_an_attachment_that_is_not_there_leaves_no_file(kobo, scanned, run_kobo, tmp_path):
    gone = {"download_url": scanned["_attachments"][0]["download_url"].replace("att1", "att2")}

    run = run_kobo(kobotoolbox.download_attachment(gone, "scan.jpg"), files=tmp_path)

    assert (run.error.details["status"], list(tmp_path.iterdir())) == (404, [])


def test_an_attachment_that_was_deleted_has_no_address_and_is_refused(run_kobo, tmp_path):
    run = run_kobo(kobotoolbox.download_attachment({"uid": "att1", "is_deleted": True}, "scan.jpg"), files=tmp_path)

    assert (run.outcome, run.error.code, list(tmp_path.iterdir())) == ("failed", "bad_argument", [])


@pytest.mark.parametrize("status", ["approved", "not_approved", "on_hold"])
def test_a_validation_status_is_set(visits, run_kobo, status):
    run = run_kobo(kobotoolbox.set_validation_status(FORM, 2, status))

    assert (run.outcome, run.data) == ("success", {"uid": f"validation_status_{status}"})
    assert [visit["_validation_status"] for visit in visits[:2]] == [{}, run.data]


def test_a_validation_status_that_there_is_not_is_a_failure(visits, run_kobo):
    run = run_kobo(kobotoolbox.set_validation_status(FORM, 2, "perhaps"))

    assert (run.error.details["status"], visits[1]["_validation_status"]) == (400, {})


def test_a_validation_status_without_an_answer_is_unknown(faulty_server, run_kobo):
    server = faulty_server(Close())

    run = run_kobo(kobotoolbox.set_validation_status(FORM, 2, "approved"), base_url=server.url)

    assert (run.outcome, len(server.requests)) == ("unknown", 1)


def test_a_dry_run_validates_nothing(kobo, visits, run_job):
    job = kobotoolbox.set_validation_status(FORM, 2, "approved")

    run_job(job, credentials={"kobo": kobo.credential}, dry_run=True)

    assert (kobo.asked, visits[1]["_validation_status"]) == ([], {})
    declared = kobotoolbox.adaptor.operations
    assert [name for name in declared if declared[name].effect == "write"] == ["set_validation_status"]


def test_a_check_of_a_credential_shows_that_its_token_is_accepted(kobo):
    def check(token):
        entry = kobotoolbox.Configuration(base_url=kobo.url, token=token)
        with kobotoolbox.adaptor.connect(entry) as client:
            return kobotoolbox.adaptor.verify(client)

    assert check(kobo.token) == f"{kobo.url} as the owner of a token"
    with pytest.raises(HttpError, match="answered 401"):
        check("another-token")


def test_the_token_is_nowhere(kobo, scanned, storage, run_kobo, canary_sweep, tmp_path):
    kobo.token = canary_sweep.secret
    reads = [kobotoolbox.forms(), kobotoolbox.submissions(FORM), kobotoolbox.attachments(FORM, 1)]
    download = kobotoolbox.download_attachment(scanned["_attachments"][0], "scan.jpg")

    good = run_kobo(*reads, download, files=tmp_path, allow_private_addresses=True)
    bad = run_kobo(*reads, kobotoolbox.form("aNone"))

    assert (good.outcome, bad.outcome) == ("success", "failed")
    for run in (good, bad):
        canary_sweep(tmp_path, state=run.state, error=run.error, warnings=run.warnings)
