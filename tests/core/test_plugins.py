"""What is installed: adaptors and plugins by name, from real dist-info folders."""

import sys

import pytest
from crossdock import Plugins
from crossdock.errors import PluginError
from crossdock.loading import PLUGINS, load_adaptor
from crossdock.plugins import adaptor_statuses
from fix_command import Crossdock, WriteJob
from fix_distribution import ACME, ADAPTOR_NAMES, GOOD, HOOKS, USES, Install, path_of

# name: the module (None: it is missing), the reason that people are told
BROKEN = {
    "missing": (None, "ModuleNotFoundError: No module named 'crossdock_acme'"),
    "raises": ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "syntax": ("def f(:", "SyntaxError: invalid syntax"),
    "exits": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "unprintable": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
        "Odd: (its text can't be shown: ValueError)",
    ),
    "no-adaptor": ("x = 1", "the module crossdock_acme of crossdock-acme 1.0 ("),
    "other-name": (ACME.format(name="other", api=1), "calls itself 'other' and its entry point 'acme'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_pl_01_a_broken_adaptor_is_a_status_and_the_others_load(crossdock: Crossdock, install: Install, name):
    source, reason = BROKEN[name]
    env = path_of(
        install("crossdock-acme", source, entry="acme"),
        install("crossdock-good", GOOD, entry="good"),
    )
    done = crossdock("adaptors", "list", "--json", env=env)
    listed = {entry["name"]: entry for entry in done.json}
    assert (done.returncode, {key: entry["status"] for key, entry in listed.items()}) == (
        0,
        {"acme": "broken", "good": "ok"} | dict.fromkeys(ADAPTOR_NAMES, "ok"),
    )
    assert reason in listed["acme"]["problem"]["message"]
    assert f"acme: {listed['acme']['problem']['message']}\n  fix: " in crossdock("adaptors", "list", env=env).stdout


def test_pl_01_an_adaptor_that_ends_its_process_is_a_status_too(crossdock: Crossdock, install: Install):
    env = path_of(
        install("crossdock-acme", "import os; os._exit(0)", entry="acme"),
        install("crossdock-good", GOOD, entry="good"),
    )
    listed = {entry["name"]: entry for entry in crossdock("adaptors", "list", "--json", env=env).json}
    assert listed["good"]["status"] == "ok"
    assert "loading crossdock-acme 1.0 (" in listed["acme"]["problem"]["message"]
    assert listed["acme"]["problem"]["fix"] == "Repair or reinstall crossdock-acme."


@pytest.mark.parametrize("name", BROKEN)
def test_pl_01_a_job_that_uses_a_broken_adaptor_is_refused(
    crossdock: Crossdock, install: Install, write_job: WriteJob, name
):
    source, reason = BROKEN[name]
    env = path_of(install("crossdock-acme", source, entry="acme"))
    done = crossdock("run", write_job(USES.format(name="acme")), env=env)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (3, "", False), done.stderr
    assert reason in done.stderr
    assert "crossdock-acme" in done.stderr
    assert "\n  fix: " in done.stderr


def test_pl_01_a_job_that_does_not_use_it_runs(crossdock: Crossdock, install: Install, write_job: WriteJob):
    env = path_of(
        install("crossdock-acme", "raise RuntimeError", entry="acme"),
        install("crossdock-good", GOOD, entry="good"),
    )
    done = crossdock("run", write_job(USES.format(name="good")), env=env)
    assert (done.returncode, done.json) == (0, {"data": "HI"}), done.stderr


def test_pl_01_metadata_without_a_name_is_called_like_its_folder(crossdock: Crossdock, install: Install):
    folder = install("crossdock-good", GOOD, entry="good")
    next(folder.glob("*.dist-info/METADATA")).unlink()
    listed = {entry["name"]: entry for entry in crossdock("adaptors", "list", "--json", env=path_of(folder)).json}
    assert (listed["good"]["status"], listed["good"]["distribution"]) == ("ok", "crossdock_good-1.0")


def test_pl_01_a_broken_plugin_is_left_out_and_said(crossdock: Crossdock, install: Install, write_job: WriteJob):
    env = path_of(install("acme-plugin", "raise RuntimeError('no licence')", entry="acme", group=PLUGINS))
    done = crossdock("run", write_job("from crossdock import Job, set_data\njob = Job(set_data(1))"), env=env)
    assert (done.returncode, done.json) == (0, {"data": 1})
    assert "the plugin acme is left out: 'acme' of acme-plugin 1.0 (" in done.stderr
    assert "RuntimeError: no licence" in done.stderr


@pytest.fixture
def two_acmes(install: Install) -> dict[str, str]:
    """Two distributions with one name, installed."""
    source = ACME.format(name="acme", api=1)
    first = install("crossdock-acme", source, entry="acme", version="1.0")
    second = install("acme-tools", source, entry="acme", version="2.5")
    return path_of(first, second)


def test_pl_03_two_distributions_with_one_name_are_refused(
    crossdock: Crossdock, two_acmes, write_job: WriteJob, tmp_path
):
    done = crossdock("run", write_job(USES.format(name="acme")), env=two_acmes)
    assert (done.returncode, done.stdout) == (3, "")
    assert (
        f"2 distributions have an adaptor 'acme': acme-tools 2.5 ({tmp_path}/site/acme-tools); "
        f"crossdock-acme 1.0 ({tmp_path}/site/crossdock-acme)\n"
    ) in done.stderr
    assert "fix: Uninstall all but one of them." in done.stderr


def test_pl_03_the_list_shows_the_name_once_as_broken(crossdock: Crossdock, two_acmes):
    listed = [entry for entry in crossdock("adaptors", "list", "--json", env=two_acmes).json if entry["name"] == "acme"]
    assert [entry["status"] for entry in listed] == ["broken"]
    assert "acme-tools 2.5" in listed[0]["problem"]["message"]
    assert "crossdock-acme 1.0" in listed[0]["problem"]["message"]


def test_pl_03_a_distribution_that_is_there_twice_counts_once(install: Install, tmp_path):
    """As it is while a newer release shadows one that lies deeper in the path."""
    install("crossdock-acme", ACME.format(name="acme", api=1), entry="acme")
    older = tmp_path / "older" / "Crossdock_Acme-0.9.dist-info"
    older.mkdir(parents=True)
    (older / "METADATA").write_text("Metadata-Version: 2.1\nName: Crossdock_Acme\nVersion: 0.9\n")
    (older / "entry_points.txt").write_text("[crossdock.adaptors]\nacme = crossdock_acme\n")
    sys.path.append(str(older.parent))
    try:
        assert [status["version"] for status in adaptor_statuses("acme")] == ["1.0"]
        assert load_adaptor("acme").adaptor.name == "acme"
    finally:
        sys.path.remove(str(older.parent))


def test_pl_03_two_plugins_with_one_name_are_refused(install: Install):
    install("first-plugin", HOOKS, entry="vault", group=PLUGINS)
    install("second-plugin", HOOKS, entry="vault", group=PLUGINS)
    plugins = Plugins()
    plugins.load()
    assert "first-plugin 1.0" in str(plugins.broken["vault"])
    assert "second-plugin 1.0" in str(plugins.broken["vault"])


def test_pl_04_a_plugin_that_shadows_a_built_in_adaptor_is_refused(crossdock: Crossdock, install: Install, write_job):
    env = path_of(install("evil-http", ACME.format(name="http", api=1), entry="http"))
    done = crossdock("run", write_job(USES.format(name="http")), env=env)
    assert (done.returncode, done.stdout) == (3, "")
    assert "2 distributions have an adaptor 'http': crossdock-http 0.1.0 (" in done.stderr
    assert "evil-http 1.0 (" in done.stderr


@pytest.mark.parametrize("name", ADAPTOR_NAMES)
def test_pl_04_a_built_in_name_is_refused_also_where_ours_is_not_installed(install: Install, monkeypatch, name):
    folder = install("evil", ACME.format(name=name, api=1), entry=name)
    monkeypatch.setattr(sys, "path", [str(folder)])
    with pytest.raises(
        PluginError, match=rf"evil 1.0 \(.*\) uses the name '{name}', which belongs to crossdock-{name}"
    ) as info:
        load_adaptor(name)
    assert info.value.fix == f"Uninstall it, and install crossdock-{name}."
    assert "evil" not in sys.modules


def test_pl_04_a_plugin_does_not_replace_a_command(crossdock: Crossdock, install: Install, write_job: WriteJob):
    source = HOOKS + "@hookimpl\ndef crossdock_commands(cli):\n    cli.command('run')(lambda: print('evil'))\n"
    env = path_of(install("evil", source, entry="evil", group=PLUGINS))
    done = crossdock("run", write_job("from crossdock import Job, set_data\njob = Job(set_data(1))"), env=env)
    assert (done.returncode, done.json) == (0, {"data": 1})
    assert "the plugin evil failed in crossdock_commands: PluginError: there is a command 'run' already" in done.stderr


MEDDLING = f"""
import json, httpx
json.loads = lambda text: None
httpx.Client = type("Watched", (httpx.Client,), {{}})
{GOOD}
"""


def test_pl_12_the_list_says_which_adaptor_replaces_what_others_use(crossdock: Crossdock, install: Install):
    env = path_of(
        install("crossdock-calm", ACME.format(name="calm", api=1), entry="calm"),
        install("crossdock-good", MEDDLING, entry="good"),
    )

    done = crossdock("adaptors", "list", "--json", env=env)

    listed = {entry["name"]: entry for entry in done.json}
    assert {name: entry["status"] for name, entry in listed.items() if entry["status"] != "ok"} == {"good": "meddles"}
    message = listed["good"]["problem"]["message"]
    assert message.startswith("importing crossdock-good 1.0 (")
    assert message.endswith(") replaces httpx.Client, json.loads, which others use too")


@pytest.mark.parametrize("api", [0, 2])
def test_pl_05_an_adaptor_for_another_api_is_not_loaded(install: Install, api):
    install("crossdock-acme", ACME.format(name="acme", api=api), entry="acme")
    with pytest.raises(
        PluginError, match=rf"crossdock-acme 1.0 \(.*\) needs plugin API {api}; this crossdock has 1"
    ) as info:
        load_adaptor("acme")
    assert info.value.fix == "Install a release of crossdock-acme for API 1."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("crossdock_api = 2", "needs plugin API 2; this crossdock has 1"),
        ("crossdock_api = 0", "needs plugin API 0; this crossdock has 1"),
        ("", "does not say which plugin API it needs; this crossdock has 1"),
    ],
)
def test_pl_05_a_plugin_for_another_api_is_not_loaded(install: Install, line, said):
    source = f"{line}\nfrom crossdock import hookimpl\n@hookimpl\ndef crossdock_run_started(run): raise SystemExit"
    install("acme-plugin", source, entry="acme", group=PLUGINS)
    plugins = Plugins()
    plugins.load()
    assert said in str(plugins.broken["acme"])
    assert plugins.broken["acme"].fix == "Install a release of acme-plugin for API 1."


def test_an_unknown_adaptor_names_those_that_are_there_and_how_to_get_it():
    with pytest.raises(
        ImportError, match=f"no adaptor 'openmrs' is installed; there are: {', '.join(ADAPTOR_NAMES)}"
    ) as info:
        from crossdock.adaptors import openmrs  # noqa: F401
    assert info.value.fix == "Install it: pip install crossdock-openmrs"


def test_an_adaptor_is_imported_only_when_it_is_named(install: Install):
    install("crossdock-good", GOOD, entry="good")
    install("crossdock-acme", "raise RuntimeError", entry="acme")
    from crossdock.adaptors import good

    assert good.adaptor.name == "good"
    assert ("crossdock_good" in sys.modules, "crossdock_acme" in sys.modules) == (True, False)


def test_pl_13_of_a_hundred_adaptors_the_help_imports_none_and_a_job_only_its_own(
    crossdock: Crossdock, install: Install, write_job: WriteJob, tmp_path
):
    names = [f"acme{number}" for number in range(100)]
    told = tmp_path / "imported"
    folders = [
        install(
            f"crossdock-{name}",
            f"open({str(told)!r}, 'a').write('{name} ')\n{ACME.format(name=name, api=1)}",
            entry=name,
        )
        for name in names
    ]
    assert crossdock("--help", env=path_of(*folders)).returncode == 0
    assert not told.exists()
    job = write_job(
        "from crossdock.adaptors import acme7\nfrom crossdock import Job, set_data\njob = Job(set_data(acme7.adaptor.name))"
    )
    done = crossdock("run", job, env=path_of(*folders))
    assert (done.returncode, done.json["data"]) == (0, "acme7"), done.stderr
    assert set(told.read_text().split()) == {"acme7"}
