"""The adaptor for PostgreSQL."""

from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.database import Database
from crossdock_postgresql.errors import AmbiguousMatchError, ColumnError, DatabaseError, RecordError, TableError
from crossdock_postgresql.operations import adaptor, find_value, insert, insert_many, sql, upsert, upsert_many

__all__ = [
    "AmbiguousMatchError",
    "ColumnError",
    "Database",
    "DatabaseError",
    "PostgresqlConfiguration",
    "RecordError",
    "TableError",
    "adaptor",
    "find_value",
    "insert",
    "insert_many",
    "sql",
    "upsert",
    "upsert_many",
]
