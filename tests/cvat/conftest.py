"""Puts the stand-in of CVAT in the place of CVAT, for one test at a time."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from datumaro_openimages_plugin import loader

SITE = Path(__file__).with_name("site")


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cvat"]:
        del sys.modules[name]


@pytest.fixture
def cvat(monkeypatch):
    """A CVAT that has just started: its bindings and its registry, with the stock format in it."""
    monkeypatch.syspath_prepend(str(SITE))
    _forget()
    importlib.invalidate_caches()
    loader.register()
    manager = "cvat.apps.dataset_manager"
    registry = importlib.import_module(f"{manager}.formats.registry")
    yield SimpleNamespace(
        registry=registry, bindings=importlib.import_module(f"{manager}.bindings")
    )
    _forget()
