"""What the tests talk to."""

import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def credentials(tmp_path):
    file = tmp_path / "people.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, village TEXT)")
    return {"test": {"adaptor": "{{ cookiecutter.__module }}", "database": str(file)}}