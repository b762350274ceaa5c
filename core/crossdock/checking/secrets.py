"""Rule: secrets stand in credentials, not in jobs. No finding shows one."""

import ast
import re
from collections.abc import Iterator

from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.redaction import looks_secret

_FIX = "Move it to a credential: --credentials FILE; the job reads credentials.name.field."

_PASSWORD = re.compile(r"(?:^|[_.-])(?:password|passwd|passphrase|pwd)$")
_TOKEN = re.compile(
    r"(?:^|[_.-])(?:(?:api|access|secret|private|auth|client|subscription)[_.-]?key|apikey|token|secret|pat|authtoken)$"
)
_AUTHORIZATION = re.compile(r"^(?:Basic|Bearer|Token|ApiToken|ApiKey|Digest)\s+[\w.~+/=:-]{6,}$", re.IGNORECASE)
_IN_URL = re.compile(
    r"[a-z][a-z0-9+.-]*://[^\s/:@{}<>]+:[^\s/:@{}<>]{3,}@"
    r"|[?&](?:[\w-]*token|api[_-]?key|apikey|password|secret|sig)=[^\s&{}<>%]{6,}",
    re.IGNORECASE,
)
_KNOWN_FORMS = re.compile(
    r"\b(?:gh[pousr]_\w{30,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{20,}|AKIA[0-9A-Z]{16}|[rs]k_live_\w{20,}|d2pat_\w{30,}"
    r"|SG\.[\w-]{16,}\.[\w-]{30,}|AIza[\w-]{30,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_REFERENCE = re.compile(r"^(?:[a-z][a-z0-9+-]*:|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$)")
"""What stands for a secret that is kept elsewhere: ``env:NAME``, or the name of a variable."""
_HEADERS = frozenset({"authorization", "proxy-authorization", "auth_header"})
REFERENCE = re.compile(r"[a-z][a-z0-9+.-]*:(?!//).+")
"""Where a secret is kept: ``env:NAME``, ``file:PATH``, and what vaults add."""
_PLACEHOLDER = re.compile(r"[{}<>\s…]|\.\.\.|\*\*\*|xxx|your|example|changeme|placeholder", re.IGNORECASE)
_COLUMN = re.compile(r"^[a-z]+(?:[_./][a-z0-9]+)+$")
"""The name of a field or column, not a value of one."""


def secrets(file: JobFile) -> Iterator[Finding]:
    """Find secrets that are written into the file."""
    found: dict[ast.AST, str] = {}
    for name, value in _named(file):
        if _is_secret(name, value):
            found[value] = f"a secret is written here as {name!r}"
    prose = _docstrings(file)
    for text in file.tree.all(ast.Constant):
        what = _form_of(text.value) if isinstance(text.value, str) and text not in prose else None
        if what:
            found.setdefault(text, what)
    for node, message in found.items():
        yield file.finding(node, Code.SECRET_INLINE, message, _FIX)


def _named(file: JobFile) -> Iterator[tuple[str, ast.expr]]:
    """Give every value that has a name: options, keys of dicts, variables."""
    tree = file.tree
    for call in tree.all(ast.Call):
        yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg is not None)
    for mapping in tree.all(ast.Dict):
        for key, value in zip(mapping.keys, mapping.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
    for statement in tree.all(ast.Assign):
        yield from ((target.id, statement.value) for target in statement.targets if isinstance(target, ast.Name))


def _is_secret(name: str, value: ast.expr) -> bool:
    text = _text_of(value)
    if text is None or not looks_secret(name):
        return False
    name = _snake(name)
    if name in _HEADERS:
        return _AUTHORIZATION.search(text.strip()) is not None
    if _REFERENCE.search(text) or _PLACEHOLDER.search(text) or text.lower() == name or _COLUMN.search(text):
        return False
    if _PASSWORD.search(name):
        return len(text) >= 4
    return _TOKEN.search(name) is not None and len(text) >= 8 and any(c.isdigit() for c in text)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def secret_in(name: str, text: str) -> bool:
    """Tell whether a text in a file of settings or credentials is a secret, and no reference to one.

    Args:
        name: The key that it stands under.
        text: The value.

    Example:
        >>> secret_in("password", "hush"), secret_in("password", "env:PASSWORD"), secret_in("user", "amina")
        (True, False, False)
    """
    name = _snake(name)
    if name in _HEADERS:
        return _AUTHORIZATION.search(text.strip()) is not None
    is_named = _PASSWORD.search(name) is not None or _TOKEN.search(name) is not None
    return (is_named and bool(text) and REFERENCE.fullmatch(text) is None) or _form_of(text) is not None


def _text_of(node: ast.expr) -> str | None:
    """Give a literal text, also one that is put together of literal texts."""
    parts: list[str] = []
    while isinstance(node, ast.BinOp) and isinstance(node.right, ast.Constant) and isinstance(node.right.value, str):
        parts.append(node.right.value)
        node = node.left
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "".join([node.value, *reversed(parts)])
    return None


def _form_of(text: str) -> str | None:
    """Say what a text is that is a secret by its own form."""
    if _IN_URL.search(text):
        return "a secret is written into the address here"
    return "a secret is written here: it has the form of an access token" if _KNOWN_FORMS.search(text) else None


def _docstrings(file: JobFile) -> set[ast.AST]:
    """Give the texts that are bare statements: they are for people."""
    return {statement.value for statement in file.tree.all(ast.Expr)}
