{% include cookiecutter.kind ~ "/contract.py" %}
