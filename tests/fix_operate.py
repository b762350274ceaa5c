"""The store of a project of two steps, with what servers and workers leave in it."""

from collections.abc import Iterator

import pytest
from crossdock.store.records import Finish, NewMessage, NewRun
from crossdock.store.store import Store
from fix_serve import Served
from fix_store import as_url

PROJECT = """
workflows:
  visits:
    retry: {attempts: 1}
    triggers: {form: {webhook: visits, exclude: '{"test": true}'}}
    steps:
      check: {job: jobs/check.py, next: load}
      load: {job: jobs/load.py}
"""
CHECK = """
from crossdock import Job

def check(state):
    with open("check.txt", "a") as file:
        print(state.data["id"], file=file)
    return state

job = Job(check)
"""
LOAD = """
import os
from crossdock import AdaptorError, Job

def load(state):
    if not os.path.exists("works"):
        raise AdaptorError("the registry is away")
    print("loaded", state.data["id"])
    return state

job = Job(load)
"""


ON_SQLITE = pytest.mark.parametrize("operated", ["sqlite"], indirect=True)
"""For what is about the file of a store."""


@pytest.fixture(params=["sqlite", "postgresql"])
def operated(served: Served, request: pytest.FixtureRequest) -> Served:
    """A project of two steps, once with each kind of store; the second step fails as long as there is no file ``works``."""
    if request.param == "postgresql":
        served.store_url = as_url(request.getfixturevalue("postgres").dsn)
    served.write(PROJECT, check=CHECK, load=LOAD)
    return served


@pytest.fixture
def operated_store(operated: Served) -> Iterator[Store]:
    """The store of the project, without a server."""
    with operated.store(create=True) as store:
        yield store


def accept(store: Store, body: bytes = b'{"id": 7}') -> str:
    """Accept a message, and give the id of its run."""
    return store.accept(NewMessage("visits", body, [NewRun("visits", "form", "v1")])).runs[0]


def given_up(store: Store, body: bytes = b'{"id": 7}') -> str:
    """Let a run end as dead, and give its id."""
    run = accept(store, body)
    claimed = store.claim("worker")
    assert claimed is not None
    store.finish(claimed, Finish("crashed", error={"code": "job_load", "message": "it is gone"}, dead=True))
    return run
