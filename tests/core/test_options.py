"""Options of operations: what is said about one that is unknown, missing or too many."""

import inspect
from typing import TypedDict, Unpack

import pytest
from crossdock import Adaptor, State, each, operation
from crossdock.checking.check import check
from crossdock.errors import ArgumentError, JobLoadError, OptionError
from crossdock.job import load_job
from crossdock.testing import RunJob
from fix_command import Crossdock, WriteJob
from fix_distribution import Install, path_of

adaptor = Adaptor("mail", renamed={"successCodes": "ok", "parseAs": "parse", "to": "recipient"})


class Options(TypedDict, total=False):
    ok: set[int] | None
    parse: str | None


@adaptor.operation(effect="write")
def send(state: State, recipient: str, *, subject: str, **options: Unpack[Options]) -> State:
    """Send a mail."""
    return state.result([recipient, subject, options])


@adaptor.operation(effect="read")
def receive(state: State, /, folder: str, *more: str, limit: int = 10) -> State:
    """Receive mail."""
    return state.result([folder, more, limit])


@operation
def anything(state, path, **named):
    return state.result([path, named])


ALL = "; its options are: recipient, subject, ok, parse, credential"
WRONG = {
    "closest": (
        lambda: send("a", subject="b", prase="x"),
        "mail.send has no option 'prase'" + ALL,
        "Did you mean parse=?",
    ),
    "far": (lambda: send("a", subject="b", zzz=1), "mail.send has no option 'zzz'" + ALL, "Use one of its options."),
    "renamed": (
        lambda: send("a", subject="b", successCodes={201}),
        "mail.send has no option 'successCodes', which is called ok=" + ALL,
        "Did you mean ok=?",
    ),
    "renamed and needed": (
        lambda: send(to="a", subject="b"),
        "mail.send has no option 'to', which is called recipient=" + ALL,
        "Did you mean recipient=?",
    ),
    "misspelt and needed": (
        lambda: send("a", subjekt="b"),
        "mail.send has no option 'subjekt'" + ALL,
        "Did you mean subject=?",
    ),
    "several": (
        lambda: send("a", subject="b", parseAs="x", prase="y"),
        "mail.send has no option 'parseAs', which is called parse=, and no option 'prase'" + ALL,
        "Did you mean parse=?",
    ),
    "renamed to what another operation has": (
        lambda: receive("inbox", successCodes={201}),
        "mail.receive has no option 'successCodes'; its options are: folder, more, limit, credential",
        "Use one of its options.",
    ),
    "missing": (lambda: send(), "mail.send needs recipient and subject" + ALL, "Give it recipient and subject."),
    "too many": (
        lambda: send("a", "b", {"c": 1}, subject="d"),
        "mail.send got 3 arguments without a name, and takes 1" + ALL,
        "Give the others by their names.",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_x07_a_wrong_option_is_named_with_all_that_there_are(name: str):
    build, message, fix = WRONG[name]

    with pytest.raises(OptionError) as caught:
        build()

    assert (caught.value.message, caught.value.fix) == (message, fix)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ArgumentError)


def test_right_options_arrive_as_before():
    assert send("a", subject="b", ok={201})(State()).data == ["a", "b", {"ok": {201}, "parse": None}]
    assert send(subject="b", recipient="a").arguments == ("a", "b", None, None)
    assert receive("in", "out", limit=None)(State()).data == ["in", ("out",), None]


def test_a_function_that_takes_any_option_still_does():
    assert anything("x", successCodes=1)(State()).data == ["x", {"successCodes": 1}]


def test_the_signature_of_a_builder_is_its_authors():
    assert (
        str(inspect.signature(send))
        == "(recipient: str, *, subject: str, ok: set[int] | None = None, parse: str | None = None,"
        " credential: 'str | None' = None)"
    )
    assert str(inspect.signature(each)).startswith("(items: ")


CALLS = [
    "http.get('/x', qs={})",
    "http.get('/x', qurey={}, mehtod='a')",
    f"http.get('/x', {'q' * 100}=1)",
    "http.post()",
    "http.get('/x', {}, 5, 6)",
    "set_data()",
    "set_data(1, 2)",
    "stop('a', reasn='b')",
]


@pytest.mark.parametrize("call", CALLS)
def test_check_says_of_a_wrong_call_what_the_call_itself_says(write_job: WriteJob, call: str):
    imports = "from crossdock import Job, set_data, stop\nfrom crossdock.adaptors import http\n"
    with pytest.raises(OptionError) as caught:
        exec(imports + call, {})

    (finding,) = check([str(write_job(f"{imports}job = Job({call})\n"))]).findings

    assert caught.value.message.startswith(f"{finding.message}; its options are: ")
    assert finding.fix == caught.value.fix or "of its options: " in finding.fix


MAIL = """
from crossdock import Adaptor
adaptor = Adaptor("mail", renamed={"to": "recipient"})

@adaptor.operation()
def send(state, recipient):
    return state.result(recipient)
"""


def test_x07_a_wrong_option_refuses_the_job_at_its_line(crossdock: Crossdock, write_job: WriteJob, install: Install):
    folder = install("acme-mail", MAIL, entry="mail")
    job = write_job(
        "from crossdock import Job\nfrom crossdock.adaptors import mail\n\njob = Job(\n    mail.send(to='a'),\n)"
    )

    done = crossdock("run", job, env=path_of(folder))

    assert (done.returncode, done.stdout) == (3, "")
    assert (
        "JobLoadError [job_unusable]: job.py:5: mail.send has no option 'to', which is called recipient=;"
        " its options are: recipient, credential\n  fix: Did you mean recipient=?\n"
    ) in done.stderr
    with pytest.raises(JobLoadError):
        load_job(job)


def test_x07_a_wrong_option_in_a_function_crashes_the_run_at_its_line(run_job: RunJob):
    def tell(state):
        return send(to=state.data, subject="x")

    for job in (tell, each([1, 2], tell, on_error="collect")):
        run = run_job(job)

        line = inspect.getsourcelines(tell)[1] + 1
        assert (run.outcome, type(run.error)) == ("crashed", OptionError)
        assert run.state.errors["job"]["line"].endswith(f"test_options.py:{line}")
        assert "failed" not in run.state
