"""Files of a run that come from a system."""

import os
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from crossdock import Answer

from crossdock_http.errors import ResponseTooLargeError
from crossdock_http.reply import Reply, Take


def written_whole(file: Path, receive: Callable[[Take], Reply], limit: int) -> Answer:
    """Write a reply into a file, which is there as a whole or not at all.

    Args:
        file: The file; what stood there is replaced when all of it has come.
        receive: Gives the reply, and its body to what it is called with, anew with each try.
        limit: The most bytes that the file may have.

    Returns:
        ``bytes``, ``sha256`` and ``type`` of the file.
    """
    with NamedTemporaryFile(dir=file.parent, prefix=".download-", delete=False) as part:
        try:
            written: dict[str, Any] = {}
            reply = receive(partial(_take, part, limit, written))
            part.flush()
            os.fsync(part.fileno())
            os.replace(part.name, file)
        except BaseException:
            os.unlink(part.name)
            raise
    return Answer({**written, "type": reply.type or None}, response=reply.metadata, status=reply.status)


def _take(part: Any, limit: int, written: dict[str, Any], reply: Reply) -> None:
    """Write a body to an open file, in the place of what broke off before."""
    part.seek(0)
    part.truncate()
    written.update(_written(reply, part, limit))


def _written(reply: Reply, part: Any, limit: int) -> dict[str, Any]:
    """Write a body to an open file."""
    digest, size = sha256(), 0
    for chunk in reply.live if reply.live is not None else (reply.content,):
        size += len(chunk)
        if size > limit:
            raise ResponseTooLargeError(
                f"{reply.method} {reply.url} answered more than {limit} bytes",
                fix="Raise max_download_bytes in the credential.",
            )
        digest.update(chunk)
        part.write(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}
