"""Damaged tables: what loads because its meaning is clear, and what is refused with an address."""

from __future__ import annotations

from pathlib import Path

import pytest
from damage_data import DAMAGES, FILES, Damage, whole

from datumaro_openimages_plugin._host import ImportContext
from datumaro_openimages_plugin.errors import FormatError, OpenImagesError
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.plugin import OpenImagesExtractor

CASES = [(damage, kind) for damage in DAMAGES for kind in damage.kinds]
ROWS = [(damage, kind) for damage, kind in CASES if damage.outcome == "row"]
EVERY = pytest.mark.parametrize(("damage", "kind"), CASES, ids=[f"{d.name}-{k}" for d, k in CASES])


class Policy:
    """Takes note of what is reported."""

    def __init__(self) -> None:
        self.errors: list[FormatError] = []

    def report_annotation_error(self, error, *, item_id):
        self.errors.append(error)

    def report_item_error(self, error, *, item_id):
        self.errors.append(error)


def damaged(root, damage: Damage, kind: str):
    made = whole()
    made[FILES[kind]] = damage.do(made[FILES[kind]])
    for name, data in made.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return str(root)


def opened(root: str, **options) -> OpenImagesExtractor:
    return OpenImagesExtractor(root, kinds=list(KINDS_BY_NAME), **options)


@EVERY
def test_outcome(damage, kind, tmp_path):
    root = damaged(tmp_path, damage, kind)
    if damage.outcome == "loads":
        items = list(opened(root))
        assert [item.id for item in items] == (["a", "b"] if "no rows" not in damage.name else IDS)
        return
    with pytest.raises(OpenImagesError) as caught:
        list(opened(root))
    error = caught.value
    assert error.file == FILES[kind]
    assert damage.says in str(error), str(error)
    if damage.outcome == "row":
        assert error.row == 2
        assert str(error).startswith(f"{FILES[kind]}, row 2")


IDS = ["a", "b"]


@pytest.mark.parametrize(("damage", "kind"), ROWS, ids=[f"{d.name}-{k}" for d, k in ROWS])
def test_a_policy_gets_each_bad_row_and_the_rest_loads(damage, kind, tmp_path):
    policy = Policy()
    root = damaged(tmp_path, damage, kind)
    items = list(opened(root, ctx=ImportContext(error_policy=policy)))
    assert [(error.file, error.row) for error in policy.errors] == [(FILES[kind], 2)]
    assert "a" in [item.id for item in items]
    assert sum(len(item.annotations) for item in items if item.id == "a") >= 7


def test_the_page_says_so():
    said = {"loads": "loads", "row": "the row is refused", "file": "the file is refused"}
    page = (Path(__file__).parents[1] / "docs/damaged_files.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert dict(rows[1:]) == {damage.name: said[damage.outcome] for damage in DAMAGES}


@pytest.mark.parametrize(
    ("line", "found"),
    [("b 100", "b 100"), ("b x 200", "b x 200"), ("b 0 5", "b 0 5"), ("b -1 5", "b -1 5"),
     ("'b 1 2", "'b 1 2")],
)  # fmt: skip
def test_a_bad_line_of_sizes(line, found, tmp_path):
    none = Damage("none", lambda data: data, "loads")
    root = damaged(tmp_path, none, "images")
    (tmp_path / "annotations/images.meta").write_text(f"a 100 200\n{line}\n")
    with pytest.raises(FormatError, match=r"images.meta, row 2: expected: name, height") as caught:
        opened(root)
    assert caught.value.value == found


@pytest.mark.parametrize("text", ["", "{", "[]", '{"LabelName": 5}', '{"LabelName": "/m/r"'])
def test_a_damaged_hierarchy(text, tmp_path):
    none = Damage("none", lambda data: data, "loads")
    root = damaged(tmp_path, none, "images")
    name = "annotations/bbox_labels_600_hierarchy.json"
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError, match=name):
        opened(root)


def test_a_row_in_another_encoding_is_refused_when_it_is_asked_for(tmp_path):
    none = Damage("none", lambda data: data.replace(b"Bo", b"B\xf6"), "loads")
    items = list(opened(damaged(tmp_path, none, "images")))
    assert items[1].origin.raw.startswith(b"b,train,u,l,c,p,B\xf6,")
    with pytest.raises(FormatError, match=f"{FILES['images']}, row 2: the row is not UTF-8"):
        _ = items[1].origin.fields


def test_nothing_is_damaged_in_the_whole_dataset(tmp_path):
    none = Damage("none", lambda data: data, "loads")
    for item in opened(damaged(tmp_path, none, "images")):
        assert len(item.annotations) == 7, item.annotations
        assert item.attributes["relationships"] == [[1, "at", 1]]
