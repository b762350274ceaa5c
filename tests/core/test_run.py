"""A run: how a step ends, what is left after a failure, hooks, timings."""

from datetime import UTC, datetime

import pytest
from crossdock import (
    Job,
    JobError,
    Plugins,
    Run,
    State,
    Workflow,
    credentials,
    each,
    hookimpl,
    log,
    now,
    save_cursor,
    set_data,
    state,
    stop,
    tap,
    warn,
    when,
)
from crossdock.errors import NoRunError


def test_rt_01_a_missing_return_crashes_and_keeps_the_earlier_state(run_job):
    def forgetful(state):
        state.data["x"] = 1

    run = run_job(set_data({"a": 1}), forgetful, state={"data": "in", "kept": 1})

    assert run.outcome == "crashed"
    assert {"data": "in", "kept": 1}.items() <= run.state.items()
    assert "returned None" in run.state.errors["job"]["message"]
    assert run.state.errors["job"]["operation"] == "forgetful"


def test_rt_04_what_is_not_json_names_the_operation_that_put_it_there(run_job):
    run = run_job(set_data(1), set_data({"tags": {1}}).into("bad"), lambda s: s.replace(other=1))

    assert run.outcome == "crashed"
    assert "$.bad.tags" in run.error.message
    assert "put there by set_data.into" in run.error.message


def test_rt_06_a_state_over_the_limit_is_killed(run_job):
    run = run_job(set_data("x" * 1000), size_limit=500)

    assert (run.outcome, run.error.code) == ("killed", "state_too_large")


def test_rt_07_the_input_survives_a_job_that_changes_it_in_place(run_job):
    def wreck(state):
        state.data["rows"].clear()
        raise ValueError("boom")

    run = run_job(wreck, state={"data": {"rows": [1, 2]}})

    assert run.state.data == {"rows": [1, 2]}


def test_rt_08_configuration_and_copied_secrets_are_in_no_state(run_job):
    def copy(s):
        return s.replace(data=credentials_of(s), note=f"token is {credentials_of(s)['password']}")

    def credentials_of(s):
        from crossdock import resolve

        return resolve(credentials.crm)

    secrets = {"crm": {"adaptor": "http", "base_url": "https://x.example", "password": "s3cret-value"}}
    run = run_job(copy, credentials=secrets)
    failing = run_job(copy, lambda s: 1 / 0, credentials=secrets, state={"data": "s3cret-value"})
    direct = run_job(lambda s: {**s, "configuration": {}})

    assert run.outcome == "success"
    assert run.state.data == {"base_url": "https://x.example", "password": "***"}
    assert run.state.note == "token is ***"
    assert [w["path"] for w in run.state.warnings if w["code"] == "secret_in_state"] == ["$.data.password", "$.note"]
    assert "s3cret" not in str(failing.state)
    assert direct.outcome == "failed"
    assert "configuration" not in direct.state


def test_rt_09_a_failure_names_step_operation_and_line(run_job):
    ran = []

    def boom(state):
        raise ValueError("boom")

    run = run_job(set_data(1), boom, lambda s: ran.append(1) or s)

    assert (run.outcome, ran) == ("failed", [])
    record = run.state.errors["job"]
    assert (record["type"], record["message"], record["operation"]) == ("ValueError", "boom", "boom")
    assert "test_run.py:" in record["line"]
    assert any("in operation 2 of 3 of job: boom" in note for note in run.error.__notes__)


def test_c61_a_job_error_keeps_its_code_message_fix_and_details(run_job):
    def refuse(state):
        raise JobError("E1", "the form is empty", fix="Fill it in.", form="visit")

    run = run_job(refuse)

    told = (run.error.code, str(run.error), run.error.fix, run.error.details)
    record = run.state.errors["job"]
    assert told == ("E1", "the form is empty", "Fill it in.", {"form": "visit"})
    assert told == (record["code"], record["message"], record["fix"], record["details"])


def test_rt_11_leaving_python_is_no_success(run_job):
    def leave(state):
        raise SystemExit(0)

    run = run_job(leave)

    assert (run.outcome, run.error.code) == ("crashed", "exited")


def test_an_exception_that_can_not_be_printed_is_named_by_its_type(run_job):
    class MeanError(Exception):
        def __str__(self):
            raise RuntimeError

    def boom(state):
        raise MeanError

    assert run_job(boom).state.errors["job"]["type"] == "MeanError"


def test_details_and_message_of_an_error_stay_small_and_printable(run_job):
    def boom(state):
        raise JobError("BIG", "a\x1b[31m" + "x" * 20_000, rows=["y" * 20_000], odd={1, 2})

    record = run_job(boom).state.errors["job"]

    assert len(record["message"]) < 9000
    assert "\x1b" not in record["message"]
    assert len(str(record["details"])) < 9000


def test_stop_ends_the_step_as_a_success_and_nothing_swallows_it(run_job):
    def swallow(state):
        try:
            return when(state.data, stop("nothing to do"))(state)
        except Exception:
            return set_data("swallowed")

    run = run_job(set_data([1]), swallow, set_data("after"))

    assert (run.outcome, run.state.data, run.stopped) == ("success", [1], "nothing to do")


def test_response_and_index_end_with_the_step(run_job):
    run = run_job(lambda s: s.result(1, response={"status": 200}), tap(print, state.response["status"]))

    assert run.state == {"data": 1}


def test_a_new_run_starts_without_what_the_last_one_wrote_down(run_job):
    run = run_job(state={"data": 1, "errors": {"a": {}}, "failed": [1], "warnings": [1], "cursors": {"v": 1}})

    assert run.state == {"data": 1, "cursors": {"v": 1}}


def test_warnings_are_recorded_however_the_operation_was_called(run_job):
    def outer(state):
        Job(
            tap(
                warn,
                "INNER",
            ),
            lambda s: 1 / 0,
        ).catch(lambda error, s: s)(state)
        return state

    run = run_job(tap(warn, "FIRST"), outer)

    assert [w["code"] for w in run.state.warnings] == ["FIRST", "INNER"]


def test_the_clock_is_one_for_the_whole_run(run_job):
    instant = datetime(2024, 5, 2, tzinfo=UTC)

    run = run_job(lambda s: s.result([now(), now()]), now=instant)

    assert run.state.data == [instant.isoformat()] * 2


def test_outside_of_a_run_warn_and_now_say_what_to_do():
    with pytest.raises(NoRunError) as caught:
        warn("CODE")
    assert "tap(warn, 'CODE')" in caught.value.fix
    with pytest.raises(NoRunError):
        now()


def test_log_goes_to_the_log(caplog):
    with caplog.at_level("INFO", "crossdock.job"):
        log("visits:", 3)
    assert caplog.messages == ["visits: 3"]


def test_hooks_are_called_around_the_run_the_step_and_each_top_level_operation():
    calls = []

    class Watcher:
        @hookimpl
        def crossdock_run_started(self, run):
            calls.append("run started")

        @hookimpl
        def crossdock_run_finished(self, run):
            calls.append(f"run finished: {run.outcome}")

        @hookimpl
        def crossdock_step_started(self, step):
            calls.append(f"step {step.name}")

        @hookimpl
        def crossdock_step_finished(self, step):
            calls.append("step finished")

        @hookimpl(wrapper=True)
        def crossdock_operation(self, operation, state):
            calls.append(operation.name)
            result = yield
            calls.append(result.data)
            return result

    plugins = Plugins()
    plugins.register("watcher", Watcher())
    Run(Workflow.of(Job(set_data(1), Job(set_data(2), set_data(3)))), plugins=plugins).execute()

    assert calls == ["run started", "step job", "set_data", 1, "Job", 3, "step finished", "run finished: success"]


def test_timings_name_each_top_level_operation(run_job):
    run = run_job(set_data(1), lambda s: 1 / 0)

    assert [(t.operation.name, t.failed) for t in run.timings] == [("set_data", False), ("<lambda>", True)]


def test_nothing_is_copied_deeply_between_operations(run_job):
    big = {"rows": [{"n": n} for n in range(10)]}
    seen = []

    run_job(
        lambda s: seen.append(s.data) or s,
        set_data(1).into("x"),
        lambda s: seen.append(s.data) or s,
        state={"data": big},
    )

    assert all(data is seen[0] for data in seen)
    assert (seen[0] == big, seen[0] is big) == (True, False), "a step has its own copy of what it receives"


def test_the_innermost_operation_is_named_and_the_outer_one_is_in_a_note(run_job):
    def inner(state):
        raise ValueError("boom")

    def outer(state):
        return Job(set_data(1), inner)

    run = run_job(each([1], outer))

    assert run.state.errors["job"]["operation"] == "inner"
    assert any("in operation 1 of 1 of job: each(" in note for note in run.error.__notes__)


def test_a_failed_item_names_its_operation(run_job):
    def inner(state):
        raise ValueError("boom")

    run = run_job(each([1], inner, on_error="collect"))

    assert run.state.failed[0]["error"]["operation"] == "inner"


def test_the_line_of_a_failure_is_the_one_that_raised(run_job):
    def boom(state):
        number = 0
        return state.result(1 / number)

    def outer(state):
        return Job(boom)

    record = run_job(outer).state.errors["job"]

    assert record["operation"] == "boom"
    assert record["line"].endswith(f"test_run.py:{boom.__code__.co_firstlineno + 2}")


def test_cursors_are_the_runs_and_no_job_drops_them(run_job):
    given = {"data": 1, "cursors": {"visits": "2024-05-01", "forms": 7}}

    run = run_job(lambda state: state.only("data"), save_cursor("forms", 8), state=given)

    assert run.state.cursors == {"visits": "2024-05-01", "forms": 8}
    assert run_job(lambda state: State(), state=given).state.cursors == given["cursors"]
