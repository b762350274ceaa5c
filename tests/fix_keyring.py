"""A keyring in a file of the test: the real library, with a backend of keyrings.alt."""

import subprocess
import sys
from pathlib import Path

import pytest


class Keyring:
    """A keyring; who has this environment uses it."""

    def __init__(self, folder: Path) -> None:
        self.env = {
            "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
        }

    def set(self, service: str, name: str, secret: str) -> None:
        """Put a secret in, as a person does."""
        command = [sys.executable, "-m", "keyring", "set", service, name]
        subprocess.run(command, input=secret, text=True, check=True, capture_output=True, env=self.env)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """Give an empty keyring."""
    return Keyring(tmp_path / "keyring")
