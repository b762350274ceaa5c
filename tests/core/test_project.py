"""Projects: what a project file says becomes workflows that run."""

from pathlib import Path

import pytest
from crossdock import Run
from crossdock.project import read_project

DESIGN = """\
name: clinic-sync
store: sqlite:///.crossdock/clinic.db
credentials:
  kobo:      {adaptor: http, base_url: https://kobo.example.org, token: "env:KOBO_TOKEN", scheme: Token}
  warehouse: {adaptor: postgresql, host: db, database: clinic, user: sync, password: "file:/run/secrets/pg"}
workflows:
  visits:
    triggers:
      form:    {webhook: visits, include: {form: visit_v2}, exclude: {test: true}, auth: {api_key: "env:VISITS_KEY"}}
      nightly: {cron: "0 2 * * *", timezone: Africa/Nairobi}
    steps:
      load:   {job: jobs/load.py, credentials: [kobo, warehouse], next: {alert: on_failure, report: on_success}}
      report: {job: jobs/report.py, credentials: [warehouse]}
      alert:  {job: jobs/alert.py, credentials: [kobo]}
"""
JOB = "from crossdock import Job, set_data\n\njob = Job(set_data({name!r}))\n"


@pytest.fixture
def write_project(tmp_path: Path):
    """Write a project file and the jobs that it names."""

    def write(text: str, jobs: dict[str, str] | None = None, folder: str = ".") -> Path:
        at = tmp_path / folder
        (at / "jobs").mkdir(parents=True, exist_ok=True)
        for name in ("load", "report", "alert"):
            (at / f"jobs/{name}.py").write_text(JOB.format(name=name))
        for name, source in (jobs or {}).items():
            (at / "jobs" / name).write_text(source)
        (at / "project.yaml").write_text(text)
        return at

    return write


def test_the_project_of_the_design_is_read(write_project):
    folder = write_project(DESIGN)

    project = read_project(folder)

    assert (project.name, project.folder, project.file) == ("clinic-sync", folder, folder / "project.yaml")
    assert project.workflow_names == ("visits",)
    assert repr(project.workflow("visits").step("load")) == "<Step 'load' → alert (on_failure) → report (on_success)>"
    assert project.credentials_of("visits")["kobo"]["token"] == "env:KOBO_TOKEN"
    form, nightly = project.definitions["visits"].triggers.values()
    assert (form.path, form.auth[0].api_key) == ("visits", "env:VISITS_KEY")
    assert form.filter.holds({"form": "visit_v2"})
    assert not form.filter.holds({"form": "visit_v2", "test": True})
    assert (nightly.expression, nightly.timezone) == ("0 2 * * *", "Africa/Nairobi")


def test_a_workflow_of_a_project_runs(write_project):
    project = read_project(write_project(DESIGN))

    run = Run(project.workflow("visits"), credentials={})

    assert run.execute() == "success"
    assert run.state.data == "report"
    assert list(run.walk.ended) == ["load", "report"]
