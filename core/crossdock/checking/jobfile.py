"""A job file as the rules see it: parsed, its names followed, the uses of its functions known."""

import ast
import warnings

from crossdock.checking.finding import Code, Finding
from crossdock.checking.ignoring import Ignore, ignores_in
from crossdock.checking.meanings import Meanings
from crossdock.checking.scopes import Tree
from crossdock.checking.uses import uses_of
from crossdock.errors import cut


class JobFile:
    """A parsed file.

    Args:
        name: What findings call it.
        module: What it was parsed to.
        ignores: The comments that silence findings.
    """

    def __init__(self, name: str, module: ast.Module, ignores: list[Ignore]) -> None:
        self.name = name
        self.ignores = ignores
        self.tree = Tree(module)
        self.meanings = Meanings(self.tree)
        self.uses = uses_of(self.tree, self.meanings)
        self.meanings.learn(self.uses.receivers())

    def finding(self, node: ast.AST, code: Code, message: str, fix: str) -> Finding:
        """Make a finding at the line of a node."""
        return Finding(self.name, getattr(node, "lineno", 1), code, message, fix)


def parse(name: str, source: bytes) -> JobFile | Finding:
    """Parse a file, or give the finding that it is no Python.

    Args:
        name: What findings call it.
        source: Its bytes.
    """

    def unreadable(line: int, message: str, fix: str) -> Finding:
        return Finding(name, line, Code.SYNTAX_ERROR, message, fix)

    try:
        text = source.decode("utf-8-sig")
        module = _parsed(name, text)
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        return unreadable(line, f"byte {error.start} is no UTF-8", "Save the file as UTF-8.")
    except SyntaxError as error:
        place = f" in column {error.offset}: {cut(error.text.strip(), 80)}" if error.offset and error.text else ""
        return unreadable(error.lineno or 1, f"{error.msg}{place}", "Correct the syntax there.")
    except ValueError:
        return unreadable(1, "it holds a null byte", "Save it as plain text.")
    except (RecursionError, MemoryError):
        return unreadable(1, "an expression nests too deeply", "Split it up.")
    return JobFile(name, module, ignores_in(text))


def _parsed(name: str, source: str) -> ast.Module:
    with warnings.catch_warnings():  # Python warns of odd escapes, which are no mistakes of the job
        warnings.simplefilter("ignore")
        module = ast.parse(source)
        compile(module, name, "exec")  # what only the compiler sees: a return outside of a function
    return module
