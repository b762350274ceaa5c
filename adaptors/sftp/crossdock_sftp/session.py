"""Session: one connection to a server, and files that come and go as a whole."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from posixpath import basename, dirname, join
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, Self

from crossdock_sftp.configuration import SftpConfiguration
from crossdock_sftp.connecting import connected
from crossdock_sftp.errors import NoSuchFileError, SftpError, SftpPathError, mapped

if TYPE_CHECKING:
    from paramiko import SFTPAttributes, SFTPClient, SFTPFile

PIECE = 32 * 1024
"""The bytes of one request; a server need not take more."""


class Session:
    """One connection to a server; threads use it one after another.

    Args:
        configuration: Where the server is, and who logs in.
    """

    _client: "SFTPClient"

    def __init__(self, configuration: SftpConfiguration) -> None:
        self._configuration = configuration
        self._turn = threading.RLock()

    def __enter__(self) -> Self:
        known = self._configuration
        self._login = connected(known)
        try:
            with mapped(f"open SFTP at {known.place}"):
                self._client = self._login.open_sftp()
                self._channel.settimeout(known.timeout)
        except BaseException:
            self._login.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._login.close()

    def verify(self) -> str:
        """Look at the root, and say where one is and as whom."""
        known = self._configuration
        with self._doing(f"look at the root {known.root!r}"):
            self._client.listdir(known.root)
        return f"sftp {known.place} as {known.username}, root {known.root}"

    def entries(self, folder: str, pattern: str | None) -> list[dict[str, Any]]:
        """List a folder, sorted by name."""
        with self._doing(f"list {folder!r}"):
            found = self._client.listdir_attr(self._below_root(folder))
        described = (_described(entry) for entry in sorted(found, key=lambda entry: entry.filename))
        return [entry for entry in described if pattern is None or fnmatchcase(entry["name"], pattern)]

    def content(self, path: str) -> bytes:
        """Read a whole file."""
        return b"".join(self.pieces(path))

    def pieces(self, path: str) -> Iterator[bytes]:
        """Open a file, and give it piece by piece; other threads may have their turn between two of them."""
        with self._doing(f"open {path!r}"):
            file = self._client.open(self._below_root(path), "rb")
        return self._pieces(file, path)

    def replace(self, path: str, pieces: Iterable[bytes]) -> int:
        """Write a file under another name beside its place and put it there when it is whole.

        Returns:
            How many bytes it has.
        """
        place = self._below_root(path)
        part = join(dirname(place), f".{basename(place)}.{os.urandom(8).hex()}.part")
        with self._turn:
            try:
                size = self._written(part, pieces, path)
                with self._doing(f"put {path!r} in its place", changing=True):
                    self._client.posix_rename(part, place)
            except BaseException:
                self._remove_part(part)
                raise
        return size

    def move(self, path: str, to: str, *, overwrite: bool) -> None:
        """Give a file another path, in one step."""
        old, new = self._below_root(path), self._below_root(to)
        with self._doing(f"move {path!r} to {to!r}", changing=True):
            rename: Callable[[str, str], None] = self._client.posix_rename if overwrite else self._client.rename
            rename(old, new)

    def remove(self, path: str) -> bool:
        """Remove a file, and tell whether there was one."""
        place = self._below_root(path)
        try:
            with self._doing(f"delete {path!r}", changing=True):
                self._client.remove(place)
        except NoSuchFileError:
            return False
        return True

    def _written(self, part: str, pieces: Iterable[bytes], path: str) -> int:
        size = 0
        with self._doing(f"write {path!r}"):
            file = self._client.open(part, "wbx")
        try:
            for piece in _gathered(pieces):  # outside of what is mapped: they may come from a file of the run
                with self._doing(f"write {path!r}"):
                    file.write(piece)
                size += len(piece)
        finally:
            self._close(file)
        with self._doing(f"look at what was written of {path!r}"):
            kept = self._client.stat(part).st_size
        if kept != size:
            raise SftpError(
                f"the server kept {kept} of {size} bytes of {path!r}", fix="Check whether it has room left."
            )
        return size

    def _close(self, file: "SFTPFile") -> None:
        """Close a file; a connection that broke has closed it."""
        from paramiko import SSHException

        with self._turn, suppress(OSError, EOFError, SSHException):
            file.close()

    def _remove_part(self, part: str) -> None:
        """Remove what was begun; it is gone if it was renamed, and stays if the connection broke."""
        from paramiko import SSHException

        with suppress(OSError, EOFError, SSHException):
            self._client.remove(part)

    def _pieces(self, file: "SFTPFile", path: str) -> Iterator[bytes]:
        try:
            while piece := self._piece(file, path):
                yield piece
        finally:
            self._close(file)

    def _piece(self, file: "SFTPFile", path: str) -> bytes:
        with self._doing(f"read {path!r}"):
            return file.read(PIECE)

    @contextmanager
    def _doing(self, what: str, *, changing: bool = False) -> Iterator[None]:
        """Wait for one's turn, and map what paramiko raises."""
        with self._turn, mapped(what, changing=changing):
            try:
                yield
            except TimeoutError:
                self._login.close()  # a late answer must not be taken for that to the next request
                raise

    @property
    def _channel(self) -> Any:
        return self._client.get_channel()

    def _below_root(self, path: str) -> str:
        """Give the path on the server of one below the root."""
        parts = path.split("/")
        if not path.strip() or path.startswith("/") or ".." in parts or "\0" in path:
            raise SftpPathError(f"the path {path!r:.200} is not one below the root")
        return join(self._configuration.root, path)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Gather small pieces, such as the lines of a table: each that is sent waits for its answer."""
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _described(entry: "SFTPAttributes") -> dict[str, Any]:
    time = entry.st_mtime
    return {
        "name": entry.filename,
        "size": entry.st_size,
        "modified": None if time is None else datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z"),
        "is_folder": entry.st_mode is not None and S_ISDIR(entry.st_mode),
    }
