"""The command as a whole: help, exit codes, errors."""

from __future__ import annotations

import importlib
import inspect
import logging
import subprocess
import sys

import pytest

from datumaro_openimages_plugin import cli
from datumaro_openimages_plugin.errors import FormatError


@pytest.fixture(autouse=True)
def plain_logging(monkeypatch):
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    for name in cli.COMMANDS:
        assert f"    {name} " in text


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_explains_itself_with_examples(name, capsys):
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    text = capsys.readouterr().out
    assert "Examples:" in text and f"datum-openimages {name} " in text and "--quiet" in text


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from datumaro_openimages_plugin import cli\n"
        "cli.build_parser().format_help()\n"
        "print(*({m.split('.')[0] for m in sys.modules} & {'datumaro', 'numpy', 'pyarrow'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_command_has_a_module_and_every_module_is_a_command():
    for name in cli.COMMANDS:
        module = cli.command_module(name)
        assert list(inspect.signature(module.run).parameters) == ["args"]
        assert list(inspect.signature(module.add_arguments).parameters) == ["parser"]


def test_without_a_command(capsys):
    assert cli.main([]) == cli.UNUSABLE
    assert "usage: datum-openimages" in capsys.readouterr().out


def failing(error):
    def run(args):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (FormatError("is\nodd", file="a.csv", row=3), 2, "a.csv, row 3: is odd"),
        (FileNotFoundError(2, "there is none", "x"), 2, "x: there is none"),
        (KeyboardInterrupt(), 130, None),
    ],
)
def test_errors_of_users_are_one_line(error, code, text, monkeypatch, capsys):
    monkeypatch.setattr(importlib.import_module(f"{cli.__name__}.info"), "run", failing(error))
    assert cli.main(["info", "x"]) == code
    expected = "" if text is None else f"datum-openimages info: {text}\n"
    assert capsys.readouterr().err == expected


def test_our_own_errors_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(
        importlib.import_module(f"{cli.__name__}.info"), "run", failing(KeyError("x"))
    )
    with pytest.raises(KeyError):
        cli.main(["info", "x"])


def test_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "datumaro_openimages_plugin.cli", "info", "missing"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "datum-openimages info: missing: there is no such folder or zip\n"


@pytest.mark.parametrize(
    "line",
    [
        "download F --kinds boxes --subsets test --jobs 0",
        "download F --kinds boxes --subsets test --retries -1",
        "download F --kinds boxes --subsets test --timeout 0",
        "download F --kinds boxes --subsets test --timeout nan",
        "download F --kinds boxes --subsets test --timeout inf",
        "download F --kinds boxes --subsets test --images --max-images 0",
        "subset D T --max-images 0",
        "check D --limit -1",
        "preview D --images -3",
    ],
)
def test_numbers_that_mean_nothing_are_refused(line, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(line.split())
    assert ended.value.code == cli.UNUSABLE
    assert f"{line.split()[-1]} is not a number from" in capsys.readouterr().err
