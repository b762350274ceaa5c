"""Adaptors that are broken in one place each: the contract finds it, and nothing else."""

import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest

WHOLE = '''
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any

from crossdock import Adaptor, AdaptorError, State
from crossdock_http import Client, HttpConfiguration
from pydantic import Field, SecretStr

__all__ = ["AcmeError", "adaptor", "register"]
left = []


class Configuration(HttpConfiguration):
    tenant: str = Field("main", description="Whose registry it is.")
    pin: SecretStr = Field(description="What lets one in.")


class AcmeError(AdaptorError):
    code = "acme_error"
    fix = "Ask those who run Acme."


def connect(configuration: Configuration) -> Client:
    return Client(configuration, headers={"X-Pin": configuration.pin, "X-Tenant": configuration.tenant})


adaptor = Adaptor("NAME", configuration=Configuration, connect=connect)


@adaptor.operation(effect="write")
def register(state: State, person: Mapping[str, Any], *, credential: str | None = None) -> State:
    """Register a person.

    Example:
        >>> register({"name": "Amina"})
        NAME.register(<dict 1>)
    """
    answer = adaptor.connection.post("/people", json={**person})
    return state.result(answer)
'''
WRAPPED = """
_build = register
def register(person, **options):
    {first}
    return _build(person, **options)
"""

# what is broken: what stands there instead, and the rule that finds it
BREAKS = {
    "other_api": ("connect=connect)", "connect=connect, api=2)", "the_entry_point_leads_to_an_adaptor"),
    "unpinned": ("", "", "the_entry_point_leads_to_an_adaptor"),
    "imports_tools": ("import logging\n", "import logging\nimport unittest\n", "importing_it_does_nothing_else"),
    "imports_loudly": ("left = []", "left = []\nprint('hello')", "importing_it_does_nothing_else"),
    "imports_far": ("left = []", "left = [socket.getaddrinfo('127.0.0.1', 80)]", "importing_it_does_nothing_else"),
    "meddling": (
        "left = []",
        "left = [socket.create_connection]\nsocket.create_connection = lambda *a, **o: left[0](*a, **o)",
        "importing_it_does_nothing_else",
    ),
    "hidden": ('"adaptor", "register"]', '"adaptor"]', "an_operation_has_a_good_name"),
    "undocumented": ("Register a person.", "", "an_operation_has_docs"),
    "false_example": ("<dict 1>", "<dict 2>", "an_operation_has_an_example_that_runs"),
    "no_effect": ('(effect="write")', "()", "an_operation_says_whether_it_writes"),
    "eager": ("", WRAPPED.format(first="socket.getaddrinfo('127.0.0.1', 80)"), "building_an_operation_reaches_for"),
    "curious": ("", WRAPPED.format(first="assert person['name'] != ''"), "every_argument_may_be_lazy"),
    "untouched": ("person: Mapping[str, Any]", "person: Callable[[], Any]", "every_argument_may_be_lazy"),
    "mutating": ("    answer =", "    person['sent'] = True\n    answer =", "an_operation_leaves_its_state_as_it_was"),
    "no_json": ("state.result(answer)", "state.result({'seen': {1, 2}})", "what_an_operation_gives_is_json"),
    "open_secret": ("pin: SecretStr", "pin: str", "no_secret_is_shown"),
    "chatty": (
        "    return Client(",
        "    logging.getLogger('acme').info('in with %s', configuration.pin.get_secret_value())\n    return Client(",
        "no_secret_is_shown",
    ),
    "undescribed": (
        'Field("main", description="Whose registry it is.")',
        'Field("main")',
        "the_configuration_is_declared_and_described",
    ),
    "undeclared": (
        "    return Client(",
        "    getattr(configuration, 'model_fields_set') and 0 and configuration.region\n    return Client(",
        "the_configuration_is_declared_and_described",
    ),
    "leaking": (
        "    return Client(",
        "    left.append(socket.socket())\n    return Client(",
        "every_connection_is_closed",
    ),
    "nameless_error": ('    code = "acme_error"\n', "", "every_error_has_a_code_and_a_fix"),
    "foreign_class": ("(AdaptorError):", "(Exception):", "every_error_has_a_code_and_a_fix"),
    "foreign_error": (
        '    answer = adaptor.connection.post("/people", json={**person})\n',
        """\
    try:
        answer = adaptor.connection.post("/people", json={**person})
    except AdaptorError as error:
        raise ConnectionError("Acme is gone") from error
""",
        "a_failure_is_an_error_of_crossdock",
    ),
}
CONTRACT = """
class Test_{name}(AdaptorContract):
    adaptor = "{name}"
    configuration = {{"pin": "any-pin-at-all"}}
"""


def install(folder, name, source, needs):
    metadata = folder / f"crossdock_{name}-1.0.dist-info"
    metadata.mkdir()
    required = f"Requires-Dist: {needs}\nRequires-Dist: crossdock-http>=0.1\n"
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: crossdock-{name}\nVersion: 1.0\n{required}")
    (metadata / "entry_points.txt").write_text(f"[crossdock.adaptors]\n{name} = crossdock_{name}\n")
    (folder / f"crossdock_{name}.py").write_text(source.replace("NAME", name))


def broken(old, new):
    assert WHOLE.count(old) == 1 or old == "", old
    return WHOLE.replace(old, new) if old else WHOLE + new


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Try the whole adaptor and all broken ones in one process; give what failed of each, and what that said."""
    folder = tmp_path_factory.mktemp("broken")
    install(folder, "whole", WHOLE, "crossdock>=0.1")
    for name, (old, new, _) in BREAKS.items():
        install(folder, name, broken(old, new), "crossdock" if name == "unpinned" else "crossdock>=0.1")
    contracts = "".join(CONTRACT.format(name=name) for name in ["whole", *BREAKS])
    (folder / "test_all.py").write_text(f"from crossdock.testing import AdaptorContract\n{contracts}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={folder / 'all.xml'}"]
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, "test_all.py"], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    found = {name: {} for name in ["whole", *BREAKS]}
    for case in ElementTree.parse(folder / "all.xml").iter("testcase"):
        for problem in [*case.findall("failure"), *case.findall("error")]:
            name = case.get("classname").removeprefix("test_all.Test_")
            found[name][case.get("name")] = problem.text
    return found


def test_the_whole_adaptor_keeps_the_contract(verdicts):
    assert verdicts["whole"] == {}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_found_by_its_rule_alone(verdicts, name):
    assert [rule.partition("[")[0] for rule in verdicts[name] if BREAKS[name][2] not in rule] == []
    assert len(verdicts[name]) == 1
    (text,) = verdicts[name].values()
    assert "\n  fix: " in text
    assert name in text
