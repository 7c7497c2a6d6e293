"""The page for sites says what is so."""

from __future__ import annotations

import json
import re

from doc_examples import ROOT, blocks, commands, run_command

from datumaro_openimages_plugin.cvat import labels

PAGE = "docs/cvat.md"
TEXT = (ROOT / PAGE).read_text(encoding="utf-8")


def test_the_settings_and_the_check_work(cvat, capsys):
    from django.apps.registry import Apps

    settings, check = blocks(PAGE, "python")
    namespace = {"INSTALLED_APPS": []}
    exec(settings.replace("from cvat.settings.production import *", ""), namespace)
    Apps(namespace["INSTALLED_APPS"])
    exec(check, {})
    expected = re.search(r"prints `(.*?)` and `(.*?)`", TEXT)
    assert capsys.readouterr().out.split() == list(expected.groups())


def test_the_commands_work(monkeypatch, capsys, tmp_path):
    made, named, check = commands(PAGE, "labels")
    for arguments in (made, named):
        assert run_command(arguments, monkeypatch) == 0
        text = capsys.readouterr().out
        assert json.loads(text)
        (tmp_path / "labels.json").write_text(text)
    assert run_command(made, monkeypatch) == 0
    (tmp_path / "labels.json").write_text(capsys.readouterr().out)
    check[-1] = str(tmp_path / check[-1])
    assert run_command(check, monkeypatch) == 0


def test_the_table_has_every_attribute():
    table = TEXT.partition("## What it supports")[2].partition("## What changes")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")]
    for attributes in labels.ATTRIBUTES.values():
        for name, spec in attributes.items():
            (row,) = [row for row in rows if f"`{name}`" in row and row.count("yes") == 3]
            assert spec.input_type in row, name
