"""Comments that silence a finding of their line: ``# crossdock: ignore[code]``."""

import io
import re
import tokenize
from collections.abc import Iterator
from typing import NamedTuple

from crossdock.checking.finding import Code, Finding
from crossdock.errors import closest

_COMMENT = re.compile(r"#\s*crossdock:\s*ignore\b(?:\s*\[([^\]]*)\])?")


class Ignore(NamedTuple):
    """A comment that silences findings of its line."""

    line: int
    codes: tuple[str, ...]


def ignores_in(source: str) -> list[Ignore]:
    """Give the comments of a source, which is valid Python, that silence findings."""
    if "crossdock:" not in source:  # reading all tokens takes longer than parsing
        return []
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = [(token.start[0], _COMMENT.search(token.string)) for token in tokens if token.type == tokenize.COMMENT]
    return [Ignore(line, _codes(match[1] or "")) for line, match in comments if match]


def _codes(listed: str) -> tuple[str, ...]:
    return tuple(code.strip() for code in listed.split(",") if code.strip())


def faults(name: str, ignores: list[Ignore]) -> Iterator[Finding]:
    """Find comments that name no code, or one that there is not.

    Args:
        name: What findings call the file.
        ignores: Its comments.
    """
    for ignore in ignores:
        if not ignore.codes:
            message = "the comment names no code, and silences nothing"
            yield Finding(name, ignore.line, Code.UNKNOWN_CODE, message, "Name it: # crossdock: ignore[code].")
        for code in ignore.codes:
            if code not in [*Code]:
                close = closest(code, Code)
                fix = f"Did you mean {close}?" if close else "Use the code that the finding has."
                yield Finding(name, ignore.line, Code.UNKNOWN_CODE, f"there is no code {code!r:.60} to ignore", fix)


def silenced(finding: Finding, ignores: list[Ignore]) -> bool:
    """Tell whether a comment on the line of a finding names its code."""
    return any(ignore.line == finding.line and finding.code in ignore.codes for ignore in ignores)
