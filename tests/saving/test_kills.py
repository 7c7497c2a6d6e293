"""Datasets whose saving is killed, by the program that does it more often when run by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks/kills.py"


@pytest.mark.skipif(sys.platform != "linux", reason="forks, and exchanges folders")
def test_killed_while_saving():
    """A new folder, over another dataset, a zip, in place; each by exchange and by journal."""
    command = [sys.executable, str(PROGRAM), "--kills", "2", "--images", "30", "--seed", "7"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    header, *rows, total = [line.split() for line in done.stdout.splitlines()]
    assert len(rows) == 8 and header[0] == "kills"
    assert total[:2] == ["all", "16"] and int(total[2]) + int(total[3]) == 16
