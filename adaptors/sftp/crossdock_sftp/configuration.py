"""What a credential for SFTP holds."""

from typing import Self

from crossdock import Public
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator


class SftpConfiguration(BaseModel):
    """Where a server is, how to know that it is that server, and who logs in."""

    model_config = ConfigDict(hide_input_in_errors=True)  # an input may hold secrets

    host: str = Field(description="The server's name or address.")
    port: int = Field(22, gt=0, lt=65536, description="The server's port.")
    username: str = Field(description="Who logs in.")
    password: SecretStr | None = Field(None, description="The password; or give private_key.")
    private_key: SecretStr | None = Field(None, description="The text of a private key, as ssh-keygen writes it.")
    passphrase: SecretStr | None = Field(None, description="What the private key is locked with.")
    host_key: Public[str | None] = Field(
        None, description="The server's public key: its type and its text, as in 'ssh-ed25519 AAAA…'."
    )
    known_hosts: str | None = Field(None, description="A file of host keys, as ssh keeps it; instead of host_key.")
    root: str = Field(".", description="The folder that all paths lie below; by default where a login begins.")
    timeout: float = Field(30.0, gt=0, description="Seconds to wait for a connection, and for each answer.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.password is None) == (self.private_key is None):
            raise ValueError("give a password or a private_key, and not both")
        if (self.host_key is None) == (self.known_hosts is None):
            raise ValueError("give a host_key, or the file known_hosts, and not both: no server is trusted unseen")
        return self

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"

    @property
    def known_name(self) -> str:
        """How a file of host keys names the server."""
        return self.host if self.port == 22 else f"[{self.host}]:{self.port}"
