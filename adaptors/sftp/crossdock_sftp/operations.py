"""The operations of the sftp adaptor."""

import os
from collections.abc import Sequence
from tempfile import NamedTemporaryFile
from typing import Any, Literal

from crossdock import Adaptor, State, run_file

from crossdock_sftp.configuration import SftpConfiguration
from crossdock_sftp.content import Form, Parse, StreamParse, parsed, records, rendered
from crossdock_sftp.errors import NoSuchFileError
from crossdock_sftp.session import PIECE, Session

adaptor = Adaptor("sftp", configuration=SftpConfiguration, connect=Session, verify=Session.verify)


@adaptor.operation(effect="read")
def list_files(state: State, folder: str = ".", *, pattern: str | None = None, credential: str | None = None) -> State:
    """List what is in a folder, sorted by name.

    Args:
        folder: A path below the root of the credential; by default the root itself.
        pattern: Which names are wanted, as in a shell: ``*.csv``.
        credential: The credential to use.

    Returns:
        The state with a list of ``name``, ``size`` (bytes), ``modified`` (UTC, as ISO 8601 text) and
        ``is_folder`` in ``data``.

    Raises:
        NoSuchFileError: There is no such folder.

    Example:
        >>> list_files("incoming", pattern="*.csv")
        sftp.list_files(<str 8>, pattern=<str 5>)
    """
    return state.result(adaptor.connection.entries(folder, pattern))


@adaptor.operation(effect="read")
def read(
    state: State, path: str, *, parse: Parse = "auto", charset: str = "utf-8", credential: str | None = None
) -> State:
    """Read a whole file.

    Args:
        path: Its path below the root of the credential.
        parse: ``json``, ``csv`` (its first line names the columns), ``jsonl`` (one JSON value a line), ``text`` or
            ``bytes``; ``auto`` goes by the ending of its name, and takes text where that says nothing.
        charset: The charset of text and CSV.
        credential: The credential to use.

    Returns:
        The state with what the file holds in ``data``.

    Raises:
        NoSuchFileError: There is no such file.
        ContentError: It is something else than it should be.

    Example:
        >>> read("incoming/visits.csv")
        sftp.read(<str 19>)
    """
    return state.result(parsed(adaptor.connection.content(path), path, parse, charset))


@adaptor.operation(effect="read")
def stream(
    state: State, path: str, *, parse: StreamParse = "auto", charset: str = "utf-8", credential: str | None = None
) -> State:
    """Read the records of a large file one by one, in the memory of one record.

    The result is lazy and can be iterated once, by ``each`` or in a function of the same job.

    Args:
        path: Its path below the root of the credential.
        parse: ``csv``, ``jsonl`` or ``lines``; ``auto`` goes by the ending of its name, and takes lines where that
            says nothing.
        charset: The charset of lines and CSV.
        credential: The credential to use.

    Returns:
        The state with an iterator in ``data``.

    Raises:
        NoSuchFileError: There is no such file.
        ContentError: While iterating: it is something else than it should be.

    Example:
        >>> stream("incoming/visits.csv")
        sftp.stream(<str 19>)
    """
    return state.result(records(adaptor.connection.pieces(path), path, parse, charset))


@adaptor.operation(effect="write")
def write(
    state: State,
    path: str,
    content: Any,
    *,
    form: Form = "auto",
    columns: Sequence[str] | None = None,
    credential: str | None = None,
) -> State:
    """Write a file, which is there as a whole or not at all.

    It is written under another name in the same folder, and renamed when all of it is there. What stood in its
    place is replaced.

    Args:
        path: Its path below the root of the credential.
        content: Text, bytes, any JSON value, or rows; rows may be a stream.
        form: What becomes of the content: ``text``, ``json``, ``csv`` or ``jsonl``; ``auto`` goes by the ending of the
            name, and writes text and bytes as they are.
        columns: The columns of CSV in their order; those of the first row by default.
        credential: The credential to use.

    Returns:
        The state with ``path`` and ``bytes`` in ``data``.

    Raises:
        NoSuchFileError: There is no such folder.
        UnknownOutcomeError: The connection broke while the file was put in its place.

    Example:
        >>> write("outgoing/visits.csv", [{"id": 7, "clinic": "Kisumu"}])
        sftp.write(<str 19>, <list 1>)
    """
    size = adaptor.connection.replace(path, rendered(content, path, form, columns))
    return state.result({"path": path, "bytes": size})


@adaptor.operation(effect="read")
def download(state: State, path: str, file: str, *, credential: str | None = None) -> State:
    """Get a file into a file of the run, which is there as a whole or not at all.

    Args:
        path: Its path below the root of the credential.
        file: The name of the file inside the run's folder (see ``run_file``).
        credential: The credential to use.

    Returns:
        The state with ``file`` and ``bytes`` in ``data``.

    Raises:
        NoSuchFileError: There is no such file on the server.

    Example:
        >>> download("incoming/scan.pdf", "scan.pdf")
        sftp.download(<str 17>, <str 8>)
    """
    session, target = adaptor.connection, run_file(file, create=True)
    with NamedTemporaryFile(dir=target.parent, prefix=".download-", delete=False) as part:
        try:
            size = sum(map(part.write, session.pieces(path)))
            part.flush()
            os.replace(part.name, target)
        except BaseException:
            os.unlink(part.name)
            raise
    return state.result({"file": file, "bytes": size})


@adaptor.operation(effect="write")
def upload(state: State, file: str, path: str, *, credential: str | None = None) -> State:
    """Send a file of the run, which is there as a whole or not at all; what stood in its place is replaced.

    Args:
        file: The name of the file inside the run's folder (see ``run_file``).
        path: Its path on the server, below the root of the credential.
        credential: The credential to use.

    Returns:
        The state with ``path`` and ``bytes`` in ``data``.

    Raises:
        NoSuchFileError: There is no such folder on the server.
        UnknownOutcomeError: The connection broke while the file was put in its place.

    Example:
        >>> upload("scan.pdf", "outgoing/scan.pdf")
        sftp.upload(<str 8>, <str 17>)
    """
    session = adaptor.connection
    with run_file(file).open("rb") as content:
        size = session.replace(path, iter(lambda: content.read(PIECE), b""))
    return state.result({"path": path, "bytes": size})


@adaptor.operation(effect="write")
def move(state: State, path: str, to: str, *, overwrite: bool = False, credential: str | None = None) -> State:
    """Give a file or folder another path, in one step.

    Args:
        path: Its path below the root of the credential.
        to: Its new path; the folder must be there.
        overwrite: Whether a file that stands there is replaced; else it is an error.
        credential: The credential to use.

    Returns:
        The state with ``path``, the new one, in ``data``.

    Raises:
        NoSuchFileError: There is no such file or folder.
        SftpError: Something stands there already.
        UnknownOutcomeError: The connection broke before the answer came.

    Example:
        >>> move("incoming/visits.csv", "done/visits.csv")
        sftp.move(<str 19>, <str 15>)
    """
    adaptor.connection.move(path, to, overwrite=overwrite)
    return state.result({"path": to})


@adaptor.operation(effect="write")
def delete(
    state: State, path: str, *, missing: Literal["error", "ignore"] = "error", credential: str | None = None
) -> State:
    """Delete a file.

    Args:
        path: Its path below the root of the credential.
        missing: Whether it is an error that there is no such file.
        credential: The credential to use.

    Returns:
        The state with ``deleted`` in ``data``: whether there was one.

    Raises:
        NoSuchFileError: There is no such file.
        UnknownOutcomeError: The connection broke before the answer came.

    Example:
        >>> delete("incoming/visits.csv")
        sftp.delete(<str 19>)
    """
    deleted = adaptor.connection.remove(path)
    if not deleted and missing == "error":
        raise NoSuchFileError(f"there is no file {path!r} to delete", fix="Check the path, or say missing='ignore'.")
    return state.result({"deleted": deleted})
