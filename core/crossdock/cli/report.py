"""The page that ``crossdock run --report`` writes: one file that shows what a run did.

It loads nothing and runs nothing. Every text in it is masked before it comes here, and escaped here.
"""

import json
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from platform import python_version
from typing import Any

from crossdock.changes import kind_of
from crossdock.cli.drawing.picture import Picture
from crossdock.cli.drawing.svg import style_sheet
from crossdock.cli.markup import Markup, element, joined
from crossdock.cli.planned import planned
from crossdock.cli.steps import Group, grouped, steps_table
from crossdock.cli.summary import error_of, place_of, source_of
from crossdock.cli.timeline import timeline
from crossdock.cli.tree import change_text, measures, note_sum, time_text, timing
from crossdock.errors import cut
from crossdock.plan import NO_ANSWER
from crossdock.redaction import Redactor
from crossdock.trace import shown_url

Described = dict[str, Any]

_MOST_ROWS = 200
_FIRST = 5
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_TITLES = {"request": "Requests", "statement": "Statements"}


def page(report: Described, about: Described, redactor: Redactor, picture: Picture | None = None) -> str:
    """Make the page of a run.

    Args:
        report: What the run reported, with what was traced under ``traced``.
        about: What the command knows of it: ``job``, ``step``, ``input``, ``started``, ``seconds``,
            ``dry_run`` and ``values``.
        redactor: Masks the secrets in both.
        picture: The drawing of a workflow; None for a job that runs alone.
    """
    steps = [] if picture is None else report.get("steps", [])
    kind = "job" if picture is None else "project"
    told = {**_taken(report, values=about["values"]), **about, "steps": steps, "kind": kind}
    shown: Described = redactor.in_value(told)[0]
    groups = grouped(shown["traced"]["spans"], shown["steps"])
    attention = [_failed(shown), _warnings(shown), _plan(shown)]
    body = [
        _header(shown),
        _error(shown),
        _steps(shown, picture, redactor),
        _timeline(shown["traced"], groups),
        *attention,
        _operations(shown, groups),
        _state(shown),
        _footer(shown),
    ]
    head = [
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Markup('<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'),
        element("title", f"{shown['step']}: {shown['outcome']}"),
        element("style", Markup(_style() if picture is None else style_sheet() + _style())),
    ]
    html = element("html", element("head", *head), element("body", element("main", *body)), lang="en")
    return f"<!doctype html>\n{html}\n"


def _style() -> str:
    return files("crossdock.cli").joinpath("report.css").read_text(encoding="utf-8")


def _taken(report: Described, *, values: bool) -> Described:
    """Take what the page shows of a report; of the state only what the run wrote down, and types and sizes."""
    state = report.get("state") or {}
    own = ("errors", "failed", "warnings", "plan", "cursors")
    failed = [_without_item(entry, values=values) for entry in state.get("failed", ())]
    plan = [
        {**entry, "url": shown_url(entry["url"], values=values)} if "url" in entry else entry
        for entry in state.get("plan", ())
    ]
    return {
        "outcome": report["outcome"],
        "stopped": report.get("stopped"),
        "error": error_of(report),
        "adaptors": report.get("adaptors", {}),
        "traced": report["traced"],
        "failed": failed[:_MOST_ROWS],
        "failed_count": len(failed),
        "warnings": state.get("warnings", []),
        "plan": planned(plan),
        "planned": len(plan),
        "cursors": state.get("cursors") or {},
        "state": {key: kind_of(value) for key, value in state.items() if key not in own},
    }


def _without_item(entry: Described, *, values: bool) -> Described:
    item = {"item": json.dumps(entry.get("item"), ensure_ascii=False)} if values else {}
    return {"index": entry.get("index"), "key": entry.get("key"), "error": entry.get("error") or {}, **item}


# The head


def _header(shown: Described) -> Markup:
    marks = [element("span", shown["outcome"], class_=f"badge {shown['outcome']}")]
    marks += [element("span", "dry run", class_="badge dry")] if shown["dry_run"] else []
    facts = [
        (shown["kind"], shown["job"]),
        ("input", shown["input"]),
        ("started", shown["started"]),
        ("took", f"{shown['seconds']:.2f} s"),
        *([("stopped", shown["stopped"])] if shown["stopped"] else []),
        ("versions", ", ".join(f"{name} {number}" for name, number in _versions(shown).items())),
    ]
    return element(
        "header",
        element("h1", shown["step"], " ", *marks),
        element(
            "dl", *(element("div", element("dt", name), element("dd", text)) for name, text in facts), class_="facts"
        ),
        element("ul", *_counts(shown), class_="counts"),
    )


def _versions(shown: Described) -> dict[str, str]:
    return {"crossdock": version("crossdock"), **shown["adaptors"], "Python": python_version()}


def _counts(shown: Described) -> Iterator[Markup]:
    spans = shown["traced"]["spans"]
    sums: dict[str, list[float]] = {}
    for notes in (shown["traced"]["notes"], *(span["notes"] for span in _all(spans))):
        for kind, noted in notes.items():
            known = sums.get(kind, [0, 0.0])
            sums[kind] = [known[0] + noted["count"], known[1] + noted["seconds"]]
    yield _count(len(spans), "operation", "operations")
    for kind, (count, seconds) in sums.items():
        yield _count(int(count), kind, "operations", f" in {time_text(seconds)}")
    for name, count, section in (
        ("failed item", shown["failed_count"], "failed"),
        ("warning", len(shown["warnings"]), "warnings"),
        ("planned write", shown["planned"], "plan"),
    ):
        if count:
            yield _count(count, name, section)


def _count(count: int, name: str, section: str, more: str = "") -> Markup:
    named = f" {name}{'s' * (count != 1)}"
    return element("li", element("a", element("b", f"{count:,}"), named, element("small", more), href=f"#{section}"))


def _all(spans: list[Described]) -> Iterator[Described]:
    for span in spans:
        yield span
        yield from _all(span["spans"])


def _error(shown: Described) -> Markup:
    error = shown["error"]
    if error is None:
        return Markup()
    source = source_of(error.get("line", ""))
    return _section(
        "Error",
        element("p", element("b", error["type"]), " ", element("code", error["code"]), place_of(error)),
        element("p", error["message"], class_="message"),
        element("pre", source) if source else Markup(),
        element("p", element("b", "Fix: "), error["fix"], class_="fix"),
        id_="error",
        class_="error",
    )


def _section(title: str, *content: Markup, id_: str, class_: str = "card") -> Markup:
    return element("section", element("h2", title), *content, class_=class_, id_=id_)


def _often(times: int) -> list[Markup]:
    return [element("small", f" {times:,} ×")] if times > 1 else []


def _folded(rows: list[Markup], class_: str, *, left: int = 0) -> Markup:
    """Make a list that shows the first rows, and the others when they are asked for.

    Args:
        rows: Its items.
        class_: Its class.
        left: How many more there were than the report holds.
    """
    first, others = rows[:_FIRST], rows[_FIRST:]
    more = [element("p", f"… {left:,} more", class_="more")] if left else []
    shown = element("ul", *first, class_=class_)
    if not others:
        return joined(shown, *more)
    return joined(
        shown,
        element("details", element("summary", f"{len(others):,} more"), element("ul", *others, class_=class_), *more),
    )


def _steps(shown: Described, picture: Picture | None, redactor: Redactor) -> Markup:
    if picture is None:
        return Markup()
    return _section("Steps", *steps_table(picture.masked(redactor), shown["steps"]), id_="steps")


def _timeline(traced: Described, groups: list[Group]) -> Markup:
    return _section("Timeline", *timeline(traced, groups), id_="timeline") if traced["spans"] else Markup()


# The operations


def _operations(shown: Described, groups: list[Group]) -> Markup:
    traced = shown["traced"]
    parts = [part for group in groups for part in _of_step(group)]
    if running := traced.get("running"):
        title = [
            element("span", str(len(traced["spans"]) + 1), class_="no"),
            running["name"],
            element("span", "was running", class_="time bad"),
        ]
        parts.append(element("article", element("h3", *title), element("p", running["line"], class_="place")))
    if traced["notes"]:
        parts.append(element("article", element("h3", "End of the step"), *_notes(traced["notes"])))
    return _section("Operations", *parts, id_="operations", class_="operations") if parts else Markup()


def _of_step(group: Group) -> Iterator[Markup]:
    if group.step is not None:
        yield element("h3", group.step, class_="step")
    for number, span in group.spans:
        yield _operation(span, number)


def _operation(span: Described, number: int) -> Markup:
    title = [element("span", str(number), class_="no"), span["name"], _time(span)]
    place = element("p", span["line"], " ", element("code", span["text"]), class_="place")
    return element("article", element("h3", *title), place, *_inside(span), id=f"operation-{number}")


def _time(span: Described) -> Markup:
    return element("span", timing(span), class_="time bad" if span["failed"] else "time")


def _inside(span: Described) -> Iterator[Markup]:
    """Give what a span changed, what connections did in it, and the spans inside it."""
    if span["changes"]:
        first = [element("small", f"the first of {span['count']:,}")] if span["count"] > 1 else []
        yield element("h4", "Changes ", *first)
        yield element("ul", *map(_change, span["changes"]), class_="changes")
    yield from _notes(span["notes"])
    if span["spans"]:
        yield element("ul", *map(_inner, span["spans"]), class_="inner")


def _inner(span: Described) -> Markup:
    head = [element("b", span["name"]), _time(span), element("span", span["line"], class_="place")]
    inside = [*_inside(span)]
    if not inside:
        return element("li", element("p", *head, class_="leaf"))
    return element("li", Markup("<details open>"), element("summary", *head), *inside, Markup("</details>"))


_SIGNS = {"+": "added", "-": "removed", "~": "changed"}


def _change(change: Described) -> Markup:
    if not change["path"]:
        return element("li", "… more", class_="more")
    sign = element("span", change["how"], class_=f"sign {_SIGNS[change['how']]}", title=_SIGNS[change["how"]])
    return element(
        "li", sign, element("code", change["path"]), " ", element("span", change_text(change)), *_often(change["times"])
    )


def _notes(notes: Described) -> Iterator[Markup]:
    for kind, noted in notes.items():
        count = element("small", f"{noted['count']:,} in {note_sum(noted)}" if noted["count"] > 1 else "")
        yield element("h4", _TITLES.get(kind, kind), " ", count)
        rows = [_note(kind, note) for note in noted["kept"]]
        yield _folded(rows, "notes", left=noted["count"] - len(rows))


def _note(kind: str, note: Described) -> Markup:
    status = note.get("status")
    method = [element("b", note["method"])] if "method" in note else []
    text = (
        note.get("url")
        or note.get("text")
        or ", ".join(f"{k}={v}" for k, v in note.items() if k not in ("at", "seconds", "failed"))
    )
    code = (
        [element("span", str(status), class_="status bad" if note["failed"] else "status")]
        if status is not None
        else []
    )
    facts = [element("span", fact, class_="bad" if fact == note.get("error") else "") for fact in measures(note)]
    return element("li", *method, element("code", text), element("span", *code, *facts, class_="measures"), class_=kind)


# What the run wrote down


def _failed(shown: Described) -> Markup:
    if not shown["failed_count"]:
        return Markup()
    rows = [*map(_failed_item, shown["failed"])]
    return _section("Failed items", _folded(rows, "entries", left=shown["failed_count"] - len(rows)), id_="failed")


def _failed_item(entry: Described) -> Markup:
    error, key = entry["error"], entry["key"]
    name = f"item {entry['index']}" if key is None else f"{key} (item {entry['index']})"
    item = [element("pre", cut(entry["item"], 1000))] if "item" in entry else []
    place = element("span", place_of(error), class_="place")
    head = element("p", element("b", name), " ", element("code", str(error.get("code", ""))), place)
    return element(
        "li",
        head,
        element("p", str(error.get("message", ""))),
        *item,
        element("p", f"Fix: {error.get('fix', '')}", class_="fix"),
    )


def _warnings(shown: Described) -> Markup:
    by_code: dict[str, list[Described]] = {}
    for warning in shown["warnings"]:
        by_code.setdefault(str(warning.get("code")), []).append(warning)
    if not by_code:
        return Markup()
    rows = [_warning(code, warnings) for code, warnings in by_code.items()]
    return _section("Warnings", _folded(rows, "entries"), id_="warnings")


def _warning(code: str, warnings: list[Described]) -> Markup:
    details = ", ".join(f"{key}={cut(str(value), 200)}" for key, value in warnings[0].items() if key != "code")
    return element("li", element("p", element("code", code), *_often(len(warnings))), element("p", details))


def _plan(shown: Described) -> Markup:
    if not shown["dry_run"]:
        return Markup()
    rows = [element("li", element("code", text), *_often(number)) for text, number in shown["plan"][:_MOST_ROWS]]
    note = [element("p", NO_ANSWER, class_="place")] if shown["error"] and rows else []
    listed = _folded(rows, "entries", left=len(shown["plan"]) - len(rows)) if rows else element("p", "none")
    return _section("Writes that were not made", listed, *note, id_="plan")


def _state(shown: Described) -> Markup:
    rows = [element("li", element("code", key), " ", element("span", kind)) for key, kind in shown["state"].items()]
    rows += [
        element("li", element("code", f"cursors.{name}"), " ", element("span", cut(str(value), 100)))
        for name, value in shown["cursors"].items()
    ]
    return _section("Final state", element("ul", *rows, class_="changes"), id_="state") if rows else Markup()


def _footer(shown: Described) -> Markup:
    values = "with values, cut" if shown["values"] else "types and sizes, no values"
    return element("footer", element("p", f"Written by crossdock run --report. Secrets are masked; {values}."))
