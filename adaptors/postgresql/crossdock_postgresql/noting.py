"""A cursor whose statements the trace of a run shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from crossdock import noted
from psycopg import sql as compose


class NotingCursor(psycopg.Cursor[Any]):
    """A cursor whose statements the trace of a run shows: their text with placeholders, and never a value."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """Execute a statement."""
        with noted("statement", text=lambda: self._text(query)) as note:
            super().execute(query, params, **options)
            note(rows=self.rowcount if self.rowcount >= 0 else None)
        return self

    @contextmanager
    def copy(self, statement: Any, params: Any = None, **options: Any) -> Iterator[psycopg.Copy]:
        """Copy rows from or to the server."""
        with noted("statement", text=lambda: self._text(statement)) as note:
            with super().copy(statement, params, **options) as copy:
                yield copy
            note(rows=self.rowcount if self.rowcount >= 0 else None)

    def _text(self, query: Any) -> str:
        if isinstance(query, compose.Composable):
            return query.as_string(self.connection)
        return query.decode(errors="replace") if isinstance(query, bytes) else str(query)
