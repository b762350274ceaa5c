"""What a credential for PostgreSQL holds."""

from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, Field, SecretStr, model_validator

_LOCAL = ("localhost", "127.0.0.1", "::1")


class PostgresqlConfiguration(BaseModel):
    """Where a database is, and the role that works in it."""

    dsn: SecretStr | None = Field(None, description="A whole connection string; instead of the fields below.")
    host: str | None = Field(None, description="The server's name or address, or the folder of its socket.")
    port: int | None = Field(None, gt=0, lt=65536, description="The server's port.")
    database: str | None = Field(None, validation_alias=AliasChoices("database", "dbname"), description="The database.")
    user: str | None = Field(None, validation_alias=AliasChoices("user", "username"), description="The role.")
    password: SecretStr | None = Field(None, description="The password of that role.")
    sslmode: Literal["disable", "require", "verify-ca", "verify-full"] | None = Field(
        None, description="How TLS is used; 'require' by default where the server is another machine."
    )

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
        from psycopg.conninfo import conninfo_to_dict

        if self.dsn is not None:
            given: dict[str, Any] = conninfo_to_dict(self.dsn.get_secret_value())
        else:
            password = self.password.get_secret_value() if self.password else None
            given = {
                "host": self.host,
                "port": self.port,
                "dbname": self.database,
                "user": self.user,
                "password": password,
            }
        given = {name: value for name, value in given.items() if value is not None}
        host = str(given.get("host", ""))
        if self.sslmode is not None or (
            host and not host.startswith("/") and host not in _LOCAL and "sslmode" not in given
        ):
            given["sslmode"] = self.sslmode or "require"
        return given

    def secrets(self) -> list[str]:
        """Give the secrets that follow from the fields."""
        import psycopg

        try:
            return [str(self.parameters().get("password") or "")]
        except psycopg.Error:  # a malformed dsn: connecting says so, and hides all of it
            return []
