"""Fixtures of several test files."""

from __future__ import annotations

import pytest

from datumaro_openimages_plugin.loader import register


@pytest.fixture(autouse=True)
def registered():
    """Ours in place of the built-in, as where the wheel is installed, whatever ran before."""
    register()
