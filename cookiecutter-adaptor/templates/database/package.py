"""The adaptor for {{ cookiecutter.system_name }}."""

from crossdock_{{ cookiecutter.__module }}.adaptor import (
    Configuration,
    RefusedError,
    adaptor,
    find,
    insert,
)

__all__ = [
    "Configuration",
    "RefusedError",
    "adaptor",
    "find",
    "insert",
]