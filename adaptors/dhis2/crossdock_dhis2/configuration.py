"""What a credential for DHIS2 holds."""

import logging
from typing import Any

from crossdock_http import HttpConfiguration
from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator

_logger = logging.getLogger("crossdock.dhis2")


class Dhis2Configuration(HttpConfiguration):
    """Where a DHIS2 instance is, and a personal access token or a user."""

    base_url: str = Field(
        validation_alias=AliasChoices("base_url", "host_url", "api_url"), description="The instance, without /api."
    )
    pat: SecretStr | None = Field(None, description="A personal access token; it is used if there is a user, too.")
    api_version: int | None = Field(None, description="The version in /api/<version>; none by default.")
    legacy_tracker: bool = Field(
        False, description="Whether events and the like go through the endpoints from before DHIS2 2.36."
    )
    retry: int = Field(2, ge=0, le=10, description="How often a read is repeated after an error that may pass.")

    @field_validator("api_version", mode="before")
    @classmethod
    def _none_if_empty(cls, value: Any) -> Any:
        return value or None

    @model_validator(mode="before")
    @classmethod
    def _told_of_api_url(cls, given: Any) -> Any:
        if isinstance(given, dict) and "api_url" in given:
            _logger.warning("the field apiUrl of a dhis2 credential is deprecated: call it base_url")
        return given

    @field_validator("base_url")
    @classmethod
    def _without_api(cls, value: str) -> str:
        return value.removesuffix("/api")

    @model_validator(mode="after")
    def _has_a_way_in(self) -> "Dhis2Configuration":
        if self.pat is None and self.username is None and self.token is None and self.oauth2 is None:
            raise ValueError("give a pat, or a username and password")
        return self

    def authorization(self) -> str | None:
        """Give the value of the Authorization header."""
        return f"ApiToken {self.pat.get_secret_value()}" if self.pat is not None else super().authorization()
