"""The errors of the sftp adaptor, and the one place where those of paramiko become ours.

AdaptorError
├── SftpError                  the server refused something
├── NoSuchFileError            there is no such file or folder
├── SftpConnectionError        there is no connection, or it broke
├── SftpLoginError             the server does not let one in
├── HostKeyError               the server is not known, or has another key than is known
├── SftpPathError              a path that leads out of the root, or to nothing
└── ContentError               what is read or written is not what it should be
"""

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, ENOENT

from crossdock import AdaptorError, UnknownOutcomeError


class SftpError(AdaptorError):
    """The server refused something."""

    code = "sftp_error"
    fix = "Check whether the path is there already, is a folder, or has no room left."


class NoSuchFileError(AdaptorError):
    """There is no such file or folder on the server."""

    code = "sftp_no_such_file"
    fix = "Check the path and the root of the credential; a folder must be there before a file is written to it."


class SftpConnectionError(AdaptorError):
    """There is no connection to the server, or it broke."""

    code = "sftp_connection_error"
    fix = "Check host and port of the credential, and whether the server runs."
    transient = True


class SftpLoginError(AdaptorError):
    """The server does not let one in."""

    code = "sftp_login_error"
    fix = "Check username and password or private_key of the credential."


class HostKeyError(AdaptorError):
    """The server is not known, or has another key than is known."""

    code = "sftp_host_key_error"
    fix = "Ask who runs the server for its host key, and put that into the credential as host_key."


class SftpPathError(AdaptorError):
    """A path leads out of the root, or to nothing."""

    code = "sftp_bad_path"
    fix = "Write it below the root of the credential, without '..' and without a first '/'."


class ContentError(AdaptorError):
    """What is read or written is not what it should be."""

    code = "sftp_bad_content"
    fix = "Check what the file holds; or take it as it is: parse='text', parse='bytes'."


@contextmanager
def mapped(doing: str, *, changing: bool = False) -> Iterator[None]:
    """Turn what paramiko raises into our errors, without what the server or a file says.

    Args:
        doing: What is done, for the message: ``read 'a.csv'``.
        changing: Whether it changes something at once: if the connection breaks there, nobody
            knows whether it happened.
    """
    from paramiko import SSHException

    try:
        yield
    except (SSHException, EOFError, TimeoutError, ConnectionError) as error:
        if changing:
            raise UnknownOutcomeError(f"the connection broke, and no answer came: {doing}") from error
        raise SftpConnectionError(f"the connection broke: {doing} ({type(error).__name__})") from error
    except OSError as error:
        raise _refusal(doing, error) from error


def _refusal(doing: str, error: OSError) -> AdaptorError:
    """Give the error for a refusal; all but two of them have no number."""
    if error.errno == ENOENT:
        return NoSuchFileError(f"there is no such file or folder: {doing}")
    if error.errno == EACCES:
        return SftpError(
            f"the server does not permit it: {doing}", fix="Give the user of the credential the right to do this."
        )
    if str(error) == "Socket is closed":
        return SftpConnectionError(f"the connection is closed: {doing}")
    return SftpError(f"the server refused it: {doing}")
