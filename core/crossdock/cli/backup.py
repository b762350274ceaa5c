"""``crossdock backup``: a copy of the store while it is used."""

from pathlib import Path

import click

from crossdock.cli.operating import Place, of_project, show_json, stored


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@of_project
def backup(place: Place, file: Path) -> None:
    """Write all that was accepted until now into FILE, while the server goes on.

    FILE must not be there yet, and only its owner can read it. It is whole and checked when it has
    its name. To restore, put it in the place of the store while no server runs. A store in
    PostgreSQL is backed up by pg_dump.

    Standard output gets the file and its size in bytes, as JSON. Exit codes: 0, and 3 if no backup
    was made.
    """
    with stored(place) as store:
        show_json({"file": str(file), "bytes": store.back_up(file)})
