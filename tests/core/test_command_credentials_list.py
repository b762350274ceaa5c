"""`crossdock credentials list`: where each value comes from, what is missing, and no value."""

import re
from pathlib import Path

import pytest
from crossdock.loading import PLUGINS
from fix_command import Crossdock, WriteYaml, shows
from fix_distribution import GOOD, HOOKS, Install, path_of
from fix_keyring import Keyring
from pytest_httpserver import HTTPServer

ROOT = Path(__file__).parent.parent.parent
CANARY = "cAnary/7+x=u 24 characters"
VAULT = re.search(
    r"```python\n(\"\"\"Give secrets of HashiCorp.*?)```", (ROOT / "docs/credentials.md").read_text(), re.S
)


@pytest.fixture
def vault(install: Install, httpserver: HTTPServer):
    """The plugin of the documentation as an installed distribution, and the vault that it asks; its environment."""
    request = httpserver.expect_request("/v1/secret/data/kobo", headers={"X-Vault-Token": "vault-token"})
    request.respond_with_json({"data": {"data": {"token": CANARY}}})
    folder = install("acme-vault", VAULT[1], entry="acme-vault", group=PLUGINS)
    return {**path_of(folder), "VAULT_ADDR": httpserver.url_for("").rstrip("/"), "VAULT_TOKEN": "vault-token"}


FILE = """\
kobo:
  adaptor: http
  base_url: env:KOBO_URL
  api_key:
    value: file:key.txt
    header: X-Key
crm: {adaptor: http, token: "vault:secret/data/kobo#token"}
hmis:
  adaptor: dhis2
  base_url: https://hmis.example.org
  pat: keyring:clinic/hmis
warehouse:
  adaptor: postgresql
  password: {secret}
  port: 5432
open: {adaptor: http}
"""


def test_the_source_of_every_field_is_told_and_no_value(
    crossdock: Crossdock, keyring: Keyring, vault, write_yaml: WriteYaml, tmp_path
):
    secrets = [f"{CANARY} {number}" for number in range(3)]
    (tmp_path / "key.txt").write_text(secrets[0])
    keyring.set("clinic", "hmis", secrets[1])
    file = write_yaml(FILE.replace("{secret}", secrets[2]))
    env = {**vault, **keyring.env, "KOBO_URL": "https://kobo.example.org"}

    done = crossdock("credentials", "list", "--credentials", file, "--json", env=env)
    table = crossdock("credentials", "list", "--credentials", file, "--verbose", env=env)

    assert (done.returncode, done.stderr) == (0, "")
    assert {row["status"] for row in done.json} == {"ok"}
    told = [(row["name"], row["field"], row["given"], row["source"], row["secret"]) for row in done.json]
    assert told == [
        ("kobo", "base_url", "c.yaml:3", "env:KOBO_URL", False),
        ("kobo", "api_key.value", "c.yaml:5", "file:key.txt", False),
        ("kobo", "api_key.header", "c.yaml:6", "inline", False),
        ("crm", "token", "c.yaml:7", "vault:secret/data/kobo#token (plugin acme-vault)", False),
        ("hmis", "base_url", "c.yaml:10", "inline", False),
        ("hmis", "pat", "c.yaml:11", "keyring:clinic/hmis", False),
        ("warehouse", "password", "c.yaml:14", "inline", True),
        ("warehouse", "port", "c.yaml:15", "inline", False),
        ("open", "adaptor", "c.yaml:16", "inline", False),
    ]
    assert table.stdout.splitlines()[2].split() == ["kobo", "http", "api_key.value", "c.yaml:5", "file:key.txt", "ok"]
    assert not shows(done, CANARY, *secrets)
    assert not shows(table, CANARY, *secrets)


def test_what_is_missing_is_told_with_the_fix(crossdock: Crossdock, keyring: Keyring, vault, write_yaml: WriteYaml):
    file = write_yaml(
        'a: {adaptor: http, token: "env:NOT_SET"}\n'
        'b: {adaptor: http, token: "file:/none"}\n'
        'c: {adaptor: http, token: "keyring:clinic/none"}\n'
        'd: {adaptor: http, token: "vault:secret/data/kobo#none"}\n'
        'e: {adaptor: http, token: "vault:secret/data/none#token"}\n'
        'f: {adaptor: htpt, host: "db:1"}\n'
        'g: {adaptor: http, token: "env:EMPTY"}\n'
    )
    env = {**vault, **keyring.env, "EMPTY": ""}

    done = crossdock("credentials", "list", "--credentials", file, "--json", env=env)
    table = crossdock("credentials", "list", "--credentials", file, env=env)

    assert (done.returncode, table.returncode) == (3, 3)
    assert [(row["field"], row["status"], row["source"]) for row in done.json] == [
        ("token", "missing", "env:NOT_SET"),
        ("token", "missing", "file:/none"),
        ("token", "missing", "keyring:clinic/none"),
        ("token", "missing", "plugin acme-vault"),
        ("token", "missing", "plugin acme-vault"),
        ("adaptor", "missing", "inline"),
        ("host", "ok", "inline"),
        ("token", "empty", "env:EMPTY"),
    ]
    assert [(row["problem"]["message"], row["problem"]["fix"]) for row in done.json if row["problem"]] == [
        ("a.token: the environment has no variable 'NOT_SET'", "Set it: export NOT_SET=…"),
        ("b.token: the secret file '/none' can't be read: No such file or directory", "Correct the path or its permissions."),
        ("c.token: the keyring has no entry 'none' of the service 'clinic'", "Add it: keyring set clinic none"),
        ("d.token: the vault has no field 'none' at 'secret/data/kobo'", "Add it there."),
        ("e.token: the plugin acme-vault could not resolve it: HTTPError", "Check the vault that it asks."),
        (
            "no adaptor 'htpt' is installed; there are: dhis2, http, postgresql",
            "Did you mean http? Else: pip install crossdock-htpt",
        ),
    ]  # fmt: skip
    assert "\nd.token: the vault has no field 'none' at 'secret/data/kobo'\n  fix: Add it there.\n" in table.stdout


def test_a_secret_with_a_colon_at_which_a_plugin_fails_is_not_shown(
    crossdock: Crossdock, install: Install, write_yaml: WriteYaml
):
    source = f"{HOOKS}@hookimpl\ndef crossdock_resolve_secret(reference):\n    scheme, path = reference.split(':')\n"
    env = path_of(install("acme-bad", source, entry="bad", group=PLUGINS))
    file = write_yaml('kobo: {adaptor: http, token: "cAnary:7:24-characters"}')

    done = crossdock("credentials", "list", "--credentials", file, "--verbose", env=env)

    assert done.returncode == 3
    assert "plugin bad" in done.stdout
    assert not shows(done, "cAnary:7:24-characters")


def test_a_secret_with_a_colon_that_a_plugin_prints_is_masked(
    crossdock: Crossdock, install: Install, write_yaml: WriteYaml
):
    source = f"{HOOKS}@hookimpl\ndef crossdock_resolve_secret(reference):\n    print('asked for', reference)\n"
    env = path_of(install("acme-loud", source, entry="loud", group=PLUGINS))
    file = write_yaml('kobo: {adaptor: http, api_key: {value: "cAnary:7:24-characters", header: X-Key}}')

    done = crossdock("credentials", "list", "--credentials", file, env=env)

    assert (done.returncode, done.stderr) == (0, "asked for ***\n")


def test_an_adaptor_resolves_the_references_of_its_credentials(
    crossdock: Crossdock, install: Install, write_yaml: WriteYaml
):
    source = (
        f"{GOOD}\nfrom crossdock import hookimpl\n@hookimpl\ndef crossdock_resolve_secret(reference):\n"
        f"    print('asked for', {CANARY!r})\n    return {CANARY!r} if reference.startswith('good:') else None\n"
    )
    env = path_of(install("crossdock-good", source, entry="good"))

    done = crossdock("credentials", "list", "--credentials", write_yaml("x: {adaptor: good, token: 'good:x'}"), env=env)

    assert done.returncode == 0
    assert "good:x (adaptor good)" in done.stdout
    assert not shows(done, CANARY)


# name: what a vault does, what is said of it
VAULTS = {
    "hangs": ("import threading; threading.Event().wait()", "there was no answer within 1 s"),
    "ends": ("import os; os._exit(9)", "the process ended with exit code 9"),
}


@pytest.mark.parametrize("name", VAULTS)
def test_a_vault_that_never_answers_ends_the_command_in_time(
    crossdock: Crossdock, install: Install, write_yaml: WriteYaml, name
):
    does, said = VAULTS[name]
    source = f"{HOOKS}@hookimpl\ndef crossdock_resolve_secret(reference):\n    {does}\n"
    env = path_of(install("acme-vault", source, entry="vault", group=PLUGINS))
    file = write_yaml("kobo: {adaptor: http, token: 'vault:x'}")

    listed = crossdock("credentials", "list", "--credentials", file, "--timeout", "1", env=env)
    checked = crossdock("credentials", "check", "kobo", "--credentials", file, "--timeout", "1", env=env)

    assert (listed.returncode, listed.stdout) == (3, "")
    assert f"crossdock: while looking up the values of kobo: {said}\n  fix: " in listed.stderr
    assert (checked.returncode, checked.stdout.splitlines()[0]) == (
        1,
        f"kobo: failed, while looking up its values: {said}",
    )


@pytest.mark.parametrize(
    ("mode", "token", "warned"), [(0o644, "hushhush", True), (0o600, "hushhush", False), (0o644, "env:HOME", False)]
)
def test_se_10_a_secret_in_a_file_that_others_can_read_is_warned_of(
    crossdock: Crossdock, write_yaml: WriteYaml, tmp_path, mode, token, warned
):
    file = write_yaml(f"kobo:\n  adaptor: http\n  token: {token}\n")
    (tmp_path / file).chmod(mode)

    done = crossdock("credentials", "list", "--credentials", file)

    assert done.returncode == 0
    assert (
        "warning: c.yaml:3 holds a secret, and other users of this machine can read the file" in done.stderr
    ) is warned
    assert not shows(done, "hushhush")


def test_se_11_a_broken_file_is_refused_with_its_line_and_no_content(crossdock: Crossdock, write_yaml: WriteYaml):
    done = crossdock("credentials", "list", "--credentials", write_yaml(f"kobo:\n  token: [{CANARY}"), "--verbose")

    assert (done.returncode, done.stdout) == (3, "")
    assert "the credentials file 'c.yaml' is not valid YAML in line " in done.stderr
    assert not shows(done, CANARY)


def test_a_file_without_credentials_lists_none(crossdock: Crossdock, write_yaml: WriteYaml):
    done = crossdock("credentials", "list", "--credentials", write_yaml("{}"))
    assert (done.returncode, done.stdout) == (0, "There are no credentials.\n")


def test_plain_fields_are_of_no_known_adaptor(crossdock: Crossdock, write_yaml: WriteYaml):
    done = crossdock("credentials", "list", "--credentials", write_yaml("base_url: https://kobo.example.org"))
    assert done.returncode == 3
    assert (
        "the credentials file 'c.yaml' gives plain fields, and nothing says for which adaptor\n  fix: " in done.stderr
    )
