"""The operations, on a real server that answers as {{ cookiecutter.system_name }} does."""

from crossdock.adaptors import {{ cookiecutter.__module }} as adaptor

NAME = "{{ cookiecutter.__module }}"
PATH = {{ cookiecutter._api.tried.path }}


def test_{{ cookiecutter._api.tried.name }}_asks_what_it_should(http_system, run_job):
    asked = http_system.on("{{ cookiecutter._api.tried.method }}", PATH).answer({})

    run = run_job(
        adaptor.{{ cookiecutter._api.tried.call }},
        credentials={"test": http_system.credential(NAME)},
    )

    assert (run.outcome, len(asked.requests)) == ("success", 1)