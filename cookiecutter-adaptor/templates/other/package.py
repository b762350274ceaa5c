"""The adaptor for {{ cookiecutter.system_name }}."""

from crossdock_{{ cookiecutter.__module }}.adaptor import (
    Configuration,
    RefusedError,
    adaptor,
    ask,
    send,
)

__all__ = [
    "Configuration",
    "RefusedError",
    "adaptor",
    "ask",
    "send",
]