"""The adaptor for {{ cookiecutter.system_name }}."""

from crossdock_{{ cookiecutter.__module }}.adaptor import (
    Configuration,
    adaptor,
    create,
    find,
)

__all__ = [
    "Configuration",
    "adaptor",
    "create",
    "find",
]