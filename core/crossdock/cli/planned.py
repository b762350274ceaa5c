"""The writes that a dry run planned, as a person reads them: those of a loop are one line."""

from collections import Counter
from collections.abc import Hashable
from typing import Any, NamedTuple

from crossdock.errors import printable
from crossdock.trace import shown_url

Entry = dict[str, Any]

_FEW = 3
"""How many different writes of one line of a job are shown each by itself."""


class Planned(NamedTuple):
    """A line for writes that are alike, and how many they are."""

    text: str
    times: int

    def __str__(self) -> str:
        return f"{self.times} × {self.text}" if self.times > 1 else self.text


def planned(plan: list[Entry]) -> list[Planned]:
    """Give lines for the writes of a plan; many of one kind from one line of the job are one."""
    kinds: dict[Hashable, list[Entry]] = {}
    for entry in plan:
        kinds.setdefault(_kind(entry), []).append(entry)
    return [line for entries in kinds.values() for line in _lines(entries)]


def _lines(entries: list[Entry]) -> list[Planned]:
    alike = Counter(map(_text, entries))
    if len(alike) <= _FEW:
        return [Planned(text, count) for text, count in alike.items()]
    return [Planned(_text(_common(entries)), len(entries))]


def _text(entry: Entry) -> str:
    """Give one line for a write: not its data, which stands in the state."""
    arguments = f"({entry['arguments']})" if "arguments" in entry else ""
    system = entry.get("system") and f"to {entry['system']}"
    parts = [entry.get("operation", "") + arguments, entry.get("method"), entry.get("url"), system, entry.get("line")]
    return printable("  ".join(str(part) for part in parts if part), 500)


def _kind(entry: Entry) -> Hashable:
    path, query = _split(entry)
    named = (str(entry.get(name)) for name in ("operation", "line", "method", "system"))
    return (*named, "arguments" in entry, path.count("/"), query)


def _split(entry: Entry) -> tuple[str, str]:
    """Give the path of a URL, and its query without the values."""
    path, mark, query = shown_url(str(entry.get("url", "")), values=False).partition("?")
    return path, mark + query


def _common(entries: list[Entry]) -> Entry:
    """Give what writes of one kind have in common, with … for the rest."""
    paths = zip(*(_split(entry)[0].split("/") for entry in entries), strict=True)
    path = "/".join(parts[0] if len(set(parts)) == 1 else "…" for parts in paths)
    url = {"url": path + _split(entries[0])[1]} if path else {}
    arguments = {"arguments": "…"} if "arguments" in entries[0] else {}
    return {**entries[0], **url, **arguments}
