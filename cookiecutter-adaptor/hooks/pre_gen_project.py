"""Refuse answers that no package can be made of."""

import keyword
import re
import sys

SYSTEM, MODULE = {{ cookiecutter.system_name | jsonify }}, {{ cookiecutter.__module | jsonify }}
TEXTS = {"author": {{ cookiecutter.author | jsonify }}, "description": {{ cookiecutter.description | jsonify }}}


def refuse(reason: str, fix: str) -> None:
    sys.exit(f"crossdock: {reason}\n  fix: {fix}")


if not re.fullmatch(r"[\w .,&()/+-]{1,40}", SYSTEM):
    refuse(f"{SYSTEM!r} can't be the name of a system: it is 1 to 40 letters, digits, blanks or .,&()/+-", "Shorten it, or leave the other characters out.")
if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", MODULE):
    refuse(f"the adaptor would be called {MODULE!r}: its name begins with a letter and has at most 40 of a-z, 0-9 and _", "Choose another name for the system.")
if MODULE in {{ cookiecutter._taken | jsonify }}.split():
    refuse(f"there is a package crossdock-{MODULE} already", "Use it, or choose another name for the system.")
if keyword.iskeyword(MODULE):
    refuse(f"{MODULE!r} is a word of Python, so no job could import the adaptor", "Choose another name for the system.")
for name, text in TEXTS.items():
    if not text.strip() or not text.isprintable():
        refuse(f"the {name} is empty, or holds line breaks or control characters", f"Give the {name} in one line.")
