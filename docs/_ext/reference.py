"""Parts of the reference that are read from the code: operations, error codes, the keys of project.yaml."""

import json
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, get_origin

from crossdock.project.schema import project_schema
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PACKAGES = ["crossdock", *sorted(file.name for file in Path(__file__).parents[2].glob("adaptors/*/crossdock_*"))]
"""The packages whose errors are listed."""

_MODULES = re.compile(r"\b(?:\w+\.)+(?=[A-Z])")
"""Where the names in a type come from."""

SCHEMA = project_schema()
"""Made before autodoc imports anything: it pretends to be a type checker, which pydantic does not like."""


class ErrorCodes(SphinxDirective):
    """Every error that a user can meet, by its code."""

    def run(self) -> list[nodes.Node]:
        """Make one table of them."""
        return parsed(self, table(("code", "what happened", "what to do", "outcome"), "20 34 34 12", error_rows()))


class ProjectKeys(SphinxDirective):
    """Every key of project.yaml, a section for each thing that has keys."""

    def run(self) -> list[nodes.Node]:
        """Make a section with a table for each definition of the schema."""
        things = {"The project": SCHEMA, **SCHEMA["$defs"]}
        return [
            node for title, thing in things.items() if "properties" in thing for node in self._section(title, thing)
        ]

    def _section(self, title: str, thing: dict[str, Any]) -> list[nodes.Node]:
        section = nodes.section(ids=[nodes.make_id(f"key-{title}")])
        section += nodes.title(text=title)
        lines = [thing.get("description", ""), "", *table(("key", "what", "default"), "22 58 20", key_rows(thing))]
        section += parsed(self, lines)
        return [section]


class Operations(SphinxDirective):
    """The operations of an adaptor, then what else its package gives."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Let autodoc write a section for each."""
        package = self.arguments[0]
        module = import_module(package)
        operations = sorted(module.adaptor.operations)
        others = [name for name in module.__all__ if name not in operations and name != "adaptor"]
        made = self._section("Operations", [f".. autofunction:: {package}.{name}" for name in operations])
        errors = [name for name in others if is_error(getattr(module, name))]
        rest = [self._auto(module, name) for name in others if name not in errors]
        raised = [f".. autoexception:: {package}.{name}\n   :members:" for name in errors]
        return [made, self._section("Classes, functions and types", rest), self._section("Errors", raised)]

    def _auto(self, module: Any, name: str) -> str:
        thing = getattr(module, name)
        if isinstance(thing, type):
            # Sphinx would take every ``type[…]`` of a signature for a link to a member of that name.
            return f".. autoclass:: {module.__name__}.{name}\n   :members:\n   :exclude-members: type"
        if get_origin(thing) is not None:
            return f".. py:data:: {module.__name__}.{name}\n\n   A type: ``{_MODULES.sub('', str(thing))}``"
        return f".. autofunction:: {module.__name__}.{name}"

    def _section(self, title: str, lines: list[str]) -> nodes.section:
        section = nodes.section(ids=[nodes.make_id(title)])
        section += nodes.title(text=title)
        section += parsed(self, "\n\n".join(lines).splitlines())
        return section


def is_error(thing: Any) -> bool:
    """Tell whether something is an error class."""
    return isinstance(thing, type) and issubclass(thing, Exception)


def error_rows() -> Iterator[tuple[str, ...]]:
    """Give the code, meaning, fix and outcome of each error class."""
    from crossdock.errors import CrossdockError

    for package in PACKAGES:
        for module in walk_packages(import_module(package).__path__, f"{package}."):
            if module.name.endswith((".errors", ".posting")):  # the others are imported by the public names
                import_module(module.name)
    for error in sorted(set(subclasses(CrossdockError)), key=lambda error: (error.code, error.__name__)):
        if not error.__name__.startswith("_"):
            said = (error.__doc__ or "").partition("\n")[0]
            yield f"``{error.code}``", said, error.fix, error.outcome


def subclasses(kind: type) -> Iterator[Any]:
    """Give all classes below one."""
    for below in kind.__subclasses__():
        yield below
        yield from subclasses(below)


def key_rows(thing: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Give the name, description and default of each key."""
    for name, key in thing["properties"].items():
        said = key.get("description", "")
        yield f"``{name}``", " ".join([said, *values(key)]), default_of(name, key, thing)


def values(key: dict[str, Any]) -> Iterator[str]:
    """Say what a key may be, where that is more than its type."""
    if "enum" in key:
        yield "One of " + ", ".join(f"``{value}``" for value in key["enum"]) + "."
    text = json.dumps(key)
    names = [part.partition('"')[0] for part in text.split('"#/$defs/')[1:]]
    if names:
        yield "See " + ", ".join(f"`{name} <#key-{name.lower()}>`_" for name in dict.fromkeys(names)) + "."


def default_of(name: str, key: dict[str, Any], thing: dict[str, Any]) -> str:
    """Say what counts where the key is left out."""
    if name in thing.get("required", ()):
        return "**required**"
    return f"``{json.dumps(key['default'])}``" if key.get("default") is not None else ""


def table(heads: tuple[str, ...], widths: str, rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Give the lines of a table."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for cells in [heads, *rows]:
        lines += [f"   {'*' if place == 0 else ' '} - {plain(cell)}" for place, cell in enumerate(cells)]
    return lines


def plain(text: str) -> str:
    """Give a text in which no word that ends with an underline is taken for a link."""
    return re.sub(r"(?<=[^\W`])_(?=[^\w`]|$)", r"\\_", text)


def parsed(directive: SphinxDirective, lines: list[str]) -> list[nodes.Node]:
    """Read lines of reStructuredText, also on a page that is not written in it."""
    from docutils.parsers.rst import Parser
    from docutils.utils import new_document

    document = new_document("reference", directive.state.document.settings)
    Parser().parse("\n".join(lines) + "\n", document)
    return list(document.children)


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives."""
    app.add_directive("error-codes", ErrorCodes)
    app.add_directive("operations", Operations)
    app.add_directive("project-keys", ProjectKeys)
    return {"parallel_read_safe": True}
