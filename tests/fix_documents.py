"""What stands in the documents: blocks of code."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", ".demo", "node_modules", "scaffold", "cookiecutter-adaptor", "tutorial", "_build"}
    & set(path.relative_to(ROOT).parts)
)


class Block(NamedTuple):
    """A fenced block of code in a document."""

    document: str
    line: int
    language: str
    text: str
    after: str
    """The paragraph below it."""

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(*languages: str, documents: list[Path] = DOCUMENTS) -> list[Block]:
    """Give the blocks of some languages, or all."""
    found = []
    for document in documents:
        text = document.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, match.start()) + 1
            after = text[match.end() :].strip().partition("\n\n")[0]
            found.append(Block(str(document.relative_to(ROOT)), line, match[1], match[2], after))
    return [block for block in found if not languages or block.language in languages]


class Row(NamedTuple):
    """A row of a table in a document: its cells by the heads of their columns."""

    document: str
    line: int
    cells: dict[str, str]

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def rows(document: Path) -> list[Row]:
    """Give the rows of all tables of a document."""
    found, heads = [], None
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("|"):
            heads = None
        elif heads is None:
            heads = _cells(line)
        elif not set(line) <= set("|- "):
            cells = dict(zip(heads, _cells(line), strict=True))
            found.append(Row(str(document.relative_to(ROOT)), number, cells))
    return found


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def code_in(text: str) -> list[str]:
    """Give what stands in a text as code."""
    return re.findall("`([^`]+)`", text)
