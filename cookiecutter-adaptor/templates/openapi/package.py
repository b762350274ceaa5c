"""The adaptor for {{ cookiecutter.system_name }}."""

from crossdock_{{ cookiecutter.__module }}.adaptor import (
    Configuration,
{%- for name in cookiecutter._api.names %}
    {{ name }},
{%- endfor %}
)

__all__ = [
    "Configuration",
{%- for name in cookiecutter._api.names %}
    "{{ name }}",
{%- endfor %}
]