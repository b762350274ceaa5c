"""What the modules of a package hold: its error classes, and the fields of its configuration that it reads."""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType


def modules_of(package: ModuleType) -> list[ModuleType]:
    """Give a package and all of it that is imported."""
    name = package.__name__
    return [module for known, module in sorted(sys.modules.items()) if known == name or known.startswith(f"{name}.")]


def error_classes(package: ModuleType) -> Iterator[type[Exception]]:
    """Give the error classes of a package that a job can get at: those that it defines and exports."""
    for name, value in vars(package).items():
        own = inspect.isclass(value) and f"{value.__module__}.".startswith(f"{package.__name__}.")
        if own and issubclass(value, Exception) and not name.startswith("_"):
            yield value


def fields_read(package: ModuleType) -> Iterator[tuple[str, str]]:
    """Give the attributes of what is called ``configuration`` that a package reads, each with its file and line."""
    for module in modules_of(package):
        file = Path(str(module.__file__))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("configuration"):
                yield node.attr, f"{file.name}:{node.lineno}"
