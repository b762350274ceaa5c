"""The cases meet every rule of their jobs: with a rule changed, a run comes out otherwise."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from fix_case import JOBS, PlayCase


class Rule(NamedTuple):
    """A rule, the text of the job that it rests on, and another text that breaks it."""

    says: str
    text: str
    broken: str


RULES = {
    "01": [
        Rule("R1 forms in their order", "each(FORMS,", "each(FORMS[::-1],"),
        Rule("R1 from the cursor on, that second too", '"$gte"', '"$gt"'),
        Rule("R1 from the cursor of the form", "cursor(uid, START)", "START"),
        Rule("R1 in pages of the size that is set", "PAGE_SIZE}", "100}"),
        Rule("R2 all pages", "sorted(found", "sorted(found[:PAGE_SIZE]"),
        Rule("R2 each id once", 'in position["seen"]', 'in state.get("seen", {}).get(uid, [])'),
        Rule("R3 nothing that went out before", 'in position["seen"]', "in []"),
        Rule("R4 the submission as it is", '"body": submission', '"body": {**submission, "_tags": None}'),
        Rule("R4 with its form", '"formType": form["type"]', '"formType": form["name"]'),
        Rule("R5 the cursor moves", 'save_cursor(uid, position["at"])', "save_cursor(uid)"),
        Rule("R5 ids of the same second are kept", 'position["seen"] if at == position["at"] else []', "[]"),
        Rule("R5 other ids are not kept", 'position["seen"] if at == position["at"] else []', 'position["seen"]'),
        Rule("R6 an error stops no other form", "except AdaptorError", "except ArithmeticError"),
        Rule("R6 the system that failed is named", 'failure.details["system"]', '"kobo"'),
        Rule("R6 the run ends as partial", "each(state.form_errors", "each([]"),
        Rule("final state: nothing else", 'state.only("cursors")', "state"),
    ],
    "01-interrupted": [
        Rule("R3 sorted by time", '(submission["_submission_time"], submission["_id"])', 'submission["_id"]'),
        Rule("R3 and by id", ', submission["_id"])', ",)"),
        Rule("R6 a refusal stops its form", 'credential="inbox"', 'credential="inbox", ok={422}'),
        Rule("R6 what went out before an error counts", "    save_cursor(", "    error or save_cursor("),
    ],
    "08": [
        Rule("R1 in order", 'state.data["interventions"]', 'lambda state: state.data["interventions"][::-1]'),
        Rule("R2 a required field is missing", '    "individuals.progres_registrationgroupid",\n', ""),
        Rule("R2 a required field is empty", '    "individuals.progres_familyname",\n', ""),
        Rule("R2 a required field is None", '    "individuals.progres_dateofbirth",\n', ""),
        Rule("R2 all of them are told", "', '.join(missing)", "missing[0]"),
        Rule("R2 an unknown service has its own code", '"SERVICE_TYPE"', '"MISSING_FIELDS"'),
        Rule("R3 completed years", "age_on(now(), born)", "now().year - born.year"),
        Rule("R3 sex by the text of its code", "SEXES(referral", "dict(SEXES).get(referral"),
        Rule("R3 an unknown language is the other one", "(name, OTHER_LANGUAGE)", "(name)"),
        Rule("R3 names from lookups", 'lookup.get("Name")', 'lookup.get("Id")'),
        Rule("R3 names from plain text", "else lookup)", "else None)"),
        Rule(
            "R3 only what is not empty is joined",
            'join_nonempty(map(name_of, levels), by=" ")',
            '" ".join(map(str, map(name_of, levels)))',
        ),
        Rule("R3 addresses by one blank", 'by=" "', 'by=", "'),
        Rule("R3 notes without tags", "map(strip_tags, notes)", "notes"),
        Rule(
            "R3 notes with decoded entities",
            "map(strip_tags, notes)",
            "(note and __import__('html').escape(strip_tags(note)) for note in notes)",
        ),
        Rule(
            "R3 notes with collapsed white space",
            "map(strip_tags, notes)",
            "(note and strip_tags(note).replace(' ', '  ') for note in notes)",
        ),
        Rule("R3 UNHCR without a partner", ' or "UNHCR"', ""),
        Rule("R4 remote cases too", '"remote": True', '"remote": None'),
        Rule("R4 a case that is there is updated", "if found:", "if False:"),
        Rule("R4 the first of several", "found[0]", "found[-1]"),
        Rule("R5 the owner that the case has", 'saved["owned_by"]', "OWNER"),
        Rule("R5 the reason of a refusal", "refusal.message", "refusal.code"),
        Rule("R6 a failing system ends the run", "handle, key", 'handle, on_error="collect", key'),
        Rule("final state: nothing else", 'state.only("results")', "state"),
    ],
    "08-sparse": [
        Rule(
            "R2 fields before the service",
            "    if missing:",
            "    if missing and 'Legal Aid' not in referral.values():",
        ),
        Rule(
            "R3 years are complete on the birthday",
            "age_on(now(),",
            "age_on(now() - __import__('datetime').timedelta(1),",
        ),
        Rule("R3 an unknown sex is None", 'unknown="null"', 'unknown="keep"'),
        Rule("R3 no language is None", "None if name is None else ", ""),
        Rule("R3 description and reason", ', referral.get("progres_reasonforreferral")]', "]"),
        Rule("R3 joined by a comma", 'by=", "', 'by=" "'),
        Rule(
            "R3 tags first, entities then",
            "map(strip_tags, notes)",
            "(strip_tags(__import__('html').unescape(note or '')) for note in notes)",
        ),
    ],
}

CRASHED = re.compile('"exit code|"job_exception"')


@pytest.mark.parametrize("name", RULES)
def test_a_job_that_breaks_a_rule_fails_its_case(name: str, play_case: PlayCase, tmp_path: Path) -> None:
    source, job = JOBS[name].read_text(encoding="utf-8"), tmp_path / "broken.py"
    for rule in RULES[name]:
        assert source.count(rule.text) == 1, rule
        job.write_text(source.replace(rule.text, rule.broken), encoding="utf-8")

        wrong = next((run.seen for run in play_case(name, job) if run.seen != run.expected), None)

        assert wrong is not None, f"nothing shows {rule}"
        assert not CRASHED.search(wrong), f"{rule} breaks more than the rule:\n{wrong}"
