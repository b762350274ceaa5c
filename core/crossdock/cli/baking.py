"""Templates: what they ask, and the folder that is made of the answers."""

import json
import logging
import re
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crossdock.errors import InputError, PluginError


def answers(template: str, given: dict[str, str]) -> dict[str, Any]:
    """Give all answers that a template needs: those that were given, and those that follow from them."""
    _need_cookiecutter()
    from cookiecutter.environment import StrictEnvironment
    from cookiecutter.prompt import render_variable  # imported late: no other command needs it

    asked = json.loads(_folder(template).joinpath("cookiecutter.json").read_text(encoding="utf-8"))
    environment, known = StrictEnvironment(context={"cookiecutter": asked}), dict[str, Any]()
    for name, default in asked.items():
        first = default[0] if isinstance(default, list) else default
        known[name] = given[name] if name in given else render_variable(environment, first, known)
    return known


def bake(template: str, answers: dict[str, Any], folder: str = ".") -> Path:
    """Fill in a template, and give the new folder; there is none if that fails.

    Raises:
        InputError: The folder can't be written.
        SystemExit: The template refuses the answers, and has said why.
    """
    _need_cookiecutter()
    from cookiecutter.exceptions import CookiecutterException, FailedHookException
    from cookiecutter.generate import generate_files

    logging.getLogger("cookiecutter").setLevel(logging.CRITICAL)  # what it raises is enough
    with as_file(_folder(template)) as source:
        try:
            with TemporaryDirectory(prefix=".crossdock-new-", dir=folder) as half:
                made = Path(generate_files(str(source), {"cookiecutter": answers}, output_dir=half))
                return made.rename(Path(folder, made.name))
        except FailedHookException:
            raise SystemExit(2) from None
        except (CookiecutterException, OSError) as error:
            raise InputError(f"it can't be made here: {error}", fix="Try another folder.") from error


def changes(template: str) -> list[tuple[int, str]]:
    """Give what its changelog says of each version of a template."""
    text = _folder(template).joinpath("CHANGELOG.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (\d+)$", text, flags=re.MULTILINE)
    return [(int(number), said.strip()) for number, said in zip(parts[1::2], parts[2::2], strict=True)]


def _folder(template: str) -> Any:
    return files("crossdock").joinpath("scaffold", template)


def _need_cookiecutter() -> None:
    try:
        import cookiecutter  # noqa: F401 (only to see whether it is there)
    except ImportError:
        raise PluginError(
            "the templates need cookiecutter, which is not installed", fix="Install it: pip install 'crossdock[new]'."
        ) from None
