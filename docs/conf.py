"""How the documentation is built: `make docs`."""

import sys
from importlib import metadata
from pathlib import Path

from crossdock.cli import add_commands

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
add_commands()  # so that the reference of the command line finds them

project = "crossdock"
author = "The crossdock developers"
release = metadata.version("crossdock")
copyright = f"2026, {author}"  # noqa: A001 (the name is Sphinx's)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click", "reference"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]
exclude_patterns = ["_build"]

autodoc_typehints_format = "short"
autodoc_member_order = "alphabetical"
autodoc_preserve_defaults = True
if not tags.has("one_line_signatures"):  # noqa: F821 (Sphinx gives it)
    python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True
add_module_names = False

smartquotes = False  # an option is written with two hyphens

html_theme = "furo"
html_title = f"crossdock {release}"
html_copy_source = False
html_show_sphinx = False
