"""What is said of a call whose arguments don't fit: by the operation that is called, and by ``crossdock check``."""

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import NamedTuple

from crossdock.errors import closest

PLACES = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
"""Parameters that can be given by their place."""

NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
"""Parameters that can be given by their name."""


class Wrong(NamedTuple):
    """What is wrong with the arguments of a call, and what to do; None if nothing better than the options is known."""

    message: str
    fix: str | None


class Callee(NamedTuple):
    """What is called, and with what it can be."""

    name: str
    signature: Signature
    renamed: Mapping[str, str]
    """Old names of options, each with what it is called now."""

    @property
    def options(self) -> list[str]:
        """The names of its arguments that can be given by name."""
        return [name for name, parameter in self.signature.parameters.items() if parameter.kind in NAMED]

    def unknown(self, names: list[str]) -> Wrong:
        """Describe options that there are not, and what was meant."""
        options = self.options
        now = {name: self.renamed[name] for name in names if self.renamed.get(name) in options}
        named = [f"{name!r:.60}" + (f", which is called {now[name]}=" if name in now else "") for name in names]
        hints = [f"{option}=" for name in names if (option := now.get(name) or closest(name, options))]
        fix = f"Did you mean {' and '.join(dict.fromkeys(hints))}?" if hints else None
        return Wrong(f"{self.name} has no option {', and no option '.join(named)}", fix)

    def surplus(self, given: int) -> Wrong:
        """Describe arguments without a name that are too many.

        Args:
            given: How many there are.
        """
        kinds = [parameter.kind for parameter in self.signature.parameters.values()]
        places = sum(kind in PLACES for kind in kinds)
        fix = "Give the others by their names." if Parameter.KEYWORD_ONLY in kinds else f"Give it {places or 'none'}."
        return Wrong(f"{self.name} got {given} arguments without a name, and takes {places}", fix)

    def missing(self, names: list[str]) -> Wrong:
        """Describe arguments that were not given, and are needed."""
        needed = " and ".join(names)
        return Wrong(f"{self.name} needs {needed}", f"Give it {needed}.")
