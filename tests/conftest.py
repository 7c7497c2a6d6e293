"""Fixtures of several test files."""

from __future__ import annotations

import subprocess

import pytest

from datumaro_openimages_plugin.loader import register


@pytest.fixture(autouse=True)
def registered():
    """Ours in place of the built-in, as where the wheel is installed, whatever ran before."""
    register()


@pytest.fixture
def mounted():
    """Mounts for the time of a test."""
    points = []

    def mount(point, *arguments):
        if subprocess.run(["mount", *arguments, str(point)], capture_output=True).returncode:
            pytest.skip("mounting is not allowed")
        points.append(point)

    yield mount
    for point in points:
        # Lazily, since what is read of a dataset is held open.
        subprocess.run(["umount", "-l", str(point)], check=True)
