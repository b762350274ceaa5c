"""`crossdock credentials list`: where each value comes from, what is missing, and no value."""

import re
import textwrap
from pathlib import Path

import pytest
from crossdock.loading import PLUGINS
from fix_command import Crossdock, WriteJob, WriteYaml, shows
from fix_distribution import ADAPTOR_NAMES, GOOD, HOOKS, Install, path_of
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
        ("kobo", "api_key.value", "c.yaml:5", "file:key.txt", True),
        ("kobo", "api_key.header", "c.yaml:6", "inline", False),
        ("crm", "token", "c.yaml:7", "vault:secret/data/kobo#token (plugin acme-vault)", True),
        ("hmis", "base_url", "c.yaml:10", "inline", False),
        ("hmis", "pat", "c.yaml:11", "keyring:clinic/hmis", True),
        ("warehouse", "password", "c.yaml:14", "inline", True),
        ("warehouse", "port", "c.yaml:15", "inline", False),
        ("open", "adaptor", "c.yaml:16", "inline", False),
    ]
    assert table.stdout.splitlines()[2].split() == ["kobo", "http", "api_key.value", "c.yaml:5", "file:key.txt", "ok"]
    assert not shows(done, CANARY, *secrets)
    assert not shows(table, CANARY, *secrets)


def test_the_list_in_the_documentation_is_what_the_command_prints(crossdock: Crossdock, keyring: Keyring, tmp_path):
    page = (ROOT / "docs/credentials.md").read_text()
    (tmp_path / "credentials.yaml").write_text(re.search(r"```yaml\n(.*?)```", page, re.S)[1])
    command, _, printed = re.search(r"^    \$ (crossdock credentials list .*?)^- ", page, re.S | re.M)[1].partition(
        "\n"
    )
    keyring.set("clinic", "warehouse", CANARY)

    done = crossdock(*command.split()[1:], env=keyring.env)

    assert (done.returncode, done.stdout) == (3, textwrap.dedent(printed).rstrip() + "\n")


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
            f"no adaptor 'htpt' is installed; there are: {', '.join(ADAPTOR_NAMES)}",
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
    "hangs": ("import threading; threading.Event().wait()", "there was no answer within 5 s"),
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

    listed = crossdock("credentials", "list", "--credentials", file, "--timeout", "5", env=env)
    checked = crossdock("credentials", "check", "kobo", "--credentials", file, "--timeout", "5", env=env)

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


@pytest.mark.parametrize("command", [["list"], ["check", "--all"]])
def test_a_file_without_credentials_has_none(crossdock: Crossdock, write_yaml: WriteYaml, command):
    done = crossdock("credentials", *command, "--credentials", write_yaml("{}"))
    assert (done.returncode, done.stdout) == (0, "There are no credentials.\n")


def test_plain_fields_are_of_no_known_adaptor(crossdock: Crossdock, write_yaml: WriteYaml):
    done = crossdock("credentials", "list", "--credentials", write_yaml("base_url: https://kobo.example.org"))
    assert done.returncode == 3
    assert (
        "the credentials file 'c.yaml' gives plain fields, and nothing says for which adaptor\n  fix: " in done.stderr
    )


PROJECT = """\
credentials:
  kobo:
    adaptor: http
    base_url: https://kobo.example.org
    token: env:KOBO_TOKEN
  open: {adaptor: http}
environments:
  staging:
    credentials:
      kobo:
        base_url: https://staging.example.org
        timeout: 3
  empty: {}
workflows:
  visits:
    steps:
      load: {job: load.py}
"""


@pytest.fixture
def project(tmp_path, write_job: WriteJob):
    """A project in the folder clinic."""
    (tmp_path / "clinic").mkdir()
    (tmp_path / "clinic" / "project.yaml").write_text(PROJECT)
    write_job("from crossdock import Job, set_data\njob = Job(set_data(1))", "clinic/load.py")
    return tmp_path / "clinic"


def told(done):
    return [(row["name"], row["field"], row["given"].replace("clinic/", ""), row["source"]) for row in done.json]


# name: the environment, the lines that it changes or adds
ENVIRONMENTS = {
    "none": ([], {}),
    "empty": (["--env", "empty"], {}),
    "staging": (["--env", "staging"], {"base_url": "project.yaml:11", "timeout": "project.yaml:12"}),
}


@pytest.mark.parametrize("where", [["clinic"], ["clinic/project.yaml"], []])
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_credentials_of_a_project_are_told_with_the_lines_of_its_environment(
    crossdock: Crossdock, project, name, where
):
    """Without an argument the project is that of the folder that one is in."""
    options, changed = ENVIRONMENTS[name]
    folder = {} if where else {"cwd": project}
    done = crossdock("credentials", "list", *where, *options, "--json", env={"KOBO_TOKEN": CANARY}, **folder)

    lines = {"base_url": "project.yaml:4", "token": "project.yaml:5", **changed}
    assert done.returncode == 0
    assert told(done) == [
        *(("kobo", field, line, "env:KOBO_TOKEN" if field == "token" else "inline") for field, line in lines.items()),
        ("open", "adaptor", "project.yaml:6", "inline"),
    ]
    assert not shows(done, CANARY)


def test_a_credentials_file_counts_more_than_the_project(crossdock: Crossdock, project, write_yaml: WriteYaml):
    file = write_yaml("kobo: {adaptor: http, token: env:OWN}")
    done = crossdock("credentials", "list", "clinic", "--credentials", file, "--json", env={"OWN": CANARY})

    assert told(done) == [
        ("kobo", "token", "c.yaml:1", "env:OWN"),
        ("open", "adaptor", "project.yaml:6", "inline"),
    ]


# name: arguments, the exit code, what is said
WRONG = {
    "no-project": (
        ["credentials", "list"],
        3,
        "there is no project.yaml\n  fix: ",
    ),
    "environment": (["credentials", "list", "clinic", "--env", "stagng"], 2, "has no environment 'stagng'"),
    "file-env": (["credentials", "list", "--credentials", "c.yaml", "--env", "x"], 2, "--env needs a PROJECT"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_there_is_refused(crossdock: Crossdock, project, write_yaml: WriteYaml, name):
    arguments, code, said = WRONG[name]
    write_yaml("{}")
    done = crossdock(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_a_project_with_faults_is_refused_with_all_of_them_and_no_secret(crossdock: Crossdock, project):
    (project / "project.yaml").write_text(PROJECT.replace("env:KOBO_TOKEN", "hush-hush-1").replace("job:", "jbo:"))
    done = crossdock("credentials", "list", "clinic")

    assert (done.returncode, done.stdout) == (3, "")
    assert "clinic/project.yaml has 2 faults:" in done.stderr
    assert not shows(done, "hush-hush-1")
