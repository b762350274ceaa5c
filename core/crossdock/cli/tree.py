"""The tree that ``crossdock run --trace`` shows: operations, what they changed, requests, statements."""

import sys
from collections.abc import Iterator
from typing import Any

from crossdock.errors import cut, printable

Described = dict[str, Any]
"""A span, a change or the notes of one kind, as the trace of a run describes them."""

Node = tuple[str, list[str]]
"""A line of the tree, and the lines below it."""

_MOST_SHOWN = 5
_MOST_FAILED = 3
_MOST_TEXT = 160
_ASCII = str.maketrans({"├": "|", "│": "|", "└": "`", "─": "-", "→": ">", "×": "x", "…": "~"})


def tree_lines(traced: Described) -> list[str]:
    """Give the lines of a traced run.

    Args:
        traced: Its ``spans``, the ``notes`` on what came after the last one, and the operation
            that was ``running`` if the run's process ended in it.
    """
    nodes = [_node(span) for span in traced["spans"]]
    if running := traced.get("running"):
        nodes.append((f"{running['name']}  was running  {running['line']}", []))
    if traced["notes"]:
        nodes.append(("end of the step", [*_note_lines(traced["notes"])]))
    return [printable(line) for line in _shown(_drawn(nodes))]


def _shown(lines: list[str]) -> list[str]:
    """Use signs that standard error can show."""
    try:
        "├│└─→×…".encode(getattr(sys.stderr, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return [line.translate(_ASCII) for line in lines]
    return lines


def _node(span: Described) -> Node:
    inside = [*_change_lines(span), *_note_lines(span["notes"])]
    return f"{span['name']}  {timing(span)}  {span['line']}", inside + _drawn([_node(inner) for inner in span["spans"]])


def _drawn(nodes: list[Node]) -> list[str]:
    lines = []
    for number, (head, inside) in enumerate(nodes, 1):
        first, rest = ("└─ ", "   ") if number == len(nodes) else ("├─ ", "│  ")
        lines += [first + head, *(rest + line for line in inside)]
    return lines


def timing(summed: Described) -> str:
    """Say how often something was done, how long that took, and how often it failed.

    >>> timing({"count": 3, "seconds": 1.5, "slowest": 1, "failed": 1, "error": "JobError"})
    '3 × in 1.50 s, slowest 1.00 s, 1 failed (JobError)'
    """
    error = f" ({summed['error']})" if summed.get("error") else ""
    if summed["count"] == 1:
        return f"{'failed after ' if summed['failed'] else ''}{time_text(summed['seconds'])}{error}"
    failed = f", {summed['failed']:,} failed{error}" if summed["failed"] else ""
    return f"{summed['count']:,} × in {time_text(summed['seconds'])}, slowest {time_text(summed['slowest'])}{failed}"


def time_text(seconds: float) -> str:
    """Give a duration as people write it.

    >>> time_text(0.0004), time_text(0.0421), time_text(61.5)
    ('0.4 ms', '42 ms', '61.50 s')
    """
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"


def _change_lines(span: Described) -> Iterator[str]:
    for change in span["changes"]:
        often = f"  ({change['times']:,} ×)" if change["times"] > 1 else ""
        first = f"  (first of {span['count']:,})" if span["count"] > 1 else ""
        yield f"{change['how']} {change['path']}  {change_text(change)}{often}{first}" if change["path"] else "… more"


def change_text(change: Described) -> str:
    """Say what became of a place in the state: type and size, and the value where it is there."""
    before, after = _kind_and_value(change, "before", "was"), _kind_and_value(change, "after", "is")
    texts: dict[str, str] = {"+": after, "-": before}
    return texts.get(change["how"], f"{before} → {after}")


def _kind_and_value(change: Described, kind: str, value: str) -> str:
    if value not in change:
        return str(change[kind])
    # Of a number or a yes the type says nothing more.
    return f"{change[kind]} {change[value]}" if " " in change[kind] else str(change[value])


def _note_lines(notes: Described) -> Iterator[str]:
    for kind, noted in notes.items():
        first = noted["kept"][:_MOST_SHOWN]
        failed = [note for note in noted["kept"][_MOST_SHOWN:] if note["failed"]][:_MOST_FAILED]
        for note in first + failed:
            yield f"→ {note_text(kind, note)}"
        if noted["count"] > len(first + failed):
            yield f"  … {noted['count']:,} {kind}s in all: {note_sum(noted)}"


def note_text(kind: str, note: Described) -> str:
    """Say what a connection did, in one line."""
    what = {"request": ("method", "url", "status"), "statement": ("text",)}.get(kind)
    known = {key: value for key, value in note.items() if value is not None and key not in ("at", "failed")}
    if what is None:
        what = tuple(key for key in known if key not in ("seconds", "bytes", "rows", "error"))
        return "  ".join([kind, *(f"{key}={known[key]}" for key in what), *measures(known)])
    return "  ".join([cut(str(known[key]), _MOST_TEXT) for key in what if key in known] + measures(known))


def measures(note: Described) -> list[str]:
    """Give how long something took, how much it moved, and how it failed."""
    rows = [f"{note['rows']:,} row{'s' * (note['rows'] != 1)}"] if note.get("rows") is not None else []
    size = [size_text(note["bytes"])] if note.get("bytes") is not None else []
    return [*rows, time_text(note["seconds"]), *size, *(note[key] for key in ("error", "said") if note.get(key))]


def note_sum(noted: Described) -> str:
    """Sum up what connections did."""
    failed = f", {noted['failed']:,} failed" if noted["failed"] else ""
    return f"{time_text(noted['seconds'])}, slowest {time_text(noted['slowest'])}{failed}"


def size_text(size: int) -> str:
    """Give a number of bytes as people write it.

    >>> size_text(512), size_text(2048), size_text(3_500_000)
    ('512 B', '2.0 KB', '3.3 MB')
    """
    if size < 1024:
        return f"{size} B"
    return f"{size / 1024:.1f} KB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MB"
