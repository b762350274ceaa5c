"""What a credential for an HTTP system holds."""

from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, Field, SecretStr, field_validator, model_validator


class ApiKey(BaseModel):
    """A key that goes along with each request, in a header or in the query."""

    value: SecretStr
    header: str | None = None
    query: str | None = None

    @model_validator(mode="after")
    def _in_one_place(self) -> "ApiKey":
        if (self.header is None) == (self.query is None):
            raise ValueError("give header or query, the name that the key goes under")
        return self


class HttpConfiguration(BaseModel):
    """Where an HTTP system is and how to identify oneself: with a user, a token, or not at all."""

    base_url: str | None = Field(
        None, description="The address that all paths lie below, such as https://kobo.example.org."
    )
    username: str | None = Field(None, description="The user of basic authentication.")
    password: SecretStr | None = Field(None, description="The password of that user.")
    token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("token", "access_token"),
        description="A token for the Authorization header.",
    )
    scheme: str = Field("Bearer", description="The word before the token: Bearer, Token, ApiKey …")
    api_key: ApiKey | None = Field(None, description="A key in a header or query parameter of one's own.")
    timeout: float = Field(60.0, gt=0, description="Seconds for a whole request, its answer included.")
    retry: int = Field(0, ge=0, le=10, description="How often a request is repeated, where that can do no harm.")
    max_response_bytes: int = Field(50_000_000, gt=0, description="The largest answer that is read, in bytes.")

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        _ = parts.port  # raises for one that can't be
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise ValueError("write it as https://host/path, without user, query or fragment")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _one_way_in(self) -> "HttpConfiguration":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        ways = {"username": self.username, "token": self.token, "api_key": self.api_key}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1:
            raise ValueError(f"give only one way to identify oneself, not {' and '.join(given)}")
        return self

    def authorization(self) -> str | None:
        """Give the value of the Authorization header."""
        if self.token is not None:
            return f"{self.scheme} {self.token.get_secret_value()}"
        if self.username is not None and self.password is not None:
            return "Basic " + b64encode(f"{self.username}:{self.password.get_secret_value()}".encode()).decode()
        return None

    def secrets(self) -> Iterator[str]:
        """Give the secrets that follow from the fields."""
        if self.api_key is not None:
            yield self.api_key.value.get_secret_value()
        if self.password is not None and (header := self.authorization()):
            yield header.removeprefix("Basic ")
