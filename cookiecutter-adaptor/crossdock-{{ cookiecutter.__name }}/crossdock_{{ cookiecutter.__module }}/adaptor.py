{% include cookiecutter.kind ~ "/adaptor.py" %}
