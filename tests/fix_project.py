"""A project on disk: its file, and the jobs that it names."""

from collections.abc import Callable
from pathlib import Path

import pytest
from crossdock.checking.finding import Code

_CODES = [*Code]
OF_PROJECTS = _CODES[_CODES.index(Code.WRONG_NOTATION) : _CODES.index(Code.ADAPTOR_NOT_ALLOWED) + 1]
"""The codes of what only a project can have wrong."""

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
"""The project of the design."""

STEPS = """\
workflows:
  visits:
    steps:
      load: {job: jobs/load.py, next: report}
      report: {job: jobs/report.py}
"""

WriteProject = Callable[..., Path]


@pytest.fixture
def write_project(tmp_path: Path) -> WriteProject:
    """Write a project into a folder: its file, and jobs by their names; load, report and alert are there."""

    def write(text: str, **jobs: str) -> Path:
        folder = tmp_path / "clinic"
        (folder / "jobs").mkdir(parents=True, exist_ok=True)
        for name in ("load", "report", "alert"):
            jobs.setdefault(name, f"from crossdock import Job, set_data\n\njob = Job(set_data({name!r}))\n")
        for name, source in jobs.items():
            (folder / f"jobs/{name}.py").write_text(source, encoding="utf-8")
        (folder / "project.yaml").write_text(text, encoding="utf-8")
        return folder

    return write
