"""Reading the YAML 1.2 and JSON documents that people write, with the line of everything in them.

What a document says is never guessed: a key that stands twice, a number that would lose how it is
written (007, 1.10, 1e3) and what only older YAML knows (``<<``, ``yes`` as a boolean) are errors with
their line. Keys are texts as they are written, and so are dates. No error shows a value: it may be a
secret.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from crossdock.errors import CrossdockError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

_TAG = "tag:yaml.org,2002:"
_TEXTS = frozenset({"str", "timestamp", "value"})
_BOOLEANS = {word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())}


class DocumentFault(NamedTuple):
    """What can't be taken as it is written, and where."""

    line: int
    message: str
    fix: str


class Document:
    """What a document holds, and where.

    ``content`` is plain JSON: None, bool, int, float, str, list and dict. What YAML says once under an
    anchor and uses again is one and the same object. ``faults`` are what can't be taken as it is
    written: the content has a text in the place of a number, and nothing in that of the others.
    """

    __slots__ = ("_root", "content", "faults")

    def __init__(self, root: "Node | None") -> None:
        self._root = root
        self.faults: list[DocumentFault] = []
        self.content: Any = None if root is None else _Values(self.faults).of(root)

    def line(self, *path: str | int) -> int:
        r"""Give the line of an entry; of the innermost one that holds it if it is not there.

        Args:
            path: The keys and indices that lead to it.

        Example:
            >>> document = parse_document("kobo:\n  token: x\n", what="the file", error=CrossdockError)
            >>> document.line("kobo", "token"), document.line("kobo", "base_url"), document.line()
            (2, 1, 1)
        """
        node, line = self._root, 1
        for step in path:
            found = _entry(node, step)
            if found is None:
                break
            line, node = _line_of(found[0]), found[1]
        return line


def read_document(path: str, *, what: str, error: type[CrossdockError], all_faults: bool = False) -> Document:
    """Read a YAML or JSON file.

    Args:
        path: The file.
        what: What it is, for the error.
        error: The class of the error to raise; its details hold the ``line``, if it is of one line.
        all_faults: Leave what can't be taken as it is written to the document's ``faults``.
    """
    from pathlib import Path  # imported late: it takes as long as a quarter of core

    try:
        written = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as failure:
        raise error(f"{what} can't be read: {failure.strerror}", fix="Name an existing file.") from None
    except UnicodeDecodeError as failure:
        raise error(f"{what} is not UTF-8: byte {failure.start}", fix="Save it as UTF-8.") from None
    document = _composed(written, what, error)
    return document if all_faults else _faultless(document, what, error)


def parse_document(written: str, *, what: str, error: type[CrossdockError]) -> Document:
    """Read YAML or JSON that is a text; see ``read_document``.

    Example:
        >>> parse_document("no: [on, 0.5]", what="the file", error=CrossdockError).content
        {'no': ['on', 0.5]}
    """
    return _faultless(_composed(written, what, error), what, error)


def _composed(written: str, what: str, error: type[CrossdockError]) -> Document:
    from ruamel.yaml import YAML  # imported late: it takes 25 ms
    from ruamel.yaml.error import YAMLError

    try:
        return Document(YAML(typ="safe", pure=True).compose(written))
    except RecursionError:
        raise error(f"{what} nests too deep", fix="Write it flatter.") from None
    except YAMLError as failure:
        mark = getattr(failure, "problem_mark", None)
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        fix = "Correct it there; quote values that hold ':' or '#'."
        if mark and _is_tab(written, mark.line, mark.column):
            where, fix = f"{where}: a tab stands there", "Indent with blanks: YAML takes no tabs for that."
        raise error(f"{what} is not valid YAML{where}", fix=fix, **{"line": mark.line + 1} if mark else {}) from None


def _is_tab(written: str, line: int, column: int) -> bool:
    return "".join(written.splitlines()[line : line + 1]).startswith("\t", column)


def _faultless(document: Document, what: str, error: type[CrossdockError]) -> Document:
    for fault in document.faults:
        raise error(f"{what} in line {fault.line}: {fault.message}", fix=fault.fix, line=fault.line)
    return document


class _Values:
    """Gives the values of nodes, of each node once."""

    def __init__(self, faults: list[DocumentFault]) -> None:
        self._faults = faults
        self._made: dict[int, Any] = {}
        self._open: set[int] = set()
        self._readers: dict[str, Callable[[Any], Any]] = {
            "map": self._mapping,
            "seq": lambda node: [self.of(item) for item in node.value],
            "null": lambda node: None,  # noqa: ARG005 - the others need it
            "bool": self._boolean,
            "int": lambda node: self._number(node, int),
            "float": lambda node: self._number(node, float),
            **dict.fromkeys(_TEXTS, lambda node: node.value),
        }

    def of(self, node: "Node") -> Any:
        """Give the value of a node."""
        identity = id(node)
        if identity in self._open:
            self._fault(node, "what an anchor names holds itself", "Write it out.")
            return None
        if identity not in self._made:
            self._open.add(identity)
            self._made[identity] = self._reader(node)(node)
            self._open.discard(identity)
        return self._made[identity]

    def _reader(self, node: "Node") -> Callable[[Any], Any]:
        return self._readers.get(str(node.tag).removeprefix(_TAG), self._tagged)

    def _fault(self, node: "Node", message: str, fix: str) -> None:
        self._faults.append(DocumentFault(_line_of(node), message, fix))

    def _tagged(self, node: "Node") -> None:
        self._fault(node, "a tag that JSON has nothing for", "Remove the tag that starts with '!'.")

    def _mapping(self, node: "MappingNode") -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value
            if key.tag == f"{_TAG}merge":
                self._fault(key, "takes entries over with <<", "Write them out.")
            elif not isinstance(name, str):
                self._fault(key, "a key that is no text", "Write a text before the colon.")
            elif name in result:
                self._fault(key, f"the key {name!r:.60} stands twice", "Remove one of them.")
            else:
                result[name] = self.of(value)
        return result

    def _boolean(self, node: "ScalarNode") -> bool | None:
        if node.value in _BOOLEANS:
            return _BOOLEANS[node.value]
        self._fault(node, "a word that only YAML 1.1 takes for a boolean", "Write true or false, or quote it.")
        return None

    def _number(self, node: "ScalarNode", kind: type[int] | type[float]) -> int | float | str:
        try:
            number = kind(node.value)
        except ValueError:
            number = None
        if number is not None and str(number) == node.value:
            return number
        fix = "Quote it, or write it plainly: 7, -3, 0.5."
        self._fault(node, "a number that would not be kept as it is written", fix)
        return str(node.value)


def _entry(node: "Node | None", step: str | int) -> "tuple[Node, Node] | None":
    """Give what marks the place of an entry, and the entry."""
    if node is None or not isinstance(node.value, list):
        return None
    if node.tag == f"{_TAG}seq":
        return next(((item, item) for index, item in enumerate(node.value) if index == step), None)
    return next(((key, value) for key, value in node.value if key.value == step), None)


def _line_of(node: "Node") -> int:
    return int(node.start_mark.line) + 1
