"""Ids of JSON lines are found many at once, to the same ids and errors as one by one."""

from __future__ import annotations

import random

import pytest

from datumaro_openimages_plugin.sources.archive import Folder
from datumaro_openimages_plugin.tables import json_lines
from datumaro_openimages_plugin.tables.json_lines import JsonLinesTable
from datumaro_openimages_plugin.tables.tables import Column

GOOD = ['{"image_id": "a", "caption": "c"}', '{"caption": [{"x": 1}], "image_id": "\\u00e9"}']
ODD = [
    "null", "[]", "1", "{}", "{} {}", '{"image_id": null}', '{"image_id": ""}', '{"image_id": 1}',
    '{"image_id": "a", "image_id": "b"}', '{"image_id": "\\ud800"}', '{"image_id": [], "x": {}}',
    '{"image_id": "a", "x": NaN}', '{"image_id": "a", "x": -Infinity}', '{"image_id": "a"} x',
    ' {"image_id": "a"}', '{"image_id": "a", "x": 01}', '{"image_id": "NaN"}', "{", "",
    '{"image_id": "\\ud83d\\ude00"}', '{"image_id": "a\\u0000b"}', "\ufeff" + GOOD[0],
]  # fmt: skip


def ids(tmp_path, lines):
    """The ids of lines, None for damaged ones, and the numbers of those that were reported."""
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    errors = []
    table = JsonLinesTable(Folder(str(tmp_path)), "t.jsonl")
    rows = table.read([Column("ImageID")], errors.append)
    return [text or None for text in rows.text["ImageID"].to_pylist()], [e.row for e in errors]


@pytest.mark.parametrize("odd", ODD, ids=ascii)
@pytest.mark.parametrize("block", [1, 8 << 20])
def test_odd_lines(odd, block, tmp_path, monkeypatch):
    """Each one is looked at alone, and among others."""
    monkeypatch.setattr(json_lines, "_BLOCK", block)
    lines = [*GOOD, odd, *GOOD]
    found = ids(tmp_path, lines)
    assert found[0][:2] == ["a", "é"] == found[0][-2:]
    monkeypatch.setattr(json_lines, "_ids", lambda lines: None)
    assert found == ids(tmp_path, lines)


def test_random_lines(tmp_path, monkeypatch):
    together = json_lines._ids
    for seed in range(60):
        dice = random.Random(seed)
        lines = [GOOD[0], *(dice.choice(GOOD if dice.random() < 0.9 else ODD) for _ in range(9))]
        monkeypatch.setattr(json_lines, "_BLOCK", dice.choice([1, 100, 8 << 20]))
        monkeypatch.setattr(json_lines, "_ids", together)
        found = ids(tmp_path, lines)
        monkeypatch.setattr(json_lines, "_ids", lambda lines: None)
        assert found == ids(tmp_path, lines), seed
