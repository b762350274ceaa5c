"""A connection to a server that is known, and a login."""

from io import StringIO
from typing import TYPE_CHECKING

from crossdock_sftp.configuration import SftpConfiguration
from crossdock_sftp.errors import HostKeyError, SftpConnectionError, SftpLoginError

if TYPE_CHECKING:
    from paramiko import PKey, SSHClient


def connected(configuration: SftpConfiguration) -> "SSHClient":
    """Connect to the server, compare its host key with the one that is known, and log in.

    Raises:
        HostKeyError: The server is not known, or has another key; nothing was told to it.
        SftpLoginError: It does not let one in.
        SftpConnectionError: There is no connection.
    """
    from paramiko import SSHClient

    client = SSHClient()
    try:
        _learn_host_keys(client, configuration)
        _connect(client, configuration)
    except BaseException:
        client.close()
        raise
    return client


def _connect(client: "SSHClient", configuration: SftpConfiguration) -> None:
    from paramiko import AuthenticationException, BadHostKeyException, SSHException

    password, timeout = configuration.password, configuration.timeout
    key = _private_key(configuration)
    client.set_missing_host_key_policy(_refusing(configuration))
    try:
        client.connect(
            configuration.host,
            configuration.port,
            configuration.username,
            None if password is None else password.get_secret_value(),
            key,
            allow_agent=False,  # who logs in is what the credential says, and nobody else
            look_for_keys=False,
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
            channel_timeout=timeout,
        )
    except BadHostKeyException as error:
        raise _another_key(configuration, error.key, "another host key than is known") from error
    except AuthenticationException as error:
        raise SftpLoginError(f"{configuration.place} does not let {configuration.username} in") from error
    except (SSHException, EOFError, OSError) as error:
        raise SftpConnectionError(f"no connection to {configuration.place}: {type(error).__name__}") from error


def _learn_host_keys(client: "SSHClient", configuration: SftpConfiguration) -> None:
    if configuration.host_key is not None:
        key = _host_key(configuration.host_key)
        client.get_host_keys().add(configuration.known_name, key.get_name(), key)
    if configuration.known_hosts is not None:
        try:
            client.load_host_keys(configuration.known_hosts)
        except OSError as error:
            raise HostKeyError(
                f"the file known_hosts can't be read: {error.strerror}", fix="Correct known_hosts of the credential."
            ) from error


def _host_key(line: str) -> "PKey":
    from base64 import b64decode

    from paramiko import PKey, SSHException
    from paramiko.pkey import UnknownKeyType

    kind, _, rest = line.strip().partition(" ")
    text = rest.strip().partition(" ")[0]  # a comment may follow
    try:
        return PKey.from_type_string(kind, b64decode(text, validate=True))
    except (SSHException, UnknownKeyType, ValueError):
        raise HostKeyError(
            "host_key of the credential is no public key", fix="Write its type and its text: ssh-ed25519 AAAA…"
        ) from None


def _private_key(configuration: SftpConfiguration) -> "PKey | None":
    """Read the private key; what a library says of one that can't be read may hold parts of it."""
    from paramiko import ECDSAKey, Ed25519Key, PasswordRequiredException, RSAKey, SSHException

    if configuration.private_key is None:
        return None
    text = configuration.private_key.get_secret_value().strip() + "\n"
    passphrase = None if configuration.passphrase is None else configuration.passphrase.get_secret_value()
    for kind in (Ed25519Key, ECDSAKey, RSAKey):
        try:
            return kind.from_private_key(StringIO(text), passphrase)
        except PasswordRequiredException:
            raise SftpLoginError("the private key is locked", fix="Add passphrase to the credential.") from None
        except (SSHException, ValueError, IndexError):
            continue  # it is a key of another type, or none
    raise SftpLoginError(
        "private_key of the credential can't be read",
        fix="Give the whole text of an Ed25519, ECDSA or RSA key, and the passphrase that it is locked with.",
    )


def _refusing(configuration: SftpConfiguration) -> "type":
    """Give the policy for a server that is not known: it is refused."""
    from paramiko import MissingHostKeyPolicy, PKey, SSHClient

    class Refusing(MissingHostKeyPolicy):
        def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:  # noqa: ARG002 - paramiko calls it so
            raise _another_key(configuration, key, "a host key that is not known")

    return Refusing


def _another_key(configuration: SftpConfiguration, key: "PKey", what: str) -> HostKeyError:
    """Describe a key that is not the known one; the fingerprint is what people compare."""
    shown = f"{key.get_name()} {key.fingerprint}"
    return HostKeyError(
        f"{configuration.place} has {what}: {shown}",
        fix=f"Ask who runs the server whether its fingerprint is {key.fingerprint}; only if it is, put that key into "
        "host_key or known_hosts of the credential.",
        fingerprint=key.fingerprint,
    )
