"""Runs the examples of a page of the documentation."""

from __future__ import annotations

import logging
import re
import shlex
from pathlib import Path

from datumaro_openimages_plugin import cli, register

ROOT = Path(__file__).parent.parent


def blocks(page, language):
    """The code blocks of one language on a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run_python(page, monkeypatch):
    """Runs a page's Python, block after block in one namespace, from the project's folder."""
    monkeypatch.chdir(ROOT)
    register()
    namespace = {}
    for code in blocks(page, "python"):
        exec(compile(code, page, "exec"), namespace)
    return namespace


def commands(page, name):
    """The lines of a page's shell blocks that call one of our commands, as arguments."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith(f"datum-openimages {name} ")]


def run_command(arguments, monkeypatch):
    """Runs one command from the project's folder; returns its exit code."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    return cli.main(arguments)
