"""Progress: whom it is told to, and that it arrives."""

from __future__ import annotations

import sys

import oi_files
import pytest
from datumaro.components.dataset import Dataset
from datumaro.components.progress_reporting import NullProgressReporter, ProgressReporter

from datumaro_openimages_plugin._host import ExportContext, ImportContext
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor
from datumaro_openimages_plugin.progress import Bar, Steps, reporter_of, tracked


class Told(ProgressReporter):
    """Takes note of what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    @property
    def period(self) -> float:
        return 0.1

    def start(self, total, *, desc=None):
        self.calls.append(("start", total, desc))

    def report_status(self, progress):
        self.calls.append(("status", progress))

    def finish(self):
        self.calls.append(("finish",))


@pytest.fixture
def root(tmp_path):
    oi_files.base(tmp_path / "in")
    return tmp_path / "in"


def test_an_import_tells_the_bytes_of_its_tables(root):
    told = Told()
    OpenImagesExtractor(str(root), ctx=ImportContext(progress_reporter=told))
    tables = (root / "annotations").glob("t*.csv")
    total = sum(path.stat().st_size for path in tables)
    assert told.calls[0] == ("start", total, "Reading")
    assert told.calls[-1] == ("finish",)
    moves = [call[1] for call in told.calls[1:-1]]
    assert len(moves) > 2
    assert moves == sorted(set(moves))
    headers = 5 * 200
    assert total - headers < moves[-1] <= total


def test_an_export_tells_its_items(root, tmp_path):
    told = Told()
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(root)))
    OpenImagesExporter(
        dataset, str(tmp_path / "out"), ctx=ExportContext(progress_reporter=told)
    ).apply()
    assert told.calls == [
        ("start", 3, "Exporting"),
        ("status", 1),
        ("status", 2),
        ("status", 3),
        ("finish",),
    ]


def test_an_end_by_an_error_is_told_too():
    told = Told()

    def broken():
        yield 1
        raise ValueError

    with pytest.raises(ValueError):
        list(tracked(broken(), 2, told, "x"))
    assert told.calls == [("start", 2, "x"), ("status", 1), ("finish",)]


def test_every_hundredth_is_told_and_not_more():
    told = Told()
    with Steps(told, 10_000, "x") as steps:
        for _ in range(10_001):
            steps.done(1)
    moves = [call[1] for call in told.calls if call[0] == "status"]
    assert moves == list(range(100, 10_001, 100))


class Terminal:
    """An error output that says whether it is a terminal."""

    def __init__(self, watched: bool) -> None:
        self.watched = watched
        self.text = ""

    def isatty(self) -> bool:
        return self.watched

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("watched", "variable", "shown"), [(True, None, True), (True, "0", False), (False, None, False)]
)
def test_a_bar_of_our_own_only_where_somebody_watches(
    watched, variable, shown, root, tmp_path, monkeypatch
):
    terminal = Terminal(watched)
    monkeypatch.setattr(sys, "stderr", terminal)
    if variable is not None:
        monkeypatch.setenv("DATUMARO_OPENIMAGES_PROGRESS", variable)
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(root)))
    dataset.export(str(tmp_path / "out"), OpenImagesExporter)
    for what in ("Reading", "Exporting"):
        assert (what in terminal.text) is shown


def test_a_given_reporter_comes_first(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal(True))
    told = Told()
    assert reporter_of(ImportContext(progress_reporter=told)) is told
    null = ImportContext(progress_reporter=NullProgressReporter())
    assert isinstance(reporter_of(null), Bar)
    assert isinstance(reporter_of(None), Bar)
    assert all(isinstance(bar, Bar) for bar in Bar().split(3))
