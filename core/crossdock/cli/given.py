"""The credentials that a command is given, and where each of them is written."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click

from crossdock.errors import CredentialError, ProjectError


class Given(NamedTuple):
    """Credentials as they are written, and where."""

    entries: Mapping[str, Mapping[str, Any]]
    place: Callable[..., str]
    """Gives the file and line of a credential, or of what keys and indices lead to in it."""
    files: tuple[str, ...]


def read_given(project: str | None, file: str | None, env: str | None) -> Given:
    """Read the credentials of a project, a file or both: of one that stands in both, that of the file counts.

    Args:
        project: The project's file or folder; without it and a file, the folder that one is in.
        file: The credentials file.
        env: The environment of the project.
    """
    if file is None:
        return _of_project(project or ".", env)
    if project is None and env is not None:
        raise click.UsageError("--env needs a PROJECT: a credentials file has no environments.")
    own = _of_file(file)
    if project is None:
        return own
    other = _of_project(project, env)
    return Given(
        {**other.entries, **own.entries},
        lambda name, *path: (own if name in own.entries else other).place(name, *path),
        own.files + other.files,
    )


def _of_file(file: str) -> Given:
    from crossdock.credentials import entries_from  # imported late: --help needs none of it
    from crossdock.documents import read_document

    what = f"the credentials file {file!r}"
    document = read_document(file, what=what, error=CredentialError)
    entries = entries_from(document.content, (), what=what) if document.content != {} else {}
    return Given(entries, lambda *path: f"{file}:{document.line(*path)}", (file,))


def _of_project(path: str, env: str | None) -> Given:
    from crossdock.documents import read_document
    from crossdock.project import read_project
    from crossdock.site import short

    project = read_project(path, env)
    file = short(str(project.file))
    document = read_document(str(project.file), what=file, error=ProjectError)
    other = document.content["environments"][env].get("credentials", {}) if env is not None else {}

    def place(name: str, *path: str | int) -> str:
        base = ("environments", str(env)) if path and path[0] in other.get(name, {}) else ()
        return f"{file}:{document.line(*base, 'credentials', name, *path)}"

    return Given(project.credentials, place, (file,))
