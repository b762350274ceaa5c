{% include ("openapi" if cookiecutter._api else cookiecutter.kind) ~ "/conftest.py" %}
