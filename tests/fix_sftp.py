"""A real OpenSSH server, which runs as no privileged user and knows one user of its own: amina."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

UNPACKED = Path(sys.prefix) / "openssh"
PASSWORD = "a-password"
_HASH = "$6$crossdock$.2gEadFnmVURFgfD9xSZb3x2Fbc8bcoq.INswEern0MOE/xX9ADYCek7GVkmpO2P85Tg9iI8YMlVUB5RvYbKD."
_NOBODY = 65534
_CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/amina.pub
UsePAM no
StrictModes no
PidFile none
MaxStartups 100
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


def private_text(key: Any) -> str:
    """Write a private key as ssh-keygen does."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def public_text(key: Any) -> str:
    """Write the public key of a private one, as its type and its text."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


class SftpServer:
    """A server in a folder of its own."""

    host = "127.0.0.1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host_key, self.user_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.log: list[str] = []
        self._listens = threading.Event()
        with socket.create_server((self.host, 0)) as free:
            self.port: int = free.getsockname()[1]
        self._write_files()

    def __enter__(self) -> "SftpServer":
        command = [self.folder / "sshd", "-D", "-e", "-f", self.folder / "sshd_config"]
        user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        self._process = subprocess.Popen(command, env=self._environment(), stderr=subprocess.PIPE, text=True, **user)
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()
        self._listens.wait()
        assert self._process.poll() is None, self.log
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        self._process.stderr.close()

    def folder_of_test(self) -> Path:
        """Make a folder that the user of the server may write to."""
        folder = self.folder / os.urandom(8).hex()
        for made in (folder, folder / "incoming", folder / "outgoing", folder / "done"):
            made.mkdir()
            self._give(made)
        return folder

    def credential(self, folder: Path) -> dict[str, Any]:
        """Give a credential whose root is a folder."""
        return {
            "adaptor": "sftp",
            "host": self.host,
            "port": self.port,
            "username": "amina",
            "private_key": private_text(self.user_key),
            "host_key": public_text(self.host_key),
            "root": str(folder),
        }

    def known_hosts(self, folder: Path, port: int | None = None) -> str:
        """Write a file that knows the server, as ssh keeps it."""
        file = folder / "known_hosts"
        file.write_text(f"[{self.host}]:{port or self.port} {public_text(self.host_key)}\n")
        return str(file)

    def _write_files(self) -> None:
        for file in (UNPACKED / "usr/sbin/sshd", *UNPACKED.glob("**/*.so*")):
            shutil.copy(file, self.folder)  # whoever the server runs as can't read each folder that the project lies in
        (self.folder / "sshd_config").write_text(_CONFIGURATION.format(port=self.port, folder=self.folder))
        (self.folder / "host").write_text(private_text(self.host_key))
        (self.folder / "amina.pub").write_text(public_text(self.user_key))
        user = _NOBODY if os.getuid() == 0 else os.getuid()
        (self.folder / "passwd").write_text(f"amina:{_HASH}:{user}:{user}::/tmp:/bin/sh\n")
        (self.folder / "group").write_text(f"amina:x:{user}:\n")
        (self.folder / "host").chmod(0o600)
        for file in (self.folder, *self.folder.iterdir()):
            self._give(file)

    def _environment(self) -> dict[str, str]:
        """Give the environment in which there is a user amina, whom the machine does not know."""
        return {
            "LD_LIBRARY_PATH": str(self.folder),
            "LD_PRELOAD": str(self.folder / "libnss_wrapper.so"),
            "NSS_WRAPPER_PASSWD": str(self.folder / "passwd"),
            "NSS_WRAPPER_GROUP": str(self.folder / "group"),
        }

    def _read_log(self) -> None:
        for line in self._process.stderr:
            self.log.append(line.strip())
            if line.startswith("Server listening"):
                self._listens.set()
        self._listens.set()

    def _give(self, path: Path) -> None:
        if os.getuid() == 0:
            os.chown(path, _NOBODY, _NOBODY)


@pytest.fixture(scope="session")
def sftp_server() -> Iterator[SftpServer]:
    """A server for all tests."""
    if not (UNPACKED / ".unpacked").exists():
        pytest.skip("there is no OpenSSH server to test with: run make openssh")
    with TemporaryDirectory(prefix="sftp-", ignore_cleanup_errors=True) as folder, SftpServer(Path(folder)) as server:
        yield server


@pytest.fixture
def sftp_folder(sftp_server: SftpServer) -> Path:
    """The root of the credential, in which incoming, outgoing and done are."""
    return sftp_server.folder_of_test()


@pytest.fixture
def sftp_credential(sftp_server: SftpServer, sftp_folder: Path) -> dict[str, Any]:
    """A credential for the server."""
    return sftp_server.credential(sftp_folder)
