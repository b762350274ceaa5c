"""The operations, on a real database."""

import pytest
from crossdock import each, state
from crossdock.adaptors import {{ cookiecutter.__module }} as adaptor

NAME = "{{ cookiecutter.__module }}"
AMINA = {"id": 1, "name": "Amina", "village": "Kisiwa"}
BARAKA = {"id": 2, "name": "Baraka", "village": None}


def test_insert_gives_the_row_as_it_is_stored(run_job, credentials):
    run = run_job(adaptor.insert("people", {"name": "Amina", "village": "Kisiwa"}), credentials=credentials)

    assert (run.outcome, run.data) == ("success", AMINA)


def test_find_gives_the_rows_that_match(run_job, credentials):
    insert = each([AMINA, BARAKA], adaptor.insert("people", state.data))

    run = run_job(insert, adaptor.find("people", {"name": "Baraka"}), credentials=credentials)

    assert (run.outcome, run.data) == ("success", [BARAKA])


def test_what_a_failed_step_inserted_is_undone(run_job, credentials):
    insert = each([AMINA, AMINA], adaptor.insert("people", state.data))

    failed = run_job(insert, credentials=credentials)
    left = run_job(adaptor.find("people"), credentials=credentials)

    assert (failed.outcome, failed.error.code) == ("failed", f"{NAME}_error")
    assert left.data == []


def test_an_item_that_fails_does_not_undo_the_others(run_job, credentials):
    insert = each([AMINA, {"name": None}, BARAKA], adaptor.insert("people", state.data), on_error="collect")

    run = run_job(insert, adaptor.find("people"), credentials=credentials)

    assert (run.outcome, run.data) == ("partial", [AMINA, BARAKA])


@pytest.mark.parametrize("name", ["people; DROP TABLE people", 'pe"ople', "people\0", ""])
def test_a_name_is_never_read_as_sql(run_job, credentials, name):
    assert run_job(adaptor.find(name), credentials=credentials).outcome == "failed"
    assert run_job(adaptor.find("people"), credentials=credentials).data == []