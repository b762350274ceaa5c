"""What a credential for an HTTP system holds."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


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


class OAuth2(BaseModel):
    """How an OAuth2 access token is fetched: as a client (RFC 6749, 4.4), or with a refresh token (section 6)."""

    token_url: str = Field(description="Where tokens are given.")
    client_id: str
    client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = Field(None, description="Without it the client's own credentials are used.")
    scope: str | None = Field(None, description="What the token is for, separated by blanks.")
    client_auth: Literal["basic", "post"] = Field(
        "basic", description="How the client identifies itself: client_secret_basic or client_secret_post."
    )
    parameters: dict[str, str] = Field({}, description="More that the token endpoint asks for, such as audience.")

    @field_validator("token_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return _checked_address(value)


class HttpConfiguration(BaseModel):
    """Where an HTTP system is and how to identify oneself: with a user, a token, or not at all."""

    model_config = ConfigDict(hide_input_in_errors=True)  # the input holds the secrets

    base_url: str | None = Field(
        None, description="The address that all paths lie below, such as https://kobo.example.org."
    )
    username: str | None = Field(None, description="The user of basic or digest authentication.")
    password: SecretStr | None = Field(None, description="The password of that user.")
    auth: Literal["basic", "digest"] = Field("basic", description="How the user and password are sent.")
    token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("token", "access_token"),
        description="A token for the Authorization header.",
    )
    scheme: str = Field("Bearer", description="The word before the token: Bearer, Token, ApiKey …")
    api_key: ApiKey | None = Field(None, description="A key in a header or query parameter of one's own.")
    oauth2: OAuth2 | None = Field(None, description="How an access token is fetched for each run.")
    ca: str | None = Field(None, description="The authority that signed the system's certificate: a PEM file or text.")
    cert: str | None = Field(None, description="One's own certificate: a PEM file or text.")
    key: SecretStr | None = Field(None, description="The key of that certificate: a PEM file or text.")
    verify: bool = Field(True, description="Whether the system's certificate is checked; false warns in every run.")
    proxy: SecretStr | None = Field(None, description="The proxy that all requests go through: http://host:port.")
    trust_env: bool = Field(False, description="Whether HTTP_PROXY, NO_PROXY and SSL_CERT_FILE count.")
    keep_cookies: bool = Field(False, description="Whether the system's cookies are sent back to it, for one run.")
    rate: float | None = Field(None, gt=0, description="The most requests per second, from all threads together.")
    timeout: float = Field(60.0, gt=0, description="Seconds for a whole operation: repeats, waits and answer included.")
    retry: int = Field(0, ge=0, le=10, description="How often a request is repeated, where that can do no harm.")
    max_response_bytes: int = Field(50_000_000, gt=0, description="The largest answer that is read into memory.")
    max_download_bytes: int = Field(5_000_000_000, gt=0, description="The largest file that is downloaded.")
    verify_path: str | None = Field(
        None, description="What `crossdock credentials check` reads: a path that only who is let in may read."
    )
    allow_private_addresses: bool = Field(
        False, description="Whether URLs may lead into private networks, to hosts that base_url does not name."
    )

    @field_validator("base_url", "proxy")
    @classmethod
    def _is_address(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        if isinstance(value, SecretStr):
            _checked_address(value.get_secret_value(), with_user=True)
            return value
        return value and _checked_address(value)

    @model_validator(mode="after")
    def _one_way_in(self) -> "HttpConfiguration":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if ":" in (self.username or "") and self.auth == "basic":
            raise ValueError("a username of basic authentication can't hold a colon (RFC 7617, section 2)")
        ways = {"username": self.username, "token": self.token, "api_key": self.api_key, "oauth2": self.oauth2}
        given = [name for name, value in ways.items() if value is not None]
        if len(given) > 1:
            raise ValueError(f"give only one way to identify oneself, not {' and '.join(given)}")
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key go together")
        return self

    def authorization(self) -> str | None:
        """Give the value of the Authorization header, where it is the same for every request."""
        if self.token is not None:
            return f"{self.scheme} {self.token.get_secret_value()}"
        if self.username is not None and self.password is not None and self.auth == "basic":
            return "Basic " + b64encode(f"{self.username}:{self.password.get_secret_value()}".encode()).decode()
        return None

    def identity(self) -> str | None:
        """Say as whom one comes, without a secret; None is as nobody."""
        if self.username is not None:
            return f"user {self.username}"
        if self.oauth2 is not None:
            return f"client {self.oauth2.client_id}"
        ways = {"a token": self.token, "an API key": self.api_key, "a certificate": self.cert}
        return next((f"the owner of {name}" for name, value in ways.items() if value is not None), None)

    def secrets(self) -> Iterator[str]:
        """Give the secrets that follow from the fields."""
        if self.api_key is not None:
            yield self.api_key.value.get_secret_value()
        if self.password is not None and (header := self.authorization()):
            yield header.removeprefix("Basic ")
        if self.proxy is not None and (password := urlsplit(self.proxy.get_secret_value()).password):
            yield from {password, unquote(password)}
        if self.oauth2 is not None and self.oauth2.client_secret is not None:
            yield b64encode(f"{self.oauth2.client_id}:{self.oauth2.client_secret.get_secret_value()}".encode()).decode()


def _checked_address(value: str, *, with_user: bool = False) -> str:
    parts = urlsplit(value)
    _ = parts.port  # raises for one that can't be
    known = parts.scheme in ("http", "https") and parts.hostname
    if not known or parts.query or parts.fragment or ("@" in parts.netloc and not with_user):
        raise ValueError(f"write it as https://host/path, without {'' if with_user else 'user, '}query or fragment")
    return value.rstrip("/")
