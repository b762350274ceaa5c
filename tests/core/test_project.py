"""Projects: what a project file says becomes workflows that run."""

from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from crossdock import Run, read_project
from crossdock.errors import InputError, JobLoadError, ProjectError
from crossdock.project.triggers import Hmac
from crossdock.server.auth_setting import read_methods
from crossdock.server.authentication import ALGORITHMS
from fix_project import DESIGN, STEPS, WriteProject


def test_the_project_of_the_design_is_read(write_project: WriteProject):
    folder = write_project(DESIGN)

    project = read_project(folder)

    assert (project.name, project.folder, project.file) == ("clinic-sync", folder, folder / "project.yaml")
    assert (project.store, project.workflow_names) == ("sqlite:///.crossdock/clinic.db", ("visits",))
    assert repr(project.workflow("visits").step("load")) == "<Step 'load' → alert (on_failure) → report (on_success)>"
    assert project.workflow("visits").step("load").credentials == ("kobo", "warehouse")
    assert project.credentials["kobo"]["token"] == "env:KOBO_TOKEN"


def test_the_triggers_of_a_workflow(write_project: WriteProject):
    form, nightly = read_project(write_project(DESIGN)).definitions["visits"].triggers.values()

    assert (form.path, form.auth.api_key, form.max_bytes) == ("visits", ["env:VISITS_KEY"], 10_485_760)
    assert form.filter.holds({"form": "visit_v2", "more": 1})
    assert not form.filter.holds({"form": "visit_v2", "test": True})
    assert (nightly.expression, nightly.timezone, nightly.overlap) == ("0 2 * * *", "Africa/Nairobi", "skip")


def test_a_workflow_of_a_project_runs(write_project: WriteProject):
    run = Run(read_project(write_project(DESIGN)).workflow("visits"))

    assert run.execute() == "success"
    assert run.state.data == "report"
    assert list(run.walk.ended) == ["load", "report"]


EDGES = """\
workflows:
  visits:
    steps:
      load:
        job: jobs/load.py
        next:
          report: {when: "jobs/rules.py:is_urgent"}
          alert: {include: {urgent: false}, after: always}
      report: {job: jobs/report.py}
      alert: {job: jobs/alert.py}
"""
RULES = "def is_urgent(state):\n    return state.data['urgent']\n"
GIVEN = "from crossdock import Job\n\njob = Job(lambda state: state)\n"


@pytest.mark.parametrize(("urgent", "ran"), [(True, ["load", "report"]), (False, ["load", "alert"])])
def test_w_07_edges_ask_functions_and_filters(write_project: WriteProject, urgent: bool, ran: list[str]):
    workflow = read_project(write_project(EDGES, load=GIVEN, rules=RULES)).workflow("visits")

    run = Run(workflow, {"data": {"urgent": urgent}})

    assert run.execute() == "success"
    assert list(run.walk.ended) == ran
    assert [str(edge) for edge in workflow.step("load").next] == [
        "on_success, when is_urgent",
        'always, when include {"urgent": false}',
    ]


@pytest.mark.parametrize("written", ["report", "[report, alert]", "{report: always, alert: always}"])
def test_w_04_every_notation_of_an_edge_is_followed(write_project: WriteProject, written: str):
    text = STEPS.replace("next: report", f"next: {written}") + "      alert: {job: jobs/alert.py}\n"

    run = Run(read_project(write_project(text)).workflow("visits"))

    assert run.execute() == "success"
    assert set(run.walk.ended) == {"load", "report", "alert"}


NESTED = """\
workflows:
  all:
    steps:
      each-one:
        workflow: one
        each: {items: data.people, key: id, concurrency: 2, on_error: raise}
        credentials: [kobo]
        limits: {seconds: 20}
  one:
    steps:
      load: {job: jobs/load.py, credentials: [crm]}
credentials:
  kobo: {adaptor: http, base_url: https://kobo.example.org}
  crm: {adaptor: http, base_url: https://crm.example.org}
"""


def test_a_workflow_runs_as_a_step_once_per_item(write_project: WriteProject):
    load = "from crossdock import Job, set_data, state\n\njob = Job(set_data(state.data['id']))\n"
    project = read_project(write_project(NESTED, load=load))
    step = project.workflow("all").step("each-one")

    run = Run(project.workflow("all"), {"data": {"people": [{"id": 7}, {"id": 8}]}})

    assert run.execute() == "success"
    assert run.state.data == [7, 8]
    assert (step.each.key, step.each.concurrency, step.each.on_error, step.seconds) == ("id", 2, "raise", 20)


def test_the_credentials_of_a_workflow_are_those_that_its_steps_list(write_project: WriteProject):
    project = read_project(write_project(NESTED))

    assert list(project.credentials_of("all")) == ["kobo"]
    assert list(project.credentials_of("one")) == ["crm"]


def test_a_step_that_runs_a_workflow_may_use_what_its_steps_list(write_project: WriteProject):
    project = read_project(write_project(NESTED.replace("        credentials: [kobo]\n", "")))

    assert list(project.credentials_of("all")) == ["crm"]


def test_a_step_that_lists_no_credentials_may_use_all(write_project: WriteProject):
    open_steps = NESTED.replace(", credentials: [crm]", "").replace("        credentials: [kobo]\n", "")

    project = read_project(write_project(open_steps))

    assert set(project.credentials_of("all")) == {"kobo", "crm"}


USUAL = """\
limits: {seconds: 60, memory_mb: 256}
retention: {payloads: 7 days, keep_failed: true}
defaults: {timezone: Africa/Nairobi, concurrency: 3, retry: {attempts: 4, backoff: 10 seconds}, notify: {workflow: b}}
workflows:
  a:
    concurrency: 1
    limits: {seconds: 10}
    retention: {payloads: 2 hours}
    triggers: {daily: {cron: 0 2 * * *}, paris: {cron: 0 3 * * *, timezone: Europe/Paris}, b: {after: {failure: b}}}
    steps: {load: {job: jobs/load.py}}
  b:
    steps: {load: {job: jobs/load.py}}
"""


def test_what_holds_for_all_workflows_holds_where_one_says_nothing_else(write_project: WriteProject):
    a, b = read_project(write_project(USUAL)).definitions.values()

    assert (a.concurrency, b.concurrency) == (1, 3)
    assert (a.limits.seconds, a.limits.memory_mb, b.limits.seconds) == (10, 256, 60)
    assert (a.retention.payloads, a.retention.keep_failed) == (timedelta(hours=2), True)
    assert (b.retention.payloads, b.retention.history) == (timedelta(days=7), timedelta(days=365))
    assert (a.retry.attempts, a.retry.backoff) == (4, timedelta(seconds=10))
    assert a.notify[0].workflow == "b"
    assert [trigger.timezone for trigger in list(a.triggers.values())[:2]] == ["Africa/Nairobi", "Europe/Paris"]
    assert (a.triggers["b"].failure, a.triggers["b"].success, a.triggers["b"].workflow) == ("b", None, "b")


ENVIRONMENTS = (
    STEPS
    + """\
credentials:
  kobo: {adaptor: http, base_url: https://kobo.example.org, token: "env:TOKEN"}
settings: {page_size: 100, country: KE}
environments:
  test:
    credentials: {kobo: {base_url: https://test.example.org}}
    settings: {page_size: 5}
"""
)


def test_an_environment_lies_over_credentials_and_settings(write_project: WriteProject):
    folder = write_project(ENVIRONMENTS)
    test, usual = read_project(folder, "test"), read_project(folder)

    assert test.credentials["kobo"] == {"adaptor": "http", "base_url": "https://test.example.org", "token": "env:TOKEN"}
    assert (test.settings, test.environment) == ({"page_size": 5, "country": "KE"}, "test")
    assert (usual.credentials["kobo"]["base_url"], usual.settings["page_size"]) == ("https://kobo.example.org", 100)


def test_settings_are_lazy_values_in_jobs(write_project: WriteProject):
    load = "from crossdock import Job, set_data, settings\n\njob = Job(set_data({'size': settings.page_size}))\n"
    project = read_project(write_project(ENVIRONMENTS, load=load, report=GIVEN), "test")

    run = Run(project.workflow("visits"), settings=project.settings)

    assert (run.execute(), run.state.data) == ("success", {"size": 5})


def test_a_setting_that_there_is_not_is_an_error_that_names_those_that_there_are(write_project: WriteProject):
    load = "from crossdock import Job, set_data, settings\n\njob = Job(set_data(settings.pagesize))\n"
    project = read_project(write_project(ENVIRONMENTS, load=load))

    run = Run(project.workflow("visits"), settings=project.settings)

    assert run.execute() == "failed"
    error = run.state.errors["load"]
    assert error["message"] == "there is no setting 'pagesize'; there are: page_size, country"
    assert error["fix"] == "Did you mean page_size?"


@pytest.mark.parametrize(
    ("ask", "said", "fix"),
    [
        (lambda folder: read_project(folder, "tst"), "has no environment 'tst'; it has test", "Did you mean test?"),
        (lambda folder: read_project(folder).workflow("vists"), "has no workflow 'vists'", "Did you mean visits?"),
        (lambda folder: read_project(folder).credentials_of("x"), "has no workflow 'x'", "Name one of its workflows."),
    ],
    ids=["environment", "workflow", "credentials"],
)
def test_a_name_that_there_is_not_is_an_error_that_names_those_that_there_are(write_project, ask, said, fix):
    with pytest.raises(InputError) as caught:
        ask(write_project(ENVIRONMENTS))

    assert said in caught.value.message
    assert caught.value.fix == fix


def test_a_project_that_is_not_there_is_refused(tmp_path: Path, write_project: WriteProject):
    folder = write_project(DESIGN)
    (tmp_path / "empty").mkdir()

    with pytest.raises(ProjectError, match=r"there is no .*/empty/project\.yaml"):
        read_project(tmp_path / "empty")
    with pytest.raises(ProjectError) as caught:
        read_project(folder / "projct.yaml")
    assert caught.value.fix == f"Did you mean {folder / 'project.yaml'}?"


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ("job = Job(\n", "load.py:1:10: '(' was never closed"),
        ("import nothing_like_this\n", "load.py:1: ModuleNotFoundError"),
        ("x = 1\n", "there is no 'job'"),
    ],
)
def test_cl_14_a_job_that_does_not_load_is_refused_with_its_place(write_project: WriteProject, load: str, said: str):
    project = read_project(write_project(STEPS, load=load))

    with pytest.raises(JobLoadError) as caught:
        project.workflow("visits")

    assert said in caught.value.message


def test_every_way_in_of_a_trigger_is_one_of_the_inbox(write_project: WriteProject):
    auth = (
        '{api_key: ["env:A", "env:B"], basic: {user: amina, password: "env:P"}, standard_webhooks: "env:W",'
        ' hmac: {header: X-Sign, secret: "env:S", algorithm: sha512, prefix: sha512=, encoding: base64}}'
    )
    text = DESIGN.replace('{api_key: "env:VISITS_KEY"}', auth)
    way_in = read_project(write_project(text)).definitions["visits"].triggers["form"].auth

    resolved = way_in.model_dump(exclude_unset=True) | {"standard_webhooks": "whsec_MTIzNA=="}
    methods = read_methods(resolved)

    assert list(methods) == ["api_key 1", "api_key 2", "basic 1", "standard_webhooks", "hmac 1"]
    assert set(get_args(Hmac.model_fields["algorithm"].annotation)) == set(ALGORITHMS)
