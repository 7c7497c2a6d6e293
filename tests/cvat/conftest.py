"""Puts the stand-in of CVAT in the place of CVAT, for one test at a time."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from cvat_tasks import HEIGHT, WIDTH, full_label

from datumaro_openimages_plugin import loader
from datumaro_openimages_plugin.cvat import formats

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


@pytest.fixture
def ours(cvat):
    formats.register()
    return cvat


@pytest.fixture
def make_task(ours):
    """Makes a task of two full labels, with frames of the given names."""
    b = ours.bindings

    def make(*records, frames=("a.jpg",), labels=None):
        if labels is None:
            labels = [full_label(b, "cat"), full_label(b, "/m/1")]
        named = [(name, HEIGHT, WIDTH) if isinstance(name, str) else name for name in frames]
        return b.TaskData(labels, named, records)

    return make
