"""What a dry run lists instead of writing it."""

from collections.abc import Mapping
from typing import Any

from crossdock.scope import open_run

from crossdock_postgresql.database import Database
from crossdock_postgresql.statements import Parameters, shown, shown_values


def is_planned(database: Database, statement: str, parameters: Parameters) -> bool:
    """List a statement in the plan of a dry run; tell whether this is one."""
    if database.dry_run:
        plan({"statement": shown(statement), "parameters": shown_values(parameters)})
    return database.dry_run


def plan(entry: Mapping[str, Any]) -> None:
    """List a write in the plan of the run."""
    run = open_run()
    if run is not None:
        run.plan_write(entry)
