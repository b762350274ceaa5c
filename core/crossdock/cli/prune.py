"""``crossdock prune``: erases what has stayed as long as the project says."""

import click

from crossdock.cli.operating import Place, of_project, plain, show_json, stored


@click.command()
@of_project
def prune(place: Place) -> None:
    """Erase what has stayed as long as the project says under retention.

    Standard output gets how many payloads were erased and how many messages were forgotten, as JSON.
    """
    with stored(place) as store:
        show_json(plain(store.prune()))
