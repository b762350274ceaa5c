"""Every row of the study of reliability that serving and plugins were held against has a test that proves it, and names it.

A test names the rows that it proves: ``test_rt_15_…``, ``test_rt_01_and_02_…``, ``test_in_02_to_in_10_…``.
"""

import ast
import re
from collections.abc import Iterator

import pytest
from fix_documents import ROOT

KINDS = {
    "in": "01-15 17-27 29-35 38-39",
    "rt": "01-02 04-09 11-12 14-24 26-32 34-35 37-42",
    "se": "01-04 06-08 10-14",
    "cl": "01-05 07-10 12-15 17",
    "pl": "01 03-08 10-14",
}
_KIND = "|".join(KINDS)
_SEVERAL = re.compile(rf"_({_KIND})_(\d\d)_(to|and)_(?:\1_)?(\d\d)(?=_)")
_ONE = re.compile(rf"_({_KIND})_(\d\d)(?=_)")


def numbers(text: str) -> Iterator[int]:
    for part in text.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def rows_in(name: str) -> Iterator[str]:
    """Give the rows that the name of a test names."""
    for kind, number in _ONE.findall(name):
        yield f"{kind}_{number}"
    for kind, first, how, last in _SEVERAL.findall(name):
        for number in range(int(first), int(last) + 1) if how == "to" else (int(first), int(last)):
            yield f"{kind}_{number:02}"


@pytest.fixture(scope="module")
def proven() -> set[str]:
    """The rows that tests name."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in (ROOT / "tests").rglob("test_*.py")]
    functions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {row for function in functions if function.name.startswith("test_") for row in rows_in(function.name)}


@pytest.mark.parametrize("row", [f"{kind}_{number:02}" for kind, text in KINDS.items() for number in numbers(text)])
def test_a_test_proves_the_row(proven: set[str], row: str):
    assert row in proven, f"no test is named after {row}"


def test_a_name_may_name_several_rows():
    assert set(rows_in("test_rt_01_and_02_x")) == {"rt_01", "rt_02"}
    assert set(rows_in("test_in_02_to_in_04_a")) == {"in_02", "in_03", "in_04"}
    assert set(rows_in("test_ht_22_and_h52_no")) == set()
