"""Lock: the one server that a file of SQLite may have, and who it is."""

import fcntl
import os
from pathlib import Path

from crossdock.store.errors import StoreInUseError
from crossdock.store.leases import is_gone, place


def only_server(file: Path) -> int:
    """Keep other servers from a file of SQLite, as long as this process is there.

    Args:
        file: The file of the store.

    Returns:
        The descriptor that holds the lock.

    Raises:
        StoreInUseError: There is one.
    """
    descriptor = os.open(_beside(file), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(descriptor, 20, 0).decode(errors="replace").partition("\n")[0] or "unknown"
        os.close(descriptor)
        raise StoreInUseError(f"the store {file} is already used by the server with the process id {pid}") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n{place()}\n".encode(), 0)
    return descriptor


def release(descriptor: int) -> None:
    """Let another server use the file."""
    os.ftruncate(descriptor, 0)
    os.close(descriptor)


def server_of(file: Path) -> int | None:
    """Give the process id of the server of a file of SQLite, None if there is none.

    The lock itself is not asked: whoever holds it for a moment would keep a server from starting.
    """
    try:
        pid, _, where = _beside(file).read_text(encoding="utf-8").strip().partition("\n")
    except FileNotFoundError:
        return None
    return int(pid) if pid.isdecimal() and where and not is_gone(where) else None


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.lock")
