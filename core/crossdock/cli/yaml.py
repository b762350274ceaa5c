"""Reading YAML 1.2 and JSON files that people write."""

from pathlib import Path
from typing import Any

from crossdock.errors import CrossdockError


def read_yaml(path: str, *, what: str, error: type[CrossdockError]) -> Any:
    """Read a YAML or JSON file; what is wrong is said with line and column, without the content.

    Args:
        path: The file.
        what: What it is, for the error.
        error: The class of the error to raise.
    """
    from ruamel.yaml import YAML  # imported late: it takes 25 ms
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))
    except OSError as failure:
        raise error(f"{what} can't be read: {failure.strerror}", fix="Name an existing file.") from None
    except UnicodeDecodeError as failure:
        raise error(f"{what} is not UTF-8: byte {failure.start}", fix="Save it as UTF-8.") from None
    except YAMLError as failure:
        mark = getattr(failure, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise error(
            f"{what} is not valid YAML{where}", fix="Correct it there; quote values that hold ':' or '#'."
        ) from None


def lines_of(path: str) -> dict[tuple[str, ...], int]:
    """Give the line of each key in a YAML or JSON file that can be read, and of each key in its mappings."""
    from ruamel.yaml import YAML  # imported late: it takes 25 ms
    from ruamel.yaml.comments import CommentedMap

    content = YAML(typ="rt", pure=True).load(Path(path).read_text(encoding="utf-8"))
    lines: dict[tuple[str, ...], int] = {}
    for key, value in content.items() if isinstance(content, CommentedMap) else ():
        lines[str(key),] = content.lc.key(key)[0] + 1
        for field in value if isinstance(value, CommentedMap) else ():
            lines[str(key), str(field)] = value.lc.key(field)[0] + 1
    return lines
