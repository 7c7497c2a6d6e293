"""Lets tox find the interpreters that pyenv has installed."""

from __future__ import annotations

import os
from pathlib import Path


def _pyenv_folders() -> list[str]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return [str(path) for path in sorted(root.glob("versions/3.*/bin"))]


# tox looks for interpreters on PATH; behind pyenv's shims it would find only one of them.
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", ""), *_pyenv_folders()])
