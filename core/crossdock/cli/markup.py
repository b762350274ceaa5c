"""HTML that is safe by construction: text is escaped unless it is markup already."""

from html import escape

from crossdock.errors import printable


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *content: str, **attributes: str) -> Markup:
    """Make an HTML element.

    Args:
        name: Its name.
        content: Markup, which stays as it is, and text, which is escaped and shows its control characters.
        attributes: Its attributes; ``class_`` is ``class``.

    Example:
        >>> element("p", "1 < 2", element("b", "!"), class_="note")
        '<p class="note">1 &lt; 2<b>!</b></p>'
    """
    given = "".join(f' {key.rstrip("_")}="{_escaped(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{given}>{joined(*content)}</{name}>")


def joined(*content: str) -> Markup:
    """Put markup and text one after another."""
    return Markup("".join(part if isinstance(part, Markup) else _escaped(part) for part in content))


def _escaped(text: str) -> str:
    # A lone surrogate has no UTF-8 form, and could not be written.
    return escape(printable(text).encode("utf-8", "backslashreplace").decode())
