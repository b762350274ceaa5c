"""The failed items of a case can be fed back: what failed is done, and what was done is not done again."""

import json
from typing import Any

from fix_case import JOBS, entry, read_case


def test_the_referrals_that_failed_are_handled_alone(crossdock, write_json, systems, postgres, tmp_path):
    case, (expected, *_) = read_case("08", systems, postgres)
    given = case["runs"][0]
    job = tmp_path / "referrals.py"
    source = JOBS["08"].read_text(encoding="utf-8")
    job.write_text(source.replace("handle, key=", 'handle, on_error="collect", key='), encoding="utf-8")
    credentials = {system: entry(system, fields) for system, fields in case["credentials"].items()}
    options = ["--credentials", write_json(credentials, "credentials.json"), "--now", given["clock"]]

    def run(*more: Any) -> tuple[int, list[dict[str, Any]]]:
        done = crossdock("run", job, *options, *more, "--output", "out.json")
        return done.returncode, [request for request in systems.requests if request["method"] != "GET"]

    systems.answer_with([{"when": {"system": "cases"}, "respond": {"status": 500, "json": {}}}, *given["stubs"]])
    code, told = run("--state", write_json(given["state"]))
    put_aside = json.loads((tmp_path / "out.json").read_text())["failed"]
    assert code == 6
    assert {item["loop"] for item in put_aside} == {"handle"}

    systems.answer_with(given["stubs"])
    again, made = run("--retry-failed", "out.json")

    assert (again, "failed" in json.loads((tmp_path / "out.json").read_text())) == (0, False)
    whole = [request for request in expected["requests"] if request["method"] != "GET"]
    assert len(told) + len(made) == len(whole)
    assert sorted(json.dumps(json.loads(request["body"]), sort_keys=True) for request in (*told, *made)) == sorted(
        json.dumps(request["json"], sort_keys=True) for request in whole
    )
