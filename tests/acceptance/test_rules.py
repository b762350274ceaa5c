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
        Rule("R6 the run ends as partial", "put_aside(form, failure, key=uid)", "log(uid)"),
        Rule("final state: nothing else", 'state.only("cursors")', "state"),
    ],
    "01-interrupted": [
        Rule("R3 sorted by time", '(submission["_submission_time"], submission["_id"])', 'submission["_id"]'),
        Rule("R3 and by id", ', submission["_id"])', ",)"),
        Rule("R6 a refusal stops its form", 'credential="inbox"', 'credential="inbox", ok={422}'),
        Rule("R6 what went out before an error counts", "    save_cursor(", "    error or save_cursor("),
    ],
    "02": [
        Rule("R2 what a form writes for nothing is NULL", 'clean(body, "NaN", "undefined", "null")', "dict(body)"),
        Rule("R2 NaN too", 'clean(body, "NaN", ', "clean(body, "),
        Rule("R3 the id of the sample", "{body['_id']}{body['_xform_id_string']}", "{body['_xform_id_string']}"),
        Rule("R3 the answers as they came", "if refused else body", "if refused else survey"),
        Rule("R3 nothing of them without consent", '{"uuid": body["_uuid"], "consent": "no"}', "body"),
        Rule("R4 no consent is a warning", '"CONSENT_REFUSED"', '"REFUSED"'),
        Rule("R4 and nothing else is written", 'when(state.refused, end_without_sales("CONSENT_REFUSED")),', ""),
        Rule("R5 the study of the form", '"Market": 1004', '"Market": 1006'),
        Rule(
            "R5 the site has the number of its study", '"site_id": study_id, "site_name"', '"site_id": 7, "site_name"'
        ),
        Rule("R6 no market is a warning", '"NO_MARKET"', '"MARKET"'),
        Rule("R7 a sample of this market", '"market_id": state.market_id', '"market_id": None'),
        Rule("R8 of all sales", 'as_list(vendor.get("vendor/sales"))', 'as_list(vendor.get("vendor/sales"))[:1]'),
        Rule(
            "R8 the earlier ones are replaced",
            'replace_children("tbl_wildmeat_market", wildmeat_rows, parent={"sample_id": sample_id})',
            'upsert_many("tbl_wildmeat_market", lambda state: [{**row, "sample_id": state.sample_id} for row in'
            ' wildmeat_rows(state)], key=["sample_id", "wildmeat_id"])',
        ),
        Rule("R8 numbered by vendor", "{numbers[vendor_id]}-", "{sum(numbers.values())}-"),
        Rule("R8 a vendor goes on counting", "numbers.setdefault(vendor_id, 0)", "numbers[vendor_id] = 0"),
        Rule("R8 a vendor who comes twice is a warning", '"DUPLICATE_VENDOR"', '"VENDOR"'),
        Rule("final state: the rows that were written", "State(wildmeat=0)", "State()"),
    ],
    "04": [
        Rule("R1 from the cursor to now", "{state.cursor}..{timestamp()}", "{timestamp()}..{state.cursor}"),
        Rule("R1 pages of the size that is set", "PageNumber(size=PER,", "PageNumber(size=100,"),
        Rule("R1 up to the last item", ', total="metadata.total"', ""),
        Rule("R1 all pages", "metadata.total", "metadata.page"),
        Rule("R2 the last form counts", "        cases[case_id] = case\n", "        cases.setdefault(case_id, case)\n"),
        Rule(
            "R2 its services are merged",
            "        cases[case_id] = case\n",
            "        cases[case_id] = case\n        services = {key: row for key, row in services.items() if key[0] != case_id}\n",
        ),
        Rule(
            "R2 the later service counts",
            'services[case_id, service["unique_id"]] = {**service, "case_id": case_id}',
            'services.setdefault((case_id, service["unique_id"]), {**service, "case_id": case_id})',
        ),
        Rule("R2 it is a warning", '            warn("DUPLICATE_CASE", case_id=case_id)\n', "            pass\n"),
        Rule("R3 the source of OSCaR", 'case.get("oscar_number") or "primero"', '"primero"'),
        Rule("R3 another source", ' or "primero"', ""),
        Rule("R3 concerns are mapped", "map(CONCERNS, as_list", "map(str, as_list"),
        Rule("R3 unknown ones are kept", 'unknown="keep"', 'unknown="warn"'),
        Rule("R3 unknown ones are a warning of that code", '    warning="UNMAPPED_CONCERN",\n', ""),
        Rule("R3 joined by a comma", 'by=", "', 'by=" "'),
        Rule("R3 the number of a placement is dropped", 're.sub(r"_\\d+$", "", code or "")', '(code or "")'),
        Rule("R3 its words are apart", '.replace("_", " ")', ""),
        Rule("R3 what is empty is NULL", "clean(state.pages)", "state.pages"),
        Rule("R4 provinces and districts", '["province", "district"]', '["district"]'),
        Rule("R4 of both places", 'case.get(f"location_{place}")', 'case.get("location_current")'),
        Rule("R4 an unknown location is a warning", 'warning="UNKNOWN_LOCATION"', 'unknown="null"'),
        Rule("R4 no location is none", 'f"location_{place}")', 'f"location_{place}") or "KH0201"'),
        Rule(
            "R5 what did not happen has no date", '_time"), "not implemented")', '_time"), "2024-01-03T02:00:00.000Z")'
        ),
        Rule("R6 the cursor moves", ".replace(cursor=timestamp())", ".replace(cursor=state.cursor)"),
        Rule("final state: nothing else", 'state.only("cases", "services")', "state"),
    ],
    "05": [
        Rule("R1 the case id first", "values = [dhis2.data_value(CASE_ID, case_id)]", "values = []"),
        Rule(
            "R1 nothing for what was not answered",
            'clean(report["properties"])',
            'report["properties"]',
        ),
        Rule("R1 elements in order", "in ELEMENTS:", "in ELEMENTS[::-1]:"),
        Rule("R1 a flag is true or false", 'if kind == "flag" else', 'if kind == "none" else'),
        Rule("R1 -1 is false", ', "-1": "false"', ""),
        Rule("R1 a number is sent as it came", "else answer))", "else float(answer)))"),
        Rule("R1 each choice by itself", "in chosen.split()", "in chosen[:5].split()"),
        Rule("R1 choices in order", "in CHOICES:", "in CHOICES[::-1]:"),
        Rule(
            "R1 no choice of what was not answered",
            "        if chosen is not None:",
            "        if (chosen := chosen or '') is not None:",
        ),
        Rule("R2 the day in the time zone", ".astimezone(TIMEZONE)", ""),
        Rule("R3 the search", '"orgUnit": state.data["orgUnit"], "filter"', '"filter"'),
        Rule("R3 by the case id", "{CASE_ID}:EQ:", "{CASE_ID}:LIKE:"),
        Rule("R3 only the identifier is asked for", '"fields": "event"', '"fields": "*"'),
        Rule("R3 no guess, and a hit is updated", 'dhis2.upsert("events", of_this_case,', 'dhis2.upsert("events", {},'),
        Rule(
            "R4 created or updated by DHIS2", 'dhis2.upsert("events", of_this_case,', 'dhis2.create("events", record='
        ),
        Rule(
            "R5 a refusal fails the run",
            "lambda state: event_of(state.data)),",
            "lambda state: event_of(state.data)).catch(lambda error, state: state.result({'bundleReport': {'typeReportMap': {'EVENT': {'objectReports': [{'uid': 0}]}}}})),",
        ),
        Rule("R6 the identifier", '["uid"]', '.get("id")'),
        Rule("final state: nothing else", 'state.only("cursors")', "state"),
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
