"""Fields of a credential whose names look secret and whose values are none: an adaptor declares them ``Public``."""

import pytest
from crossdock import Plugins, credentials, set_data
from crossdock.provenance import origins
from crossdock.redaction import Redactor
from crossdock.secret_fields import not_public

KEYSPACES = """
from contextlib import nullcontext
from crossdock import Adaptor, Public
from pydantic import BaseModel, Field, SecretStr

class Configuration(BaseModel):
    keyspace: Public[str] = Field(description="Where the tables are.")
    passage: str = Field(description="A secret, as far as anybody can tell.")
    token: Public[str] = Field(description="A name that says by itself what it is.")
    signing_key: Public[SecretStr] = Field(description="A secret that says so.")

adaptor = Adaptor("keyspaces", configuration=Configuration, connect=nullcontext)

@adaptor.operation(effect="read")
def connection(state):
    return state.result(str(adaptor.connection.keyspace))
"""
FIELDS = {"keyspace": "visits-7", "passage": "north-7", "token": "a-token-7", "signing_key": "a-key-7"}
SHOWN = ["visits-7", "***", "***", "***"]


@pytest.fixture
def keyspaces(install):
    install("acme-keyspaces", KEYSPACES, entry="keyspaces")
    from crossdock.adaptors import keyspaces

    return keyspaces


def test_what_an_adaptor_declares_public_is_not_masked_and_all_else_is(run_job, keyspaces):
    values = [credentials.db[name] for name in FIELDS]

    run = run_job(keyspaces.connection(), set_data(values), credentials={"db": {"adaptor": "keyspaces", **FIELDS}})

    assert (run.outcome, run.data) == ("success", SHOWN)


def test_what_a_job_prints_before_it_runs_is_masked_by_the_same_rule(crossdock, write_job, tmp_path, install):
    from fix_distribution import path_of

    site = install("acme-keyspaces", KEYSPACES, entry="keyspaces")
    job = write_job(f"print({' '.join(FIELDS.values())!r})\nfrom crossdock import Job\njob = Job()")
    entries = tmp_path / "credentials.json"
    entries.write_text('{"db": {"adaptor": "keyspaces", "keyspace": "visits-7", "passage": "north-7"}}')
    entries.chmod(0o600)

    done = crossdock("run", job, "--credentials", entries, env=path_of(site))

    assert "visits-7 *** a-token-7" in done.stdout + done.stderr


def test_the_list_of_credentials_shows_which_fields_are_secret(keyspaces):
    found = origins("db", {"adaptor": "keyspaces", **FIELDS}, plugins=Plugins(), redactor=Redactor())

    assert {origin.field: origin.secret for origin in found} == {
        "keyspace": False,
        "passage": True,
        "token": True,
        "signing_key": True,
    }


def test_the_host_key_of_sftp_is_public(run_job):
    entry = {"adaptor": "sftp", "host_key": "ssh-ed25519 AAAAC3Nz", "private_key": "-----BEGIN", "host": "x"}

    run = run_job(set_data([credentials.x.host_key, credentials.x.private_key]), credentials={"x": entry})

    assert run.data == ["ssh-ed25519 AAAAC3Nz", "***"]


@pytest.mark.parametrize("source", [None, "raise RuntimeError", "adaptor = 7"])
def test_all_that_looks_secret_is_masked_where_the_adaptor_can_not_be_loaded(run_job, install, source):
    install("acme-broken", source, entry="broken")

    run = run_job(set_data(credentials.x.keyspace), credentials={"x": {"adaptor": "broken", "keyspace": "visits-7"}})

    assert run.data == "***"


def test_no_adaptor_is_loaded_where_every_name_speaks_for_itself():
    fields = {"base_url": "https://x.example", "password": "p", "token": "t", "page_size": 7, "scheme": "Token"}

    assert not_public(fields, lambda: pytest.fail("it was loaded")) == fields
