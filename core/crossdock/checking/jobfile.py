"""A job file as the rules see it: parsed, its names followed, the uses of its functions known."""

import ast
import warnings

from crossdock.checking.finding import Code, Finding
from crossdock.checking.meanings import Meanings
from crossdock.checking.scopes import Tree
from crossdock.checking.uses import uses_of


class UnreadableError(Exception):
    """A file is no Python.

    Args:
        finding: What says so.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class JobFile:
    """A parsed file.

    Args:
        name: What findings call it.
        source: Its bytes.

    Raises:
        UnreadableError: It is no Python.
    """

    def __init__(self, name: str, source: bytes) -> None:
        self.name = name
        self.tree = Tree(_parsed(name, source))
        self.meanings = Meanings(self.tree)
        self.uses = uses_of(self.tree, self.meanings)
        self.meanings.learn(self.uses.receivers())

    def finding(self, node: ast.AST, code: Code, message: str, fix: str) -> Finding:
        """Make a finding at the line of a node."""
        return Finding(self.name, getattr(node, "lineno", 1), code, message, fix)


def _parsed(name: str, source: bytes) -> ast.Module:
    try:
        with warnings.catch_warnings():  # Python warns of odd escapes, which are no mistakes of the job
            warnings.simplefilter("ignore")
            module = ast.parse(source.decode("utf-8-sig"))
            compile(module, name, "exec")  # what only the compiler sees: a return outside of a function
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise _unreadable(name, line, f"byte {error.start} is no UTF-8", "Save the file as UTF-8.") from None
    except SyntaxError as error:
        raise _unreadable(name, error.lineno or 1, error.msg, "Correct the syntax there.") from None
    except ValueError:
        raise _unreadable(name, 1, "it holds a null byte", "Save it as plain text.") from None
    except (RecursionError, MemoryError):
        raise _unreadable(name, 1, "an expression nests too deeply", "Split it up.") from None
    return module


def _unreadable(name: str, line: int, message: str, fix: str) -> UnreadableError:
    return UnreadableError(Finding(name, line, Code.SYNTAX_ERROR, message, fix))
