{% include ("openapi" if cookiecutter._api else cookiecutter.kind) ~ "/adaptor.py" %}
