{% include ("openapi" if cookiecutter._api else cookiecutter.kind) ~ "/package.py" %}
