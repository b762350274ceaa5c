"""The operations that an OpenAPI document describes, as far as an adaptor needs them."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from crossdock.cli.openapi.document import Part
from crossdock.cli.openapi.naming import free, snake
from crossdock.cli.openapi.text import literal, prose, sentence
from crossdock.cli.openapi.types import Typed, type_of

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
_READS = frozenset({"get", "head"})
_PLACE = re.compile(r"\{([^{}]+)\}")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w.+-]+=[\w.+-]+)*", re.ASCII)
"""One that may be sent; ``text/*`` may not."""

_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
"""The name of a header (RFC 9110, section 5.1)."""

_IGNORED = frozenset({"accept", "content-type", "authorization"})
"""Headers that a document can't describe as parameters (OpenAPI 3.1, 4.8.12.1)."""

_SEPARATORS = {"form": ",", "simple": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
_BODIES = {"application/x-www-form-urlencoded": "form", "multipart/form-data": "multipart"}


class Parameter(NamedTuple):
    """What an operation is given: its name in Python and in the API, and where it goes."""

    name: str
    called: str
    place: str
    type: Typed
    required: bool
    doc: str
    separator: str = ""
    """What the items of a list are joined with, where they are not sent one by one."""
    deep: bool = False
    """Whether each entry of a mapping is a parameter ``name[key]`` of its own."""


class Body(NamedTuple):
    """How the body of a request goes: the option of the client, and the media type, unless that follows from it."""

    option: str
    media_type: str | None
    files: tuple[str, ...] = ()
    """The parts that are files."""


class Described(NamedTuple):
    """One operation."""

    name: str
    method: str
    path: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    summary: str
    description: str

    @property
    def effect(self) -> str:
        """Whether it reads or writes."""
        return "read" if self.method in _READS else "write"

    @property
    def required(self) -> list[Parameter]:
        """What it can't do without, in the order of its signature."""
        order = ("path", "query", "header", "body")
        return sorted((p for p in self.parameters if p.required), key=lambda p: order.index(p.place))

    @property
    def optional(self) -> list[Parameter]:
        """What may be left out."""
        return [parameter for parameter in self.parameters if not parameter.required]


class Api(NamedTuple):
    """What a document describes: the operations that are made, and why others are not."""

    operations: tuple[Described, ...]
    left_out: tuple[str, ...]


def api_of(document: Part) -> Api:
    """List the operations of a document.

    Raises:
        InputError: The document is not as OpenAPI has it, or describes no operation that can be made.
    """
    paths, taken = document.need("paths", "the operations of the API"), {"Configuration"}
    made, left_out = list[Described](), list[str]()
    for path, method, item, described in _all(paths):
        reason = _unfit(path, item, described)
        if reason:
            left_out.append(f"{method.upper()} {path!r:.80}: {reason}")
        else:
            made.append(_operation(path, method, item, described, taken))
    if not made:
        paths.refuse("describes no operation that can be made", "Add one that is not deprecated.")
    return Api(tuple(made), tuple(left_out))


def _all(paths: Part) -> Iterator[tuple[str, str, Part, Part]]:
    for path, item in paths.entries():
        if path.startswith("x-"):
            continue
        if not path.startswith("/"):
            item.refuse("is a path that does not begin with '/'", "Write the path from its first '/'.")
        for method in METHODS:
            if (described := item.get(method)) is not None:
                yield path, method, item, described


def _unfit(path: str, item: Part, described: Part) -> str:
    """Say why an operation is not made; nothing if it is."""
    if described.mapping().get("deprecated") is True:
        return "it is deprecated"
    if not path.isprintable() or re.search(r"[\s#?\\]|//|/\.{1,2}(/|$)", _PLACE.sub("x", path)):
        return "its path is none that a request can have"
    parameters = _parameters(item, described)
    if any(part.text("in") == "cookie" and _is_required(part) for part in parameters):
        return "it needs a cookie"
    if not all(_TOKEN.fullmatch(part.text("name")) for part in parameters if part.text("in") == "header"):
        return "a header has a name that HTTP does not allow"
    return "a parameter has an endless name" if any(len(literal(part.text("name"))) > 60 for part in parameters) else ""


def _operation(path: str, method: str, item: Part, described: Part, taken: set[str]) -> Described:
    name = free(snake(described.text("operationId")) or snake(f"{method} {path}"), method, taken)
    names = set[str]()
    found = [_parameter(part, names) for part in _parameters(item, described) if _counts(part)]
    content = described.get("requestBody")
    media = None if content is None else _media(content)
    if content is not None and media is not None:
        found.append(_body(content, media, free("body", "body", names)))
    summary, description = sentence(described.text("summary"), 160), sentence(described.text("description"))
    if not summary:
        first, _, rest = description.partition(". ")
        summary, description = sentence(first, 160), sentence(rest)
    return Described(
        name,
        method,
        _filled(path, found, described),
        tuple(found),
        None if media is None else _how(*media),
        summary or f"Send {method.upper()} {prose(path)} and give the answer.",
        "" if description == summary else description,
    )


def _parameters(item: Part, described: Part) -> list[Part]:
    """Give the parameters of an operation: those of its path, unless it has its own of that name."""
    known = dict[tuple[str, str], Part]()
    for part in (item, described):
        given = part.get("parameters")
        for parameter in given.items() if given is not None else ():
            place = parameter.need("in", "where it goes, such as query")
            if place.value not in ("path", "query", "header", "cookie"):
                place.refuse("is no place of a parameter", "Write path, query, header or cookie.")
            parameter.need("name", "what the API calls it")
            known[parameter.text("in"), parameter.text("name")] = parameter
    return list(known.values())


def _counts(part: Part) -> bool:
    place, name = part.text("in"), part.text("name")
    old = part.mapping().get("deprecated") is True and not _is_required(part)
    return not (old or place == "cookie" or (place == "header" and name.lower() in _IGNORED))


def _is_required(part: Part) -> bool:
    return part.text("in") == "path" or part.mapping().get("required") is True


def _parameter(part: Part, names: set[str]) -> Parameter:
    called, place = part.text("name"), part.text("in")
    content = part.get("content")
    kind = type_of(part.get("schema"))
    style = part.text("style") or ("form" if place == "query" else "simple")
    explode = part.mapping().get("explode", style == "form" and place == "query")
    listed = kind.annotation.startswith("list[") and content is None
    return Parameter(
        free(snake(called, 40), "parameter", names),
        called,
        place,
        kind,
        _is_required(part),
        sentence(part.text("description"), 300) or f"``{prose(called)}`` in the {place}.",
        _SEPARATORS.get(style, ",") if listed and (place != "query" or explode is False) else "",
        style == "deepObject" and kind.annotation.startswith("Mapping["),
    )


def _media(content: Part) -> tuple[str, Part] | None:
    """Give the media type that a body is sent as, and what is said of it: JSON where there is a choice."""
    kinds = dict(content.need("content", "the media types of the body").entries())
    preferred = ("application/json", *(kind for kind in kinds if kind.endswith("+json")), *_BODIES, *kinds)
    return next(((kind, kinds[kind]) for kind in preferred if kind in kinds), None)


def _how(media_type: str, said: Part) -> Body:
    plain = media_type.partition(";")[0].strip().lower()
    if plain in _BODIES:
        return Body(_BODIES[plain], None, _files(said.get("schema")) if _BODIES[plain] == "multipart" else ())
    is_json = plain == "application/json" or plain.endswith("+json")
    named = plain != "application/json" and _MEDIA_TYPE.fullmatch(media_type)
    return Body("json" if is_json else "body", media_type if named else None)


def _body(content: Part, media: tuple[str, Part], name: str) -> Parameter:
    option, _, files = _how(*media)
    kind = type_of(media[1].get("schema")) if option == "json" else _PLAIN_BODIES[option]
    doc = sentence(content.text("description"), 300) or "What is sent."
    if files:
        doc = f"{doc.rstrip('.')}. The files of the run that are parts go by their names: {prose(', '.join(files))}."
    required = content.mapping().get("required") is True
    return Parameter(name, "body", "body", kind, required, doc)


def _files(schema: Part | None) -> tuple[str, ...]:
    """Give the properties of a multipart body that are files."""
    properties = schema.get("properties") if schema is not None and isinstance(schema.value, dict) else None
    given = properties.entries() if properties is not None else ()
    return tuple(name for name, part in given if _is_file(part.value))


def _is_file(schema: object) -> bool:
    """Tell whether a property is a file: in OpenAPI 3.0 by its format, in 3.1 by the type of its content."""
    return isinstance(schema, dict) and (schema.get("format") == "binary" or "contentMediaType" in schema)


_PLAIN_BODIES = {
    "body": Typed("str | bytes", "text"),
    "form": Typed("Mapping[str, Any]", {"key": "text"}),
    "multipart": Typed("Mapping[str, Any]", {"key": "text"}),
}


def _filled(path: str, parameters: list[Parameter], described: Part) -> str:
    """Write a path with the names of Python in its places."""
    names = {parameter.called: parameter.name for parameter in parameters if parameter.place == "path"}
    places = _PLACE.findall(path)
    if missing := [place for place in places if place not in names]:
        described.refuse(f"says nothing of {missing[0]!r:.60} in its path", "Add that parameter, with in: path.")
    if spare := [called for called in names if called not in places]:
        described.refuse(f"has the path parameter {spare[0]!r:.60}, and no such place in its path", "Remove it.")
    if re.search(r"[{}]", _PLACE.sub("", path)):
        described.refuse("has a path with a brace that nothing closes", "Write each parameter as {name}.")
    return _PLACE.sub(lambda match: "{" + names[match[1]] + "}", path)
