"""How Sphinx builds these pages; `tox -e docs` does."""

from __future__ import annotations

from typing import Any

from datumaro_openimages_plugin import __version__

project = "datumaro-openimages-plugin"
author = "the datumaro-openimages-plugin authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {__version__}"

myst_heading_anchors = 3
smartquotes = False  # options begin with two hyphens
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # signatures are in the text, and Datumaro's types have no pages
napoleon_google_docstring = True

# Servers that cannot be reached say nothing about links; see check_links.py.
linkcheck_timeout = 20
linkcheck_anchors = False


def _from_datumaro(
    app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Turns Datumaro's marks for its own help, ``|n`` and ``|s``, into reStructuredText."""
    if not any("|n" in line for line in lines):
        return
    result: list[str] = []
    for line in "\n".join(lines).replace("|n", "").splitlines():
        if line.startswith("- "):  # what an example is for, above the example
            result += ["", line[2:].rstrip().rstrip(":") + "::", ""]
        elif line.lstrip().startswith("|s"):
            result.append("    " + line.lstrip().replace("|s", ""))
        else:
            result.append(line)
    lines[:] = ["**Examples**" if line.strip() == "Examples:" else line for line in result]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _from_datumaro, priority=400)
