{% include cookiecutter.kind ~ "/conftest.py" %}
