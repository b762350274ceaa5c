"""`crossdock check` on a project: its file and all of its jobs in one report, and nothing runs."""

import re
from pathlib import Path

import pytest
from crossdock.checking.check import Checked
from crossdock.errors import AdaptorNotAllowedError
from crossdock.project.check import check_project
from fix_command import Crossdock
from fix_project import STEPS, WriteProject

TWELVE = """\
name: clinic
credentials:
  kobo: {adaptor: http, base_url: https://kobo.example.org, tokn: "env:KOBO_TOKEN"}
  warehouse: {adaptor: postgresql, host: db, database: clinic, user: sync, password: s3cret-hush}
workflows:
  visits:
    triggers:
      form: {webhook: visits, include: {facility: 007}}
      nightly: {cron: 0 2 * * *, timezone: Africa/Nairob}
      hourly: {cron: 61 * * * *}
      never: {webhook: never, include: {a: 1}, exclude: {a: 1}}
    steps:
      load: {job: jobs/load.py, credentials: [kobo], next: {report: on_sucess}}
      report: {job: jobs/report.py, credentials: [dhis2], next: alert}
      alert: {job: jobs/alert.py, nxt: load}
      copy: {job: jobs/report.py, next: copy}
"""
LOAD = """\
from crossdock import Job
from crossdock.adaptors import http, postgresql

job = Job(http.get("/visits"), postgresql.insert("visits", {}, credential="warehouse"))
"""
ALERT = "from crossdock import Job\n\njob = Job(\n"


def test_cl_13_twelve_faults_of_a_project_are_found_in_one_go(crossdock: Crossdock, write_project: WriteProject):
    write_project(TWELVE, load=LOAD, alert=ALERT)

    done = crossdock("check", "clinic")

    found = [re.fullmatch(r"clinic/([\w/]+\.\w+):(\d+): (\w+) .+ → .+", line) for line in done.stdout.splitlines()]
    assert [(match[1], int(match[2]), match[3]) for match in found if match] == [
        ("jobs/alert.py", 3, "syntax_error"),
        ("project.yaml", 3, "credential_field_unknown"),
        ("project.yaml", 4, "secret_inline"),
        ("project.yaml", 8, "wrong_notation"),
        ("project.yaml", 9, "wrong_timezone"),
        ("project.yaml", 10, "wrong_cron"),
        ("project.yaml", 11, "filter_never_matches"),
        ("project.yaml", 13, "credential_not_listed"),
        ("project.yaml", 13, "wrong_value"),
        ("project.yaml", 14, "credential_missing"),
        ("project.yaml", 15, "unknown_key"),
        ("project.yaml", 16, "circle"),
    ]
    assert (done.returncode, done.stderr) == (3, "12 findings in 4 files\n")
    assert "hush" not in done.stdout + done.stderr
    assert "jobs/alert.py:3: syntax_error '(' was never closed in column 10: job = Job(" in done.stdout  # CL-14


def test_findings_of_a_project_as_json(crossdock: Crossdock, write_project: WriteProject):
    write_project(STEPS.replace("next: report", "next: reprt"))

    done = crossdock("check", "clinic/project.yaml", "--json")

    assert done.json == [
        {
            "file": "clinic/project.yaml",
            "line": 4,
            "code": "unknown_step",
            "message": "workflows.visits: the step 'load' leads to 'reprt', which is no step",
            "fix": "Did you mean report?",
        }
    ]
    assert done.returncode == 3


def test_projects_and_jobs_are_checked_together(crossdock: Crossdock, write_project: WriteProject, tmp_path: Path):
    write_project(STEPS)
    (tmp_path / "one.py").write_text("job = 1\n")

    done = crossdock("check", "clinic", "one.py")

    assert done.stdout.splitlines() == [
        "one.py:1: not_a_job 'job' is a value of type int, not a Job → End the file with: job = Job(…)."
    ]
    assert done.stderr == "1 finding in 4 files\n"


def test_nothing_of_a_project_runs_while_it_is_checked(
    crossdock: Crossdock, write_project: WriteProject, tmp_path: Path
):
    ran = "open('ran', 'w').write('x')  # crossdock: ignore[io_at_import]\n"
    rules = f"{ran}def is_urgent(state):\n    return True\n"
    text = STEPS.replace("next: report", "next: {report: {when: 'jobs/rules.py:is_urgent'}}")
    write_project(text, load=f"{ran}from crossdock import Job, set_data\njob = Job(set_data(1))\n", rules=rules)

    done = crossdock("check", "clinic")

    assert (done.stdout, done.stderr, done.returncode) == ("", "no findings in 4 files\n", 0)
    assert [*tmp_path.glob("**/ran")] == []


HEAD = "from crossdock import Job, credentials, set_data, settings\nfrom crossdock.adaptors import dhis2, http\n"
KOBO = "kobo: {adaptor: http, base_url: https://kobo.example.org, token: 'env:TOKEN'}"
CRM = "crm: {adaptor: http, base_url: https://crm.example.org}"
# the operations of the job, its step's credentials, the credentials of the project in line 2 and on, then: place, code, words
RED = {
    "not listed": ("http.get('/x')", "[]", [KOBO], ("project.yaml:7", "credential_not_listed", "'kobo', which")),
    "not listed by its name": (
        "http.get('/x', credential='crm')",
        "[kobo]",
        [KOBO, CRM],
        ("project.yaml:8", "credential_not_listed", "Add crm to the credentials of the step."),
    ),
    "not listed and read": (
        "set_data(credentials.kobo.token)",
        "[]",
        [KOBO],
        ("project.yaml:7", "credential_not_listed", "load.py:3 uses"),
    ),
    "ambiguous": (
        "http.get('/x')",
        "[kobo, crm]",
        [KOBO, CRM],
        ("load.py:3", "credential_ambiguous", "there are 2 credentials for http: crm, kobo"),
    ),
    "missing": ("http.get('/x', credential='krm')", "[kobo]", [KOBO], ("load.py:3", "credential_missing", "'krm'")),
    "none": ("dhis2.get('x')", "[kobo]", [KOBO], ("load.py:3", "credential_missing", "Add it to ")),
    "of another adaptor": (
        "dhis2.get('x', credential='kobo')",
        "[kobo]",
        [KOBO],
        ("load.py:3", "credential_of_another_adaptor", "is for http, not for dhis2"),
    ),
    "read and missing": (
        "set_data(credentials.kbo)",
        "[kobo]",
        [KOBO],
        ("load.py:3", "credential_missing", "Did you mean kobo?"),
    ),
    "a field that is missing": (
        "dhis2.get('x')",
        "[dhis2]",
        ["dhis2: {adaptor: dhis2, pat: 'env:PAT'}"],
        ("project.yaml:2", "credential_field_missing", "'base_url' is missing"),
    ),
    "a field that is wrong": (
        "dhis2.get('x')",
        "[dhis2]",
        ["dhis2:", "  adaptor: dhis2", "  base_url: https://x.example.org", "  pat: env:PAT", "  api_version: latest"],
        ("project.yaml:6", "credential_field_invalid", "api_version"),
    ),
    "a field that nobody knows": (
        "http.get('/x')",
        "[kobo]",
        [KOBO.replace("token", "tokn")],
        ("project.yaml:2", "credential_field_unknown", "Did you mean token?"),
    ),
    "an adaptor that is not installed": (
        "set_data(1)",
        "[x]",
        ["x: {adaptor: odoo}"],
        ("project.yaml:2", "adaptor_not_installed", "odoo"),
    ),
    "a setting": (
        "set_data(settings.pagesize)",
        "[]",
        [KOBO],
        ("load.py:3", "unknown_setting", "Did you mean page_size?"),
    ),
}


@pytest.mark.parametrize("choice", ["{disable: [http]}", "{allow: [dhis2]}"])
@pytest.mark.parametrize("job", ["job = Job(http.get('x'), http.get('y'))", "job = Job(lambda state: http.get('x'))"])
def test_a_job_that_uses_an_adaptor_which_the_project_does_not_allow(
    write_project: WriteProject, crossdock: Crossdock, job: str, choice: str
):
    folder = write_project(
        project([], "[]", f"adaptors: {choice}\n").replace("credentials:\nw", "w"), load=f"{HEAD}{job}\n"
    )

    [found] = checked(folder).findings
    ran = crossdock("run", folder, "visits")

    assert (Path(found.file).name, found.line, found.code) == ("load.py", 3, "adaptor_not_allowed")
    assert "http.get: this project does not allow the adaptor 'http'" in found.message
    assert ran.returncode in (1, 3)  # a function is not known before it runs
    assert found.fix in ran.stderr
    assert found.code == AdaptorNotAllowedError.code


def project(credentials: list[str], listed: str, more: str = "") -> str:
    lines = "".join(f"  {line}\n" for line in credentials)
    load = f"workflows:\n  visits:\n    steps:\n      load:\n        credentials: {listed}\n        job: jobs/load.py\n"
    return f"credentials:\n{lines}{load}settings: {{page_size: 5}}\n{more}"


def checked(folder: Path) -> Checked:
    return check_project(folder / "project.yaml")


@pytest.mark.parametrize("name", RED)
def test_what_a_job_needs_and_its_step_or_project_lacks(write_project: WriteProject, name: str):
    job, listed, credentials, (place, code, words) = RED[name]
    folder = write_project(project(credentials, listed), load=f"{HEAD}job = Job({job})\n")

    found = checked(folder).findings

    assert [(f"{Path(f.file).name}:{f.line}", f.code) for f in found] == [(place, code)], [*map(str, found)]
    assert words in found[0].message + found[0].fix


GREEN = {
    "listed": ("http.get('/x'), set_data(credentials.kobo.token)", "[kobo]", [KOBO, CRM]),
    "of several by its name": ("http.get('/x', credential='crm')", "[kobo, crm]", [KOBO, CRM]),
    "without a credential": (
        "http.get('https://example.org/x')",
        "[]",
        ["d: {adaptor: dhis2, base_url: 'env:U', pat: 'env:P'}"],
    ),
    "fields of its own": ("set_data(credentials.kobo.db)", "[kobo]", [KOBO.replace("token", "db: x, token")]),
    "settings": ("set_data(settings.page_size), set_data(settings['page_size']), set_data(settings)", "[]", [KOBO]),
}


@pytest.mark.parametrize("name", GREEN)
def test_what_a_job_needs_and_has(write_project: WriteProject, name: str):
    job, listed, credentials = GREEN[name]
    folder = write_project(project(credentials, listed), load=f"{HEAD}job = Job({job})\n")

    assert [*map(str, checked(folder).findings)] == []


ENVIRONMENTS = """environments:
  test:
    credentials: {dhis2: {base_url: https://test.example.org}}
  live:
    credentials:
      dhis2: {base_url: https://live.example.org, api_version: latest}
"""


def test_credentials_are_checked_as_each_environment_has_them(write_project: WriteProject):
    load = f"{HEAD}job = Job(dhis2.get('x'))\n"
    credentials = ["dhis2: {adaptor: dhis2, pat: 'env:PAT'}"]
    folder = write_project(project(credentials, "[dhis2]", ENVIRONMENTS), load=load)

    found = checked(folder).findings

    assert [(f.line, f.code) for f in found] == [(15, "credential_field_invalid")], [*map(str, found)]


def test_a_job_may_read_a_field_that_only_an_environment_has(write_project: WriteProject):
    more = "environments: {test: {credentials: {kobo: {db: x}}}}\n"
    folder = write_project(project([KOBO], "[kobo]", more), load=f"{HEAD}job = Job(set_data(credentials.kobo.db))\n")

    assert [*map(str, checked(folder).findings)] == []


def test_a_helper_of_a_job_may_use_what_its_step_lists_and_nothing_else(write_project: WriteProject):
    helper = (
        "from crossdock.adaptors import http\n\n\ndef tell(state):\n    return http.post('/x', {}, credential='crm')\n"
    )
    load = "from crossdock import Job\nfrom helper import tell\n\njob = Job(tell)\n"
    folder = write_project(project([KOBO, CRM], "[kobo]"), load=load, helper=helper)

    (found,) = checked(folder).findings

    assert (found.line, found.code) == (8, "credential_not_listed")
    assert "helper.py:5 uses" in found.message


def test_a_comment_silences_a_finding_of_a_job_in_a_project(write_project: WriteProject):
    load = f"{HEAD}job = Job(set_data(settings.other))  # crossdock: ignore[unknown_setting]\n"

    assert checked(write_project(project([KOBO], "[]"), load=load)).findings == []


CRON = """\
workflows:
  visits:
    triggers:
      minute: {cron: 61 * * * *}
      fields: {cron: "* * *"}
      word: {cron: "@foo"}
      zone: {cron: 0 2 * * *, timezone: Mars/Olympus}
    steps: {load: {job: jobs/load.py}}
"""


def test_cl_04_a_bad_clock_is_refused_with_its_field_its_range_and_its_line(
    crossdock: Crossdock, write_project: WriteProject
):
    write_project(CRON)

    checked, run = crossdock("check", "clinic"), crossdock("run", "clinic", "visits")

    at = "clinic/project.yaml:{}: {} workflows.visits.triggers.{} "
    said = [
        at.format(4, "wrong_cron", "minute.cron") + "has '61' for its minute, which is 0-59 → ",
        at.format(5, "wrong_cron", "fields.cron") + "has 3 fields → Write five: minute (0-59), hour (0-23), ",
        at.format(6, "wrong_cron", "word.cron") + "has 1 field → Write five: ",
        at.format(7, "wrong_timezone", "zone.timezone") + "names no time zone: 'Mars/Olympus' → ",
    ]
    assert [line[: len(start)] for line, start in zip(checked.stdout.splitlines(), said, strict=True)] == said
    assert [start in run.stderr for start in said] == [True] * 4
    assert (checked.returncode, run.returncode, run.stdout) == (3, 3, "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("load: {jbo: jobs/load.py}", "jbo is no key here → Did you mean job?", id="w_12"),
        pytest.param("load: {job: jobs/load.py}\n      load: {job: jobs/report.py}", "'load' stands twice", id="w_03"),
    ],
)
def test_w_12_what_is_misspelt_or_stands_twice_is_refused_before_anything_runs(
    crossdock: Crossdock, write_project: WriteProject, line: str, said: str
):
    write_project(f"workflows:\n  visits:\n    steps:\n      {line}\n")

    done = crossdock("run", "clinic")

    assert (done.returncode, done.stdout) == (3, "")
    assert said in done.stderr


def test_a_job_that_the_command_runs_reads_the_settings_of_its_environment(
    crossdock: Crossdock, write_project: WriteProject
):
    more = "environments: {test: {settings: {page_size: 7}}}\n"
    write_project(project([KOBO], "[]", more), load=f"{HEAD}job = Job(set_data(settings.page_size))\n")

    assert [crossdock("run", "clinic", *env).json["data"] for env in ([], ["--env", "test"])] == [5, 7]
