"""Hooks: what plugins may do in a run and a command, and that their failures stay theirs."""

import pytest
from crossdock import Job, Plugins, Run, Workflow, hookimpl, set_data
from crossdock.loading import PLUGINS
from crossdock.plugins import adaptor_statuses
from fix_command import Crossdock, WriteJob, WriteJson
from fix_distribution import GOOD, HOOKS, USES, Install, path_of


class Watcher:
    """A good plugin: it writes down which hooks were called."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def crossdock_run_started(self, run):
        self.seen.append("run_started")

    @hookimpl
    def crossdock_run_finished(self, run):
        self.seen.append(f"run_finished {run.outcome}")

    @hookimpl
    def crossdock_step_started(self, run, step):
        self.seen.append(f"step_started {step.name}")

    @hookimpl
    def crossdock_step_finished(self, step):
        self.seen.append(f"step_finished {step.name}")

    @hookimpl
    def crossdock_operation(self, operation, state):
        try:
            result = yield
        except ZeroDivisionError:
            self.seen.append(f"{operation.name} failed")
            raise
        self.seen.append(f"{operation.name} gave {result.data}")


EVENTS = [
    "run_started",
    "step_started job",
    "set_data gave 1",
    "<lambda> failed",
    "step_finished job",
    "run_finished failed",
]


def watched(*plugins) -> tuple[Run, list[str]]:
    """Run a job that fails in its second operation, watched by plugins and a good one between them."""
    registered, watcher = Plugins(), Watcher()
    for number, plugin in enumerate(plugins):
        registered.register(f"plugin {number}", plugin)
    registered.register("watcher", watcher)
    for number, plugin in enumerate(plugins):
        registered.register(f"later plugin {number}", type(plugin)(plugin.error))
    run = Run(Workflow.of(Job(set_data(1), lambda state: 1 / 0), "job"), plugins=registered)
    run.execute()
    return run, watcher.seen


class Bad:
    """A plugin that raises in every hook."""

    def __init__(self, error):
        self.error = error

    @hookimpl
    def crossdock_run_started(self):
        raise self.error

    @hookimpl
    def crossdock_run_finished(self):
        raise self.error

    @hookimpl
    def crossdock_step_started(self):
        raise self.error

    @hookimpl
    def crossdock_step_finished(self):
        raise self.error


class BadBefore(Bad):
    """One that also raises before the operation."""

    @hookimpl
    def crossdock_operation(self):
        raise self.error
        yield


class BadAfter(Bad):
    """One that also raises after the operation, in place of its error."""

    @hookimpl
    def crossdock_operation(self):
        try:
            yield
        finally:
            raise self.error


@pytest.mark.parametrize("kind", [BadBefore, BadAfter])
@pytest.mark.parametrize("error", [RuntimeError("vault is shut"), SystemExit("vault is shut")])
def test_pl_06_a_hook_that_raises_keeps_nothing_from_the_others(caplog, kind, error):
    """The bad plugin stands before and after the good one, in whichever order they are called."""
    run, seen = watched(kind(error))
    assert seen == EVENTS
    assert (run.outcome, type(run.error)) == ("failed", ZeroDivisionError)
    said = [record.getMessage() for record in caplog.records]
    for hook in ("run_started", "run_finished", "step_started", "step_finished", "operation"):
        assert f"the plugin plugin 0 failed in crossdock_{hook}: {type(error).__name__}: vault is shut" in said
        assert f"the plugin later plugin 0 failed in crossdock_{hook}: {type(error).__name__}: vault is shut" in said


def test_pl_06_an_interrupt_in_a_hook_is_none_of_its_failures():
    with pytest.raises(KeyboardInterrupt):
        watched(Bad(KeyboardInterrupt()))


def test_pl_06_a_wrapper_can_not_change_the_state_or_hide_an_error(run_job):
    class Meddler:
        @hookimpl
        def crossdock_operation(self, state):
            try:
                yield
            except ZeroDivisionError:
                return state
            return state.replace(data="changed")

    plugins = Plugins()
    plugins.register("meddler", Meddler())
    assert run_job(set_data(1), plugins=plugins).state.data == 1
    assert run_job(lambda state: 1 / 0, plugins=plugins).outcome == "failed"


def test_pl_06_a_vault_that_raises_is_a_refused_credential_without_its_text(run_job):
    class Vault:
        @hookimpl
        def crossdock_resolve_secret(self, reference):
            raise RuntimeError("s3cret of the vault")

    plugins = Plugins()
    plugins.register("vault", Vault())
    with pytest.raises(Exception, match=r"kobo\.token: the plugin vault could not resolve it: RuntimeError") as info:
        run_job(set_data(1), plugins=plugins, credentials={"kobo": {"adaptor": "http", "token": "vault:kobo"}})
    assert "s3cret" not in str(info.value)


# name: the source of a hook, what is said, what to do
WRONG_HOOKS = {
    "typo": (
        "@hookimpl\ndef crossdock_run_strated(run): ...",
        "the hook 'crossdock_run_strated', which does not exist",
        "Did you mean crossdock_run_started?",
    ),
    "unknown": (
        "@hookimpl(specname='on_load')\ndef load(run): ...",
        "the hook 'on_load', which does not exist",
        "The hooks are: crossdock_commands, crossdock_message_accepted, ",
    ),
    "plain-wrapper": (
        "@hookimpl\ndef crossdock_operation(state): ...",
        "implements crossdock_operation as a plain function",
        "Write it as a generator that yields once.",
    ),
    "wrapped-event": (
        "@hookimpl(wrapper=True)\ndef crossdock_run_started():\n    yield",
        "implements crossdock_run_started as a generator",
        "Write it as a plain function, without yield.",
    ),
}


@pytest.mark.parametrize("name", WRONG_HOOKS)
def test_pl_07_a_wrong_hook_is_refused_with_all_of_its_plugin(install: Install, run_job, tmp_path, name):
    wrong, said, fix = WRONG_HOOKS[name]
    good = f"@hookimpl\ndef crossdock_run_finished(run): open({str(tmp_path / 'called')!r}, 'w')\n"
    install("acme-plugin", HOOKS + good + wrong, entry="acme", group=PLUGINS)
    plugins = Plugins()
    plugins.load()
    error = plugins.broken["acme"]
    assert said in str(error)
    assert "'acme'" in str(error)
    assert error.fix.startswith(fix)
    run_job(set_data(1), plugins=plugins)
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    ("hook", "fix"),
    [
        (
            "crossdock_run_started(run, color): ...",
            "Write it as crossdock_run_started(run); it may take fewer arguments.",
        ),
        (
            "crossdock_operation(operation, state, color):\n    yield",
            "Write it as crossdock_operation(operation, state); it may take fewer arguments.",
        ),
    ],
)
def test_pl_08_a_hook_with_an_argument_too_many_is_refused_and_told_which_there_are(install: Install, hook, fix):
    install("acme-plugin", f"{HOOKS}@hookimpl\ndef {hook}", entry="acme", group=PLUGINS)
    plugins = Plugins()

    plugins.load()

    error = plugins.broken["acme"]
    assert error.message.startswith("the plugin 'acme' does not fit a hook: ")
    assert "{'color'}" in error.message
    assert error.fix == fix


def test_pl_07_a_wrong_hook_of_an_adaptor_is_its_status(install: Install):
    source = GOOD + "\nfrom crossdock import hookimpl\n@hookimpl\ndef crossdock_run_strated(run): ..."
    install("crossdock-good", source, entry="good")
    (status,) = adaptor_statuses("good")
    assert (status["status"], status["problem"]["fix"]) == ("broken", "Did you mean crossdock_run_started?")


def test_pl_07_a_wrong_hook_of_an_adaptor_refuses_the_job(crossdock: Crossdock, install: Install, write_job: WriteJob):
    source = GOOD + "\nfrom crossdock import hookimpl\n@hookimpl\ndef crossdock_run_strated(run): ..."
    env = path_of(install("crossdock-good", source, entry="good"))
    done = crossdock("run", write_job(USES.format(name="good")), env=env)
    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (3, "", False), done.stderr
    assert "Did you mean crossdock_run_started?" in done.stderr


def test_an_adaptor_adds_no_commands(install: Install):
    source = GOOD + "\nfrom crossdock import hookimpl\n@hookimpl\ndef crossdock_commands(cli): ..."
    install("crossdock-good", source, entry="good")
    (status,) = adaptor_statuses("good")
    assert "the adaptor 'good' implements crossdock_commands" in status["problem"]["message"]
    assert "crossdock.plugins" in status["problem"]["fix"]


def test_a_plugin_adds_commands(crossdock: Crossdock, install: Install):
    source = HOOKS + (
        "import click\n@hookimpl\ndef crossdock_commands(cli):\n"
        "    cli.add_command(click.Command('greet', callback=lambda: click.echo('hello')))\n"
    )
    env = path_of(install("acme-plugin", source, entry="acme", group=PLUGINS))
    assert crossdock("greet", env=env).stdout == "hello\n"
    assert "  greet" in crossdock("--help", env=env).stdout


def test_an_adaptor_and_a_plugin_may_share_a_name_and_both_are_heard(
    crossdock: Crossdock, install: Install, write_job: WriteJob
):
    """One project may well publish both; an adaptor's hooks count in the runs of jobs that use it."""
    hook = (
        "\nfrom crossdock import hookimpl\n@hookimpl\ndef crossdock_run_finished(run): print('{} heard', run.outcome)\n"
    )
    env = path_of(
        install("crossdock-good", GOOD + hook.format("adaptor"), entry="good"),
        install("good-plugin", "crossdock_api = 1" + hook.format("plugin"), entry="good", group=PLUGINS),
    )
    said = crossdock("run", write_job(USES.format(name="good")), env=env).stderr.splitlines()
    assert {"adaptor heard success", "plugin heard success"} <= set(said)


def test_a_plugin_resolves_references(
    crossdock: Crossdock, install: Install, write_job: WriteJob, write_json: WriteJson
):
    source = HOOKS + (
        "@hookimpl\ndef crossdock_resolve_secret(reference):\n"
        "    return reference.removeprefix('vault:') * 3 if reference.startswith('vault:') else None\n"
    )
    env = path_of(install("acme-vault", source, entry="vault", group=PLUGINS))
    credentials = write_json({"kobo": {"adaptor": "http", "token": "vault:ab12"}}, "credentials.json")
    job = write_job(
        "from crossdock import Job, credentials, tap\n"
        "job = Job(tap(lambda token: print(len(token), token[:4], token), credentials.kobo.token))"
    )
    done = crossdock("run", job, "--credentials", credentials, env=env)
    assert "12 ab12 ***\n" in done.stderr, done.stderr
