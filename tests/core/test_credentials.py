"""Credentials and redaction: which one is chosen, what is refused, and that no secret is shown: SE-03, SE-04."""

import logging
import pickle
from base64 import b64encode
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Annotated

import pytest
from crossdock import Adaptor, Job, Run, Workflow, credentials, each, resolve, set_data, state
from crossdock.credentials import Credential, entries_from
from crossdock.errors import CredentialError, NoRunError
from crossdock.redaction import Redactor
from pydantic import AliasChoices, BaseModel, Field, SecretStr

CANARY = "cAnary/7+x=ü 'quoted'"


class Configuration(BaseModel):
    name: str
    password: SecretStr = SecretStr("")
    port: Annotated[int, Field(gt=0)] = 1


crm = Adaptor("crm", configuration=Configuration, connect=lambda configuration: nullcontext(configuration.name))


@crm.operation(effect="read")
def whoami(state, inner=None):
    return state.result([crm.connection, inner])


@crm.operation(effect="read")
def nested(state):
    return state.result([crm.connection, whoami().result()[0]])


@crm.operation(effect="read")
def names(state):
    def generate() -> Iterator[str]:
        yield crm.connection
        yield crm.connection

    return state.result(generate())


def entry(name, **fields):
    return {"adaptor": "crm", "name": name, **fields}


TWO = {"crm": entry("main"), "other": entry("second")}


def test_the_credential_with_the_adaptors_name_is_the_default(run_job):
    assert run_job(whoami(), credentials=TWO).state.data[0] == "main"


def test_the_only_one_of_its_kind_is_the_default(run_job):
    run = run_job(whoami(), credentials={"office": entry("office"), "x": {"adaptor": "other"}})

    assert run.state.data[0] == "office"


def test_several_without_a_default_are_an_error_before_anything_runs(run_job):
    ran = []
    with pytest.raises(CredentialError, match="a, b"):
        run_job(lambda s: ran.append(1) or s, whoami(), credentials={"a": entry("a"), "b": entry("b")})
    assert ran == []


def test_a_name_that_is_not_there_lists_those_that_are(run_job):
    with pytest.raises(CredentialError, match="no credential 'third' for crm; there are: crm, other"):
        run_job(each([1], whoami(credential="third")), credentials=TWO)


def test_a_choice_holds_for_its_operation_alone(run_job):
    run = run_job(
        whoami(lambda s: whoami().result()[0], credential="other").into("arguments"),
        nested(credential="other").into("called"),
        whoami().into("after"),
        credentials=TWO,
    )

    assert run.state.arguments == ["second", "main"]
    assert run.state.called == ["second", "main"]
    assert run.state.after[0] == "main"


def test_a_choice_ends_with_its_operation(run_job):
    run = run_job(whoami(credential="other"), lambda s: s.result(crm.connection), credentials=TWO)

    assert run.state.data == "main"


def test_a_choice_travels_with_an_iterator(run_job):
    run = run_job(names(credential="other"), lambda s: s.result(list(s.data)), credentials=TWO)

    assert run.state.data == ["second", "second"]


def test_two_names_for_one_credential_share_its_connection(run_job):
    opened = []

    def connect(configuration):
        opened.append(configuration)
        return nullcontext(1)

    adaptor = Adaptor("once", connect=connect)

    @adaptor.operation(effect="read")
    def use(state):
        return state.result(adaptor.connection)

    run_job(use(), use(credential="once"), use(), credentials={"once": {"adaptor": "once"}})

    assert opened == [None]


def test_all_faults_of_a_configuration_are_said_at_once_and_no_value(run_job):
    with pytest.raises(CredentialError) as caught:
        run_job(whoami(), credentials={"crm": {"adaptor": "crm", "port": "S3CRET-port", "extra": 1}})

    assert "name: Field required" in caught.value.message
    assert "port: Input should be a valid integer" in caught.value.message
    assert "S3CRET" not in caught.value.message


def test_camel_case_names_are_known_and_unknown_fields_are_reachable(run_job):
    class Site(BaseModel):
        base_url: str

    adaptor = Adaptor("site", configuration=Site, connect=lambda site: nullcontext(site.base_url))

    @adaptor.operation(effect="read")
    def where(state):
        return state.result(adaptor.connection)

    fields = {"site": {"adaptor": "site", "baseUrl": "https://x", "db": "odoo", "apiKey": "key-12345"}}
    run = run_job(
        where(),
        set_data({"url": state.data, "db": credentials.site.db, "key": credentials.site.apiKey}),
        credentials=fields,
    )

    assert run.state.data == {"url": "https://x", "db": "odoo", "key": "***"}


class Tokens(BaseModel):
    token: str = Field(validation_alias=AliasChoices("token", "access_token"))


tokens = Adaptor("tokens", configuration=Tokens, connect=lambda configuration: nullcontext(configuration.token))


@tokens.operation(effect="read")
def which(state):
    return state.result(tokens.connection.partition("-")[2])


@pytest.mark.parametrize("name", ["token", "access_token", "accessToken"])
def test_c59_a_field_is_known_under_each_of_its_names(run_job, name):
    assert run_job(which(), credentials={"api": {"adaptor": "tokens", name: "abcd-first"}}).state.data == "first"


def test_c59_two_names_for_one_field_are_an_error_unless_they_say_the_same(run_job):
    both = {"adaptor": "tokens", "access_token": "abcd-first", "accessToken": "abcd-first"}

    assert run_job(which(), credentials={"api": both}).state.data == "first"
    with pytest.raises(CredentialError) as caught:
        run_job(which(), credentials={"api": {**both, "accessToken": "abcd-second"}})
    assert "accessToken: it is another name of access_token, which has another value" in caught.value.message
    assert "abcd" not in caught.value.message


def test_a_short_secret_is_refused_and_an_empty_one_is_none(run_job):
    with pytest.raises(CredentialError, match=r"crm\.password has only 3 characters"):
        run_job(whoami(), credentials={"crm": entry("a", password="abc")})
    assert run_job(whoami(), credentials={"crm": entry("a", password="")}).outcome == "success"


SHORT = {
    "written": {"token": "abc"},
    "by reference": {"token": "env:SHORT"},
    "a number": {"login": {"token": 123}},
    "as others call it": {"accessToken": "abc"},
}


@pytest.mark.parametrize("fields", SHORT)
def test_se_03_a_short_secret_is_refused_also_if_no_connection_uses_it(run_job, monkeypatch, fields):
    monkeypatch.setenv("SHORT", "abc")
    ran = []

    with pytest.raises(CredentialError, match=r"^crm\.(login\.)?(token|accessToken) has only 3 characters"):
        run_job(ran.append, credentials={"crm": {"adaptor": "crm", **SHORT[fields]}})
    assert ran == []


def test_references_are_resolved_and_a_missing_one_is_named(run_job, monkeypatch, tmp_path):
    monkeypatch.setenv("CRM_NAME", "from the environment")
    (tmp_path / "password").write_text(CANARY + "\n")

    run = run_job(
        whoami(),
        set_data(credentials.crm.password).into("p"),
        credentials={"crm": entry("env:CRM_NAME", password=f"file:{tmp_path}/password")},
    )

    assert (run.state.data[0], run.state.p) == ("***", "***")  # who keeps a value elsewhere keeps it secret
    with pytest.raises(CredentialError, match=r"crm\.name: the environment has no variable 'NOT_SET'"):
        run_job(whoami(), credentials={"crm": entry("env:NOT_SET")})
    with pytest.raises(CredentialError, match=r"can't be read"):
        run_job(whoami(), credentials={"crm": entry("a", password="file:/nowhere")})


def test_plain_fields_are_for_the_one_adaptor_of_the_job():
    assert entries_from({"name": "a"}, ["crm"], what="x") == {"crm": {"name": "a", "adaptor": "crm"}}
    with pytest.raises(CredentialError, match="crm, http"):
        entries_from({"name": "a"}, ["http", "crm"], what="x")
    with pytest.raises(CredentialError, match="'b' has no 'adaptor'"):
        entries_from({"a": {"adaptor": "crm"}, "b": {"name": 1}}, [], what="x")


def test_credentials_need_a_run():
    with pytest.raises(NoRunError):
        resolve(credentials.crm.name, state=Job()({}))


def test_se_04_a_credential_shows_no_value_and_is_not_pickled():
    credential = Credential("crm", "crm", {"password": CANARY})

    assert CANARY not in f"{credential} {credential!r} {[credential]}"
    with pytest.raises(CredentialError):
        pickle.dumps(credential)


@pytest.mark.parametrize(
    "shown",
    [
        CANARY,
        f"x{CANARY}y",
        "cAnary%2F7%2Bx%3D%C3%BC%20%27quoted%27",
        "cAnary%2F7%2Bx%3D%C3%BC+%27quoted%27",
        "cAnary/7+x=\\u00fc 'quoted'",
        CANARY.encode().hex(),
        b64encode(CANARY.encode()).decode(),
        b64encode(f"user:{CANARY}".encode()).decode(),
        b64encode(f"users:{CANARY}:and more".encode()).decode(),
    ],
)
def test_se_03_a_secret_is_masked_in_every_form(shown):
    redact = Redactor()
    redact.add(CANARY, what="crm.password")

    masked = redact(shown)

    assert "***" in masked
    assert "quoted" not in masked
    assert CANARY.encode().hex()[:12] not in masked
    assert b64encode(CANARY.encode()).decode()[4:12] not in masked


def test_se_03_and_06_each_line_of_a_key_is_masked():
    redact = Redactor()
    redact.add("-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----", what="crm.key")

    assert redact("found kqhkiG9w0BAQEF here") == "found *** here"


def test_errors_of_a_system_name_their_credential(run_job):
    from crossdock import AdaptorError

    @crm.operation(effect="read")
    def refuse(state):
        raise AdaptorError("no")

    assert run_job(refuse(), credentials={"office": entry("x")}).state.errors["job"]["details"]["system"] == "office"


def test_a_workflow_of_one_job_has_one_step_of_its_name():
    run = Run(Workflow.of(Job(lambda s: 1 / 0), "visits"))
    run.execute()

    assert list(run.state.errors) == ["visits"]


def test_a_failure_to_close_is_logged(run_job, caplog):
    class Stuck:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            raise OSError("stuck")

    adaptor = Adaptor("stuck", connect=lambda _: Stuck())

    @adaptor.operation(effect="read")
    def use(state):
        return state.result(bool(adaptor.connection))

    with caplog.at_level(logging.WARNING, "crossdock"):
        assert run_job(use()).outcome == "success"

    assert "could not be closed" in caplog.text


@pytest.mark.parametrize(
    "fields",
    [
        {"pin": 482913},
        {"api_keys": ["482913"]},
        {"passwords": {"main": "482913"}},
        {"uid": "env:KEPT_ELSEWHERE"},
    ],
)
def test_se_03_secrets_are_known_wherever_a_credential_holds_them(run_job, monkeypatch, fields):
    monkeypatch.setenv("KEPT_ELSEWHERE", "482913")

    run = run_job(
        set_data({"text": "is 482913", "number": 482913, "more": 14829130}),
        credentials={"x": {"adaptor": "other", **fields}},
    )

    assert run.state.data == {"text": "is ***", "number": "***", "more": 14829130}


def test_nested_secrets_of_a_configuration_are_known(run_job):
    class Key(BaseModel):
        value: SecretStr

    class Site(BaseModel):
        key: Key
        others: list[SecretStr] = []

    adaptor = Adaptor("keys", configuration=Site, connect=lambda site: nullcontext(site))

    @adaptor.operation(effect="read")
    def reveal(state):
        site = adaptor.connection
        return state.result([site.key.value.get_secret_value(), site.others[0].get_secret_value()])

    run = run_job(
        reveal(), credentials={"keys": {"adaptor": "keys", "key": {"value": "inner-1"}, "others": ["inner-2"]}}
    )

    assert run.state.data == ["***", "***"]


def test_se_03_what_the_run_writes_down_is_masked_too(run_job, caplog):
    from crossdock import JobError, log, warn

    def leak(s):
        log("logged s3cret-value")
        warn("WARNED", about="s3cret-value")
        raise JobError("NO", "no s3cret-value", key="s3cret-value")

    with caplog.at_level("INFO", "crossdock"):
        run = run_job(
            each([1], leak, on_error="collect"),
            set_data({"of-s3cret-value": 1, "of-***": 2}),
            credentials={"x": {"adaptor": "other", "password": "s3cret-value"}},
        )

    assert "s3cret" not in f"{run.state} {caplog.text}"
    assert run.state.data == {"of-***": 1, "of-****": 2}


def test_names_that_only_sound_secret_hide_and_refuse_nothing(run_job):
    run = run_job(
        set_data("id"), credentials={"x": {"adaptor": "other", "primary_key": "id", "author": "name", "key": "k"}}
    )

    assert run.state.data == "id"


def test_a_text_is_cut_before_a_secret_and_not_in_it():
    from crossdock.errors import cut

    assert cut("the token is s3cret-value", 20) == "the token is … (25 characters)"
