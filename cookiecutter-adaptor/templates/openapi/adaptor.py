"""What a credential holds, how to connect, and the operations."""
{% if cookiecutter._api.maps %}
from collections.abc import Mapping
{%- endif %}
{%- if cookiecutter._api.imports %}
from typing import {{ cookiecutter._api.imports | join(", ") }}
{%- endif %}
{%- if cookiecutter._api.maps or cookiecutter._api.imports %}
{% endif %}
from crossdock import Adaptor, State{% if cookiecutter._api.files %}, run_file{% endif %}
from crossdock_http import Client, HttpConfiguration


class Configuration(HttpConfiguration):
    """What a credential for {{ cookiecutter.system_name }} holds: the address, and the user, token or key of any HTTP system."""


class ApiClient(Client):
    """{{ cookiecutter.system_name }}, asked through the client of the http adaptor."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration, headers={"Accept": "application/json"})


adaptor = Adaptor(
    "{{ cookiecutter.__module }}",
    configuration=Configuration,
    connect=ApiClient,
    verify=Client.verify,
)


{{ cookiecutter._api.operations }}