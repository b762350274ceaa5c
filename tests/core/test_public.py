"""The public face: names, errors, examples, and the size of the loop."""

import ast
import doctest
import inspect
import pkgutil
import traceback
from importlib import import_module
from pathlib import Path

import crossdock
import pytest
from crossdock import CrossdockError, errors
from crossdock.run import Run
from fix_distribution import ADAPTOR_NAMES

MODULES = [
    module.name
    for module in pkgutil.walk_packages(crossdock.__path__, "crossdock.")
    if not module.name.endswith("__main__")
]


def all_classes(root=CrossdockError):
    for child in root.__subclasses__():
        yield child
        yield from all_classes(child)


ADAPTOR_ERRORS = [import_module(f"crossdock_{name}") for name in ADAPTOR_NAMES]
CLASSES = sorted({CrossdockError, *all_classes()}, key=lambda error: error.__name__)


def test_the_public_list_is_sorted_and_complete():
    assert crossdock.__all__ == sorted(crossdock.__all__, key=str)
    assert all(hasattr(crossdock, name) for name in crossdock.__all__)


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert crossdock.__version__ == version("crossdock")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = crossdock.nothing


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_every_error_has_a_code_a_fix_and_a_name_that_ends_in_error(error):
    assert error.__name__.endswith("Error")
    assert error.code.replace("_", "").isalnum()
    assert error.code == error.code.lower()
    assert error.fix.endswith(".")
    assert error.fix[0].isupper()
    assert isinstance(error.transient, bool)
    assert error.__doc__


def test_codes_are_unique():
    codes = [error.code for error in CLASSES]

    assert len(codes) == len(set(codes))


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = {
        line.split()[-1] if "──" not in line else line.split("── ")[1].split()[0]
        for line in errors.__doc__.splitlines()
        if "──" in line
    }

    assert drawn == {error.__name__ for error in all_classes() if error.__module__ == "crossdock.errors"}


def test_a_traceback_says_the_fix():
    error = CrossdockError("no", fix="Say yes.")

    assert "fix: Say yes." in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_core_run(name):
    module = import_module(name)

    assert doctest.testmod(module, extraglobs={"State": crossdock.State}).failed == 0


def test_every_public_function_and_class_has_a_docstring():
    missing = [
        f"{name}.{node.name}"
        for name in MODULES
        for node in ast.parse(Path(import_module(name).__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)
    ]

    assert missing == []


def test_the_operations_of_core_have_an_example():
    names = ["each", "when", "stop", "require", "tap", "set_data", "save_cursor", "validate"]

    assert [name for name in names if "Example:" not in getattr(crossdock, name).__doc__] == []


def test_the_loop_fits_one_screen():
    assert len(inspect.getsource(Run._steps).splitlines()) + len(inspect.getsource(Run._operations).splitlines()) <= 50


def test_no_function_is_longer_than_fifty_lines_and_no_module_than_four_hundred():
    long = []
    for name in MODULES:
        source = Path(import_module(name).__file__).read_text(encoding="utf-8")
        assert len(source.splitlines()) <= 400, name
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                documented = len((ast.get_docstring(node, clean=False) or "").splitlines())
                if node.end_lineno - node.lineno - documented > 50:
                    long.append(f"{name}.{node.name}")

    assert long == []
