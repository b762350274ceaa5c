"""XML that is read element by element: stream_xml."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from crossdock.common.xml.errors import MAX_NODES
from crossdock.common.xml.form import Form
from crossdock.errors import ArgumentError

if TYPE_CHECKING:
    from lxml.etree import _Element


_CHUNK = 65_536
_NAME = r"[^\W\d][\w.-]*(?::[^\W\d][\w.-]*)?"
_PATH = re.compile(f"/?{_NAME}(?:/{_NAME})*")


def stream_xml(
    source: IO[bytes] | Iterable[bytes],
    element: str,
    *,
    namespaces: Mapping[str, str] | None = None,
    max_nodes: int = MAX_NODES,
) -> Iterator[Any]:
    """Give the elements with a name one by one, out of a document of any size.

    Nothing else is held in memory. An element with that name inside of another one is part of it.

    Args:
        source: A file that is open in binary mode, or the document's bytes in pieces.
        element: The name as ``parse_xml`` gives it, anywhere in the document, or the path of names
            from the root: ``"people/person"``.
        namespaces: As for ``parse_xml``.
        max_nodes: The most elements and attributes that one element may hold.

    Returns:
        A lazy iterator of what ``parse_xml`` would have under that name.

    Raises:
        XmlError: As from ``parse_xml``, when the iterator reaches the place, after the elements before it.

    Example:
        >>> import io
        >>> file = io.BytesIO(b'<people><person id="7"/><person id="8"><name>Amina</name></person></people>')
        >>> list(stream_xml(file, "people/person"))
        [{'@id': '7'}, {'@id': '8', 'name': 'Amina'}]

        In a job, where each person is sent before the next one is read:

        >>> from crossdock import each
        >>> from crossdock.adaptors import http
        >>> def people(state):
        ...     with open(state.path, "rb") as file:
        ...         yield from stream_xml(file, "people/person")
        >>> each(people, http.post("/people", json=state.data))  # doctest: +SKIP
    """
    return _elements(_chunks(source), _Place(element, namespaces), max_nodes)


def _chunks(source: Any) -> Iterable[bytes]:
    if hasattr(source, "read"):
        return iter(lambda: source.read(_CHUNK), b"")
    if isinstance(source, str | bytes) or not isinstance(source, Iterable):
        raise ArgumentError(
            f"stream_xml got a {type(source).__name__} to read from",
            fix="Give a file that is open in binary mode, open(path, 'rb'), or a list of bytes.",
        )
    return source


def _elements(chunks: Iterable[bytes], place: "_Place", max_nodes: int) -> Iterator[Any]:
    from crossdock.common.xml.reader import Reader  # imported late: few jobs read XML, and lxml takes 30 ms

    reader = Reader(chunks, element=place.local_name, max_nodes=max_nodes)
    form = place.form
    current: _Element | None = None
    for events in reader:
        for kind, subject in events:
            if kind == "end":
                if subject is current:
                    yield form.value(current)
                    current, form.declarations = None, 0
            elif kind == "start":
                if current is None and place.holds(subject):
                    current = subject
            else:
                form.declarations += 1
        reader.drop(keep=current)


class _Place:
    """Where the elements stand that a stream gives.

    Args:
        path: Their name, or the path of names from the root.
        namespaces: The prefixes that the job chose.
    """

    def __init__(self, path: str, namespaces: Mapping[str, str] | None) -> None:
        if not _PATH.fullmatch(path):
            raise ArgumentError(f"stream_xml got {path!r:.200} for the element", fix='Give "name" or "root/name".')
        *self._above, self._name = path.strip("/").split("/")
        for name in (*self._above, self._name):
            _check_prefix(name, namespaces)
        self.form = Form(namespaces)
        self.local_name = self._name.rpartition(":")[2]
        self._anywhere = "/" not in path
        self._parent: object = self  # stands for none: that of the root is None

    def holds(self, element: "_Element") -> bool:
        """Tell whether an element is one of them."""
        if element.tag != self._name and self.form.name(element) != self._name:
            return False
        if self._anywhere or element.getparent() is self._parent:  # mostly it is that of the element before
            return True
        ancestors = [self.form.name(ancestor) for ancestor in element.iterancestors()]
        if ancestors[::-1] != self._above:
            return False
        self._parent = element.getparent()
        return True


def _check_prefix(name: str, namespaces: Mapping[str, str] | None) -> None:
    prefix = name.rpartition(":")[0]
    if prefix and namespaces is not None and prefix not in namespaces:
        raise ArgumentError(f"the prefix of {name!r} has no namespace", fix=f"Add {prefix!r} to namespaces.")
