"""What a credential for PostgreSQL holds."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, Field, SecretStr, model_validator

_LOCAL = ("", "localhost", "127.0.0.1", "::1")


class PostgresqlConfiguration(BaseModel):
    """Where a database is, and the role that works in it."""

    dsn: SecretStr | None = Field(None, description="A whole connection string; instead of the fields below.")
    host: str | None = Field(None, description="The server's name or address, or the folder of its socket.")
    port: int | None = Field(None, gt=0, lt=65536, description="The server's port.")
    database: str | None = Field(None, validation_alias=AliasChoices("database", "dbname"), description="The database.")
    user: str | None = Field(None, validation_alias=AliasChoices("user", "username"), description="The role.")
    password: SecretStr | None = Field(None, description="The password of that role.")
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] | None = Field(
        None,
        description="How TLS is used; by default 'verify-full' with a ca, else 'require' where the server is another machine.",
    )
    ca: str | None = Field(None, description="The file of the authority that signed the server's certificate.")
    cert: str | None = Field(None, description="The file of one's own certificate.")
    key: str | None = Field(None, description="The file of that certificate's key.")
    schema_: str | None = Field(
        None,
        validation_alias=AliasChoices("schema", "schema_"),
        description="The schema that tables without one are looked for in, before public.",
    )
    commit: Literal["step", "operation"] = Field(
        "step", description="What one transaction is around: the whole step, or each operation by itself."
    )
    connect_timeout: float = Field(10.0, gt=0, description="Seconds for connecting; a busy server is tried again.")
    lock_timeout: float = Field(30.0, ge=0, description="Seconds to wait for a lock of somebody else; 0: for ever.")
    statement_timeout: float = Field(0.0, ge=0, description="Seconds for one statement; 0: as the server says.")

    @model_validator(mode="after")
    def _says_where(self) -> "PostgresqlConfiguration":
        fields = (self.host, self.port, self.database, self.user, self.password)
        if self.dsn is not None and any(field is not None for field in fields):
            raise ValueError("give a dsn, or the fields of a connection, not both")
        if self.dsn is None and (self.host is None or self.database is None):
            raise ValueError("host and database are needed, or a dsn")
        return self

    def parameters(self) -> dict[str, Any]:
        """Give the parameters of the connection, as libpq names them."""
        given = self._given()
        files = {"sslrootcert": self.ca, "sslcert": self.cert, "sslkey": self.key}
        given |= {name: value for name, value in files.items() if value is not None}
        if self.sslmode is not None:
            given["sslmode"] = self.sslmode
        elif "sslmode" not in given and ("sslrootcert" in given or _is_elsewhere(given)):
            given["sslmode"] = "verify-full" if "sslrootcert" in given else "require"
        return given

    def is_open_to_readers(self) -> bool:
        """Tell whether it is set that another machine may be reached without TLS."""
        import psycopg

        try:
            given = self.parameters()
        except psycopg.Error:  # a malformed dsn: connecting says so
            return False
        return _is_elsewhere(given) and given.get("sslmode") in ("disable", "allow", "prefer")

    def place(self) -> str | None:
        """Give host, port and database, for messages; None if the dsn can't be read."""
        import psycopg

        try:
            given = self.parameters()
        except psycopg.Error:
            return None
        return f"{given.get('host') or 'the local socket'}:{given.get('port') or 5432}/{given.get('dbname') or ''}"

    def _given(self) -> dict[str, Any]:
        from psycopg.conninfo import conninfo_to_dict

        if self.dsn is not None:
            parsed: dict[str, Any] = conninfo_to_dict(self.dsn.get_secret_value())
            return parsed
        password = self.password.get_secret_value() if self.password else None
        given = {"host": self.host, "port": self.port, "dbname": self.database, "user": self.user, "password": password}
        return {name: value for name, value in given.items() if value is not None}

    def settings(self) -> dict[str, str]:
        """Give the settings of a session: UTC, ISO forms, and the limits."""
        settings = {
            "TimeZone": "UTC",
            "DateStyle": "ISO",
            "IntervalStyle": "iso_8601",
            "bytea_output": "hex",
            "extra_float_digits": "1",
            "lock_timeout": f"{round(self.lock_timeout * 1000)}",
        }
        if self.schema_ is not None:
            settings["search_path"] = f'"{self.schema_.replace(chr(34), chr(34) * 2)}", public'
        if self.statement_timeout:
            settings["statement_timeout"] = f"{round(self.statement_timeout * 1000)}"
        return settings

    def secrets(self) -> list[str]:
        """Give the secrets that follow from the fields."""
        import psycopg

        try:
            return [str(self.parameters().get("password") or "")]
        except psycopg.Error:  # a malformed dsn: connecting says so, and hides all of it
            return []


def _is_elsewhere(parameters: Mapping[str, Any]) -> bool:
    """Tell whether a connection leaves this machine."""
    host = str(parameters.get("host", ""))
    return not host.startswith("/") and host not in _LOCAL
