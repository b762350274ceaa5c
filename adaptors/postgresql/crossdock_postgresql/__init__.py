"""The adaptor for PostgreSQL."""

from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.database import Database
from crossdock_postgresql.errors import (
    AmbiguousMatchError,
    ColumnError,
    DatabaseError,
    RecordError,
    TableError,
    TooManyRowsError,
)
from crossdock_postgresql.operations import adaptor, copy_to, find_value, lookup, query, rows, script, sql, transaction
from crossdock_postgresql.record_operations import (
    copy_from,
    delete,
    insert,
    insert_many,
    replace_children,
    upsert,
    upsert_many,
)
from crossdock_postgresql.table_operations import alter_table, create_table, describe_table

__all__ = [
    "AmbiguousMatchError",
    "ColumnError",
    "Database",
    "DatabaseError",
    "PostgresqlConfiguration",
    "RecordError",
    "TableError",
    "TooManyRowsError",
    "adaptor",
    "alter_table",
    "copy_from",
    "copy_to",
    "create_table",
    "delete",
    "describe_table",
    "find_value",
    "insert",
    "insert_many",
    "lookup",
    "query",
    "replace_children",
    "rows",
    "script",
    "sql",
    "transaction",
    "upsert",
    "upsert_many",
]
