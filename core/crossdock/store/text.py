"""Text: whether the bytes of a column hold a text."""

import json
from typing import Any

from sqlalchemy import Boolean, ColumnElement, LargeBinary, bindparam, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _Holds(FunctionElement[bool]):
    """Whether bytes hold other bytes."""

    type = Boolean()
    inherit_cache = True


@compiles(_Holds, "sqlite")
def _in_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    column, sought = element.clauses
    return f"(instr({compiler.process(column, **options)}, {compiler.process(sought, **options)}) > 0)"


@compiles(_Holds, "postgresql")
def _in_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    column, sought = element.clauses
    return f"(position({compiler.process(sought, **options)} in {compiler.process(column, **options)}) > 0)"


def holds(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    r"""Tell whether a column holds a text, as it is or as JSON may write it.

    Args:
        column: Bytes.
        text: What is sought, letter by letter: ``é`` is found as ``é`` and as ``\u00e9``.
    """
    forms = {
        text.encode("utf-8", "surrogatepass"),
        *(json.dumps(text, ensure_ascii=a)[1:-1].encode("utf-8", "surrogatepass") for a in (True, False)),
    }
    sought = [bindparam(None, form, type_=LargeBinary, unique=True) for form in sorted(forms)]
    return or_(*(_Holds(column, one) for one in sought))
