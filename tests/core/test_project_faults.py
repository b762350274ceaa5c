"""Project files: everything that is wrong is found, with its line, and nothing else is."""

import json
from pathlib import Path
from typing import Any

import pytest
from crossdock import read_project
from crossdock.checking.finding import Code, Finding
from crossdock.documents import parse_document
from crossdock.errors import ProjectError
from crossdock.project.check import check_project
from crossdock.project.schema import project_schema
from fix_project import DESIGN, OF_PROJECTS, STEPS, WriteProject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

CREDENTIALS = "credentials:\n  kobo: {adaptor: http, base_url: https://kobo.example.org}\n"
RULES = "def is_urgent(state):\n    return True\n"


def visits(*lines: str, more: str = "") -> str:
    """Write a project of one workflow, from its lines; they begin in line 3."""
    return "workflows:\n  visits:\n" + "".join(f"    {line}\n" for line in lines) + more


def steps(*lines: str, more: str = "") -> str:
    """Write a project from the lines of its steps; they begin in line 4."""
    return visits("steps:", *(f"  {line}" for line in lines), more=more)


def triggers(*lines: str, more: str = "") -> str:
    """Write a project from the lines of its triggers; they begin in line 5."""
    return visits("steps: {load: {job: jobs/load.py}}", "triggers:", *(f"  {line}" for line in lines), more=more)


LOAD = "load: {job: jobs/load.py}"
# code: texts; a line with a fault ends with "# !", and its words stand behind that
RED: dict[Code, list[str]] = {
    Code.WRONG_NOTATION: [
        "limits: {seconds: 007}  # ! a number that would not be kept\n" + STEPS,
        triggers("form: {webhook: visits, include: {facility: 007}}  # ! a number that would not be kept"),
        steps(LOAD, "load: {job: jobs/report.py}  # ! 'load' stands twice"),
        STEPS + "settings: {a: &a {b: 1}, c: {<<: *a}}  # ! takes entries over\n",
        "workflows:\n  visits: [  # no\n}  # ! is not valid YAML in line 3\n",
    ],
    Code.UNKNOWN_KEY: [
        "nam: clinic  # ! Did you mean name?\n" + STEPS,
        "on: clinic  # ! on is no key here\n" + STEPS,
        steps("load: {jbo: jobs/load.py}  # ! Did you mean job?"),
        steps("load: {job: jobs/load.py, limits: {second: 3}}  # ! Did you mean seconds?"),
        triggers("form: {webhok: visits}  # ! Did you mean webhook?"),
        triggers("form: {webhook: visits, auth: {apikey: 'env:K'}}  # ! Did you mean api_key?"),
        triggers("night: {cron: 0 2 * * *, time_zone: UTC}  # ! Did you mean timezone?"),
        triggers("up: {after: {sucess: visits}}  # ! Did you mean success?"),
        STEPS + "serve: {prt: 80}  # ! Did you mean port?\n",
        STEPS + "environments: {test: {setings: {}}}  # ! Did you mean settings?\n",
    ],
    Code.MISSING_KEY: [
        "name: clinic  # ! workflows is missing\n",
        "workflows:\n  visits: {triggers: {}}  # ! workflows.visits.steps is missing\n",
        steps("load: {next: report}  # ! has none of the keys job or workflow", "report: {job: jobs/report.py}"),
        triggers("form: {path: visits}  # ! has none of the keys webhook, cron or after"),
        triggers("form: {webhook: visits, auth: {basic: {user: amina}}}  # ! basic.password is missing"),
        STEPS + "credentials: {kobo: {base_url: https://kobo.example.org}}  # ! credentials.kobo.adaptor is missing\n",
        visits(
            "notify: {on: [failed]}  # ! has none of the keys workflow or webhook", "steps: {load: {job: jobs/load.py}}"
        ),
    ],
    Code.EMPTY_KEY: [
        "settings:  # ! settings is empty\n" + STEPS,
        visits("steps: {}  # ! workflows.visits.steps is empty"),
        triggers("form:", "  webhook: visits", "  auth:  # ! auth is empty"),
        triggers("form: {webhook: visits, auth: {}}  # ! lets nobody in"),
        steps("load: {job: jobs/load.py, next: {report: {}}}  # ! says nothing", "report: {job: jobs/report.py}"),
    ],
    Code.WRONG_VALUE: [
        "name: [clinic]  # ! name is a list, not a text\n" + STEPS,
        "store: redis://x  # ! the address of no store\n" + STEPS,
        visits(f"steps: {{{LOAD}}}", "notify: {webhook: ops.example.org}  # ! is no address"),
        visits(
            f"steps: {{{LOAD}}}",
            "notify: {workflow: alarm, headers: {X-Key: 'env:K'}}  # ! stand beside no webhook",
            more=f"  alarm: {{steps: {{{LOAD}}}}}\n",
        ),
        "workflows: [visits]  # ! workflows is a list, not a mapping\n",
        steps(
            "load: {job: jobs/load.py, next: {report: on_job_success}}  # ! Did you mean on_success?",
            "report: {job: jobs/report.py}",
        ),
        steps(
            "load: {job: jobs/load.py, next: {report: true}}  # ! is true or false, not a mapping",
            "report: {job: jobs/report.py}",
        ),
        steps(
            "load: {job: jobs/load.py, workflow: other}  # ! stands beside job",
            more="  other: {steps: {load: {job: jobs/load.py}}}\n",
        ),
        steps("load: {job: jobs/load.py, each: '$..['}  # ! is no path"),
        steps(
            "load: {job: jobs/load.py, next: {report: {when: rules.has}}}  # ! names no function",
            "report: {job: jobs/report.py}",
        ),
        steps("load: {job: jobs/load.py, limits: {seconds: 0}}  # ! should be greater than 0"),
        steps("load: {job: jobs/load.py, limits: {seconds: '5'}}  # ! is a text, not a number"),
        visits("retry: {attempts: 2, backoff: 30}  # ! is no length of time", "steps: {load: {job: jobs/load.py}}"),
        visits(
            "retention: {payloads: 99999999999 weeks}  # ! is no length of time", "steps: {load: {job: jobs/load.py}}"
        ),
        visits(
            "concurrency: 1.5  # ! concurrency is a number, not a whole number", "steps: {load: {job: jobs/load.py}}"
        ),
        triggers("form: {webhook: visits, include: '{\"form\"'}  # ! include is not JSON"),
        triggers("form: {webhook: visits, include: 7}  # ! include is of type int"),
        triggers("form: {webhook: visits, ack: yes}  # ! none of 'ok' or 'accepted'"),
        triggers("form: {webhook: visits, idempotency: {path: id, header: X-Id}}  # ! stands beside path"),
        triggers("form: {webhook: visits, schema: jobs/load.py}  # ! is no JSON Schema: it is not JSON"),
        triggers(
            "up: {after: {success: other, failure: other}}  # ! stands beside success",
            more="  other: {steps: {load: {job: jobs/load.py}}}\n",
        ),
    ],
    Code.WRONG_NAME: [
        "name: Clinic Sync  # ! name is no name\n" + STEPS,
        steps("Load: {job: jobs/load.py}  # ! workflows.visits.steps.Load is no name"),
        triggers("form: {webhook: /visits}  # ! webhook is no name"),
        STEPS + "credentials: {KoBo: {adaptor: http}}  # ! credentials.KoBo is no name\n",
    ],
    Code.NAME_TWICE: [
        steps(
            "load: {job: jobs/load.py, next: [report, report]}  # ! names 'report' twice",
            "report: {job: jobs/report.py}",
        ),
        CREDENTIALS + steps("load: {job: jobs/load.py, credentials: [kobo, kobo]}  # ! names 'kobo' twice"),
    ],
    Code.WRONG_CRON: [
        triggers("night: {cron: 61 * * * *}  # ! has '61' for its minute, which is 0-59"),
        triggers("night: {cron: '* 24 * * *'}  # ! has '24' for its hour, which is 0-23"),
        triggers("night: {cron: 0 0 * 13 *}  # ! has '13' for its month, which is 1-12 or JAN-DEC"),
        triggers(
            "night: {cron: 0 0 31 2 *}  # ! has '31' for its day-of-month, which is 1-31, of a month that has that day"
        ),
        triggers("night: {cron: 0 0 * * 8}  # ! has '8' for its day-of-week, which is 0-7 or SUN-SAT"),
        triggers("night: {cron: '* * *'}  # ! has 3 fields"),
        triggers("night: {cron: '@foo'}  # ! has 1 field"),
        triggers("night: {cron: '0 0 2 * * *'}  # ! has 6 fields"),
    ],
    Code.WRONG_TIMEZONE: [
        triggers("night: {cron: 0 2 * * *, timezone: Africa/Nairob}  # ! Did you mean Africa/Nairobi?"),
        triggers("night: {cron: 0 2 * * *, timezone: ../etc/passwd}  # ! names no time zone"),
        triggers("night: {cron: 0 2 * * *, timezone: Africa}  # ! names no time zone"),
        "defaults: {timezone: EAT+3}  # ! names no time zone\n" + STEPS,
    ],
    Code.FILTER_NEVER_MATCHES: [
        triggers("form: {webhook: visits, include: {a: 1, b: 2}, exclude: {b: 2}}  # ! lets no payload through"),
        triggers("form: {webhook: visits, include: [1]}  # ! lets no payload through"),
        triggers("form: {webhook: visits, exclude: {}}  # ! lets no payload through"),
        steps(
            "load: {job: jobs/load.py, next: {report: {include: {a: 1}, exclude: {a: 1}}}}  # ! lets no state through",
            "report: {job: jobs/report.py}",
        ),
    ],
    Code.WEBHOOKS_DISAGREE: [
        triggers("a: {webhook: visits, auth: {api_key: 'env:K'}}", "b: {webhook: visits}  # ! differ in 'auth'"),
        triggers("a: {webhook: visits}", "b: {webhook: visits, max_bytes: 100}  # ! differ in 'max_bytes'"),
    ],
    Code.UNKNOWN_STEP: [
        steps("load: {job: jobs/load.py, next: reprt}  # ! Did you mean report?", "report: {job: jobs/report.py}"),
        steps("load: {job: jobs/load.py, next: [nowhere]}  # ! leads to 'nowhere', which is no step"),
        steps("load:", "  job: jobs/load.py", "  next:", "    reprt: on_success  # ! which is no step"),
        steps(
            "load:",
            "  job: jobs/load.py",
            "  next:",
            "    - report",
            "    - nowhere  # ! which is no step",
            "report: {job: jobs/report.py}",
        ),
    ],
    Code.UNKNOWN_WORKFLOW: [
        steps("load: {workflow: vists}  # ! Did you mean visits?"),
        triggers("up: {after: {failure: nothing}}  # ! there is no workflow 'nothing'"),
        visits(
            "notify:", "  - {workflow: alarm}  # ! there is no workflow 'alarm'", "steps: {load: {job: jobs/load.py}}"
        ),
        "defaults: {notify: {workflow: alarm}}  # ! there is no workflow 'alarm'\n" + STEPS,
    ],
    Code.UNKNOWN_SETTING: [
        STEPS
        + "settings: {page_size: 1}\nenvironments:\n  test:\n    settings: {pagesize: 2}  # ! Did you mean page_size?\n"
    ],
    Code.CIRCLE: [
        steps("load: {job: jobs/load.py, next: load}  # ! in a circle: load → load"),
        steps("load: {job: jobs/load.py, next: report}", "report: {job: jobs/report.py, next: load}  # ! in a circle"),
        steps(
            "load: {job: jobs/load.py, next: [report]}", "report: {job: jobs/report.py, next: [load]}  # ! in a circle"
        ),
        steps(
            "load: {job: jobs/load.py, next: report}",
            "report: {job: jobs/report.py, next: {load: on_failure}}  # ! in a circle",
        ),
        steps("load: {workflow: visits}  # ! the workflows run each other in a circle: visits → visits"),
        triggers("up: {after: {failure: visits}}  # ! the workflows start each other in a circle"),
        visits(f"steps: {{{LOAD}}}", "notify: {workflow: visits}  # ! the workflows tell each other in a circle"),
        visits(
            f"steps: {{{LOAD}}}",
            "notify:",
            "  - {webhook: 'env:OPS'}",
            "  - {workflow: alarm}",
            more=f"  alarm: {{notify: {{workflow: visits}}, steps: {{{LOAD}}}}}  # ! tell each other in a circle\n",
        ),
    ],
    Code.FILE_MISSING: [
        steps("load: {job: jobs/lod.py}  # ! Did you mean jobs/load.py?"),
        steps(
            "load: {job: jobs/load.py, next: {report: {when: 'jobs/ruls.py:is_urgent'}}}  # ! there is no file 'jobs/ruls.py'",
            "report: {job: jobs/report.py}",
        ),
        triggers("form: {webhook: visits, schema: form.json}  # ! there is no file 'form.json'"),
        steps("load: {job: jobs}  # ! there is no file 'jobs'"),
    ],
    Code.FUNCTION_MISSING: [
        steps(
            "load: {job: jobs/load.py, next: {report: {when: 'jobs/rules.py:is_urgnt'}}}  # ! Did you mean is_urgent?",
            "report: {job: jobs/report.py}",
        )
    ],
    Code.CREDENTIAL_MISSING: [
        CREDENTIALS + steps("load: {job: jobs/load.py, credentials: [kob]}  # ! Did you mean kobo?"),
        CREDENTIALS
        + STEPS
        + "environments:\n  test:\n    credentials: {crm: {base_url: x}}  # ! there is no credential 'crm'\n",
    ],
    Code.SECRET_INLINE: [
        STEPS
        + "credentials:\n  kobo:\n    adaptor: http\n    token: hush-hush  # ! credentials.kobo.token holds a secret itself\n",
        STEPS
        + "credentials:\n  dtp: {adaptor: http, api_key: {header: X-Key, value: hush-hush}}  # ! dtp.api_key.value holds\n",
        STEPS + "credentials:\n  crm: {adaptor: http, accessToken: hush-hush}  # ! accessToken holds a secret itself\n",
        STEPS
        + "credentials:\n  crm: {adaptor: http, base_url: 'https://u:hush-hush@x.org'}  # ! base_url holds a secret\n",
        CREDENTIALS
        + STEPS
        + "environments:\n  test: {credentials: {kobo: {password: hush-hush}}}  # ! kobo.password holds\n",
        STEPS + "settings: {api_key: hush-hush}  # ! settings.api_key holds a secret itself\n",
        "store: postgresql://sync:hush-hush@db/clinic  # ! store holds a secret itself\n" + STEPS,
        triggers("form: {webhook: visits, auth: {api_key: hush-hush}}  # ! auth.api_key holds a secret itself"),
        triggers(
            "form: {webhook: visits, auth: {standard_webhooks: ['env:A', whsec_hush]}}  # ! standard_webhooks.1 holds"
        ),
        STEPS + "serve: {metrics: {auth: {api_key: hush-hush}}}  # ! auth.api_key holds a secret itself\n",
    ],
    Code.ADAPTOR_NOT_ALLOWED: [
        "adaptors: {allow: [dhis2]}\n"
        + CREDENTIALS.replace("}\n", "}  # ! which this project does not allow\n")
        + STEPS,
        "adaptors: {disable: [http]}\n"
        + CREDENTIALS.replace("}\n", "}  # ! which this project does not allow\n")
        + STEPS,
    ],
}


def faults_of(folder: Path) -> tuple[Finding, ...]:
    with pytest.raises(ProjectError) as caught:
        read_project(folder)
    return caught.value.faults


def marked(text: str) -> list[tuple[int, str]]:
    """Give the lines that are marked as wrong, and the words of what is wrong."""
    found = [(number, line.partition("# ! ")) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, words) for number, (_, mark, words) in found if mark]


@pytest.mark.parametrize(
    ("code", "text"),
    [pytest.param(code, text, id=f"{code}-{n}") for code, texts in RED.items() for n, text in enumerate(texts)],
)
def test_a_fault_is_found_with_its_line_and_it_alone(write_project: WriteProject, code: Code, text: str):
    folder = write_project(text, rules=RULES)

    found = faults_of(folder)

    assert [(fault.line, fault.code) for fault in found] == [(line, code) for line, _ in marked(text)], [
        *map(str, found)
    ]
    assert all(words in str(fault) for fault, (_, words) in zip(found, marked(text), strict=True)), [*map(str, found)]
    assert all(fault.file.endswith("project.yaml") and fault.fix.endswith((".", "?", "…")) for fault in found)
    assert "hush" not in str(found)


def test_w_10_every_circle_is_found_and_the_steps_that_only_come_after_one(write_project: WriteProject):
    text = steps(
        "a: {job: jobs/load.py, next: b}",
        "b: {job: jobs/load.py, next: [a, c]}",
        "c: {job: jobs/load.py}",
        "d: {job: jobs/load.py, next: {d: always}}",
        "e: {job: jobs/load.py, next: f}",
        "f: {job: jobs/load.py}",
    )

    found = faults_of(write_project(text))

    assert [(fault.line, fault.code, fault.message) for fault in found] == [
        (5, "circle", "workflows.visits: the steps lead in a circle: a → b → a"),
        (6, "unreachable_step", "workflows.visits: no way leads to the step 'c' from where the workflow starts"),
        (7, "circle", "workflows.visits: the steps lead in a circle: d → d"),
    ]


def test_every_code_of_a_project_file_has_an_example():
    assert set(OF_PROJECTS) - set(RED) == {Code.UNREACHABLE_STEP, Code.CREDENTIAL_NOT_LISTED}, (
        "which have tests of their own"
    )


GREEN = {
    "design": DESIGN,
    "steps": STEPS,
    "no name": steps(LOAD),
    "words that older YAML takes for booleans": STEPS + "settings: {on: no, country: NO}\n",
    "ids in quotes": triggers("form: {webhook: visits, include: {facility: '007'}}"),
    "a filter as a text": triggers("form: {webhook: visits, include: '{\"form\": [1]}'}"),
    "any payload": triggers("form: {webhook: visits, include: [1], accept: any}"),
    "one address, two filters": triggers(
        "a: {webhook: visits, include: {form: a}, auth: {api_key: 'env:K'}}",
        "b: {webhook: visits, include: {form: b}, auth: {api_key: 'env:K'}}",
        "c: {webhook: visits, enabled: false}",
    ),
    "anchors": "settings: {a: &a {b: [1]}, c: *a}\n" + STEPS,
    "secrets elsewhere": STEPS
    + "store: env:STORE\ncredentials: {crm: {adaptor: http, base_url: x, password: 'keyring:crm/sync', auth: basic}}\n",
    "a credential that is called token": STEPS
    + "credentials: {token: {adaptor: http, base_url: https://x.example.org}}\n",
    "allowed": "adaptors: {allow: [http]}\n" + CREDENTIALS + STEPS,
    "every key": """\
name: clinic
store: postgresql://db/clinic
credentials: {kobo: {adaptor: http, base_url: https://kobo.example.org, token: "env:T"}}
settings: {page_size: 100}
adaptors: {allow: [http, postgresql], disable: [dhis2]}
environments: {test: {credentials: {kobo: {base_url: https://test.example.org}}, settings: {page_size: 5}}}
defaults: {timezone: Africa/Nairobi, concurrency: 2, retry: {attempts: 3, backoff: 5 seconds, max_backoff: 1 hour}}
limits: {seconds: 60, memory_mb: 256, state_mb: 5, output_mb: 5, log_mb: 1}
retention: {payloads: 7 days, history: 52 weeks, keep_failed: true, erase_all: false}
serve:
  {host: 0.0.0.0, port: 8080, workers: 4, max_pending: 100, grace: 5 seconds, on_change: hold, env: [TZ],
   metrics: {auth: {api_key: "env:METRICS"}}}
workflows:
  alarm: {steps: {alert: {job: jobs/alert.py}}}
  visits:
    concurrency: 1
    serialize_by: data.patient_id
    retry: {attempts: 5}
    limits: {seconds: 10.5}
    retention: {payloads: 1 day}
    notify:
      - {workflow: alarm, on: [dead], silent_for: 2 days}
      - {webhook: "env:OPS", headers: {X-Key: "env:OPS_KEY"}}
      - {webhook: "https://ops.example.org/notices?from=clinic"}
    triggers:
      form:
        webhook: visits
        include: {form: visit}
        exclude: {test: true}
        auth: {api_key: ["env:OLD", "env:NEW"], hmac: {header: X-Sign, secret: "env:S"}}
        xml: true
        accept: object
        schema: form.json
        duplicate_keys: last
        gzip: true
        max_bytes: 1000
        idempotency: {path: meta.instanceID, window: 3 days}
        ack: accepted
        reply: after_run
        reply_timeout: 10 seconds
        enabled: false
      night: {cron: "*/5 0-6 * JAN,FEB MON-FRI", timezone: Europe/Paris, overlap: queue, catch_up: none, enabled: true}
      after: {after: {failure: alarm}, enabled: false}
    steps:
      load:
        job: jobs/load.py
        credentials: [kobo]
        next: {report: {when: "jobs/rules.py:is_urgent", after: always}, more: on_success}
        each: {items: data.items, key: id, concurrency: 2, on_error: stop}
        limits: {seconds: 5}
      report: {job: jobs/report.py, next: more}
      more: {workflow: alarm, each: data}
""",
}


@pytest.mark.parametrize("name", GREEN)
def test_what_is_right_has_no_fault(write_project: WriteProject, name: str):
    folder = write_project(GREEN[name], rules=RULES)
    (folder / "form.json").write_text('{"type": "object"}')

    assert read_project(folder).file == folder / "project.yaml"


def test_the_error_of_a_project_lists_all_faults(write_project: WriteProject):
    folder = write_project("nam: x\n" + steps("load: {jbo: x}"))

    with pytest.raises(ProjectError) as caught:
        read_project(folder)

    assert caught.value.message.splitlines()[0].endswith("project.yaml has 2 faults:")
    assert [line.split()[1] for line in caught.value.message.splitlines()[1:]] == ["unknown_key", "unknown_key"]
    assert caught.value.outcome == "refused"


@pytest.mark.parametrize(
    "at", ["settings: {api_key: hush-hush}", "environments: {test: {settings: {api_key: hush-hush}}}"]
)
def test_a_secret_in_settings_belongs_into_a_credential(write_project: WriteProject, at: str):
    whole = STEPS + at + ("\nsettings: {api_key: none}\n" if at.startswith("environments") else "\n")

    with pytest.raises(ProjectError) as caught:
        read_project(write_project(whole))

    assert {fault.fix for fault in caught.value.faults} == {
        "Make it a field of a credential, as env:NAME or file:PATH: a job reads credentials.name.field."
    }


def test_a_file_that_is_no_mapping_has_one_fault(write_project: WriteProject):
    assert [fault.message for fault in faults_of(write_project("- visits\n"))] == ["the file is a list, not a mapping"]
    assert [fault.message for fault in faults_of(write_project(""))] == ["the file is empty, not a mapping"]


VALIDATOR = Draft202012Validator(project_schema())
OF_SHAPE = (Code.UNKNOWN_KEY, Code.MISSING_KEY, Code.EMPTY_KEY, Code.WRONG_NAME)


def content(text: str) -> Any:
    return parse_document(text, what="the project", error=ProjectError).content


@pytest.mark.parametrize("name", GREEN)
def test_what_the_reader_takes_fits_the_schema(name: str):
    assert [error.message for error in VALIDATOR.iter_errors(content(GREEN[name]))] == []


@pytest.mark.parametrize("text", [text for code in OF_SHAPE for text in RED[code]])
def test_what_has_not_the_shape_does_not_fit_the_schema(text: str):
    assert not VALIDATOR.is_valid(content(text))


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [path, *(place for key, item in inside for place in places(item, (*path, key)))]


EVERYTHING = content(GREEN["every key"])
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text("ab:/.-*€ ", max_size=4)
    | st.sampled_from(["always", "visits", "env:X"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["job", "next", "webhook", "a", "A", ""]), inner, max_size=3)
    ),
    max_leaves=4,
)


def changed(content: Any, place: tuple[Any, ...], odd: Any) -> Any:
    """Put something odd into a place, if it is still there."""
    if not place:
        return odd
    key, *rest = place
    if isinstance(content, dict) and key in content:
        return {**content, key: changed(content[key], tuple(rest), odd)}
    if isinstance(content, list) and isinstance(key, int) and key < len(content):
        return [*content[:key], changed(content[key], tuple(rest), odd), *content[key + 1 :]]
    return content


@given(st.lists(st.tuples(st.sampled_from(places(EVERYTHING)), ODD), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_a_project_file_is_right_or_a_fault(
    tmp_path: Path, changes: list[tuple[tuple[Any, ...], Any]]
):
    written = EVERYTHING
    for place, odd in changes:
        written = changed(written, place, odd)
    (tmp_path / "project.yaml").write_text(json.dumps(written, indent=0), encoding="utf-8")

    found = check_project(tmp_path / "project.yaml").findings

    assert all(fault.line >= 1 and fault.message and fault.fix for fault in found)
