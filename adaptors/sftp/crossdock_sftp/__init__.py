"""The adaptor for SFTP."""

from crossdock_sftp.configuration import SftpConfiguration
from crossdock_sftp.errors import (
    ContentError,
    HostKeyError,
    NoSuchFileError,
    SftpConnectionError,
    SftpError,
    SftpLoginError,
    SftpPathError,
)
from crossdock_sftp.operations import (
    adaptor,
    delete,
    download,
    list_files,
    move,
    read,
    stream,
    upload,
    write,
)
from crossdock_sftp.session import Session

__all__ = [
    "ContentError",
    "HostKeyError",
    "NoSuchFileError",
    "Session",
    "SftpConfiguration",
    "SftpConnectionError",
    "SftpError",
    "SftpLoginError",
    "SftpPathError",
    "adaptor",
    "delete",
    "download",
    "list_files",
    "move",
    "read",
    "stream",
    "upload",
    "write",
]
