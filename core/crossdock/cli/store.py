"""``crossdock store``: what is done with a store as a whole."""

import click

from crossdock.cli.ending import say
from crossdock.cli.operating import Place, of_project, open_store


@click.group()
def store() -> None:
    """Look after the store of a project that is served."""


@store.command()
@of_project
def upgrade(place: Place) -> None:
    """Bring a store that an older crossdock made up to this version, without serving it.

    `crossdock serve` does that too. It is refused while a server uses a store of SQLite; stop all
    servers of one in PostgreSQL, and make a backup first.
    """
    with open_store(place.project(), create=False, serving=True):
        say("the store is of this version")
