import io
import threading

import pyarrow as pa
import pytest
from pyarrow import csv as pacsv

from datumaro_openimages_plugin.tables import lent


@pytest.mark.parametrize("small", [0, 5, 11, 12, 13, 100])
def test_rows_are_read_and_the_file_stays_open(small, monkeypatch):
    monkeypatch.setattr(lent, "_SMALL", small)
    file = io.BytesIO(b"a,b\n1,2\n3,4\n")
    read = pa.Table.from_batches(lent.batches(file))
    assert read.to_pydict() == {"a": [1, 3], "b": [2, 4]}
    assert not file.closed


@pytest.mark.parametrize("content", [b"a\n1\n", b"a\n1\n2,3\n"], ids=["good", "bad"])
def test_reading_ends_when_the_threads_of_arrow_are_done(monkeypatch, content):
    held = []

    def open_csv(file, **options):
        held.append(file)
        threading.Timer(0.05, held.clear).start()
        return real(file, **options)

    real = pacsv.open_csv
    monkeypatch.setattr(lent, "_SMALL", 0)
    monkeypatch.setattr(lent.pacsv, "open_csv", open_csv)
    try:
        list(lent.batches(io.BytesIO(content)))
    except pa.ArrowInvalid:
        assert content.count(b",")
    assert not held


def test_a_file_that_is_never_given_back_is_not_waited_for_for_ever(monkeypatch):
    held = []

    def open_csv(file, **options):
        held.append(file)
        return iter(())

    monkeypatch.setattr(lent.pacsv, "open_csv", open_csv)
    monkeypatch.setattr(lent, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(lent, "_SMALL", 0)
    assert list(lent.batches(io.BytesIO())) == []
    assert held


def test_a_small_file_is_not_lent(monkeypatch):
    monkeypatch.setattr(lent, "_Lent", None)
    read = pa.Table.from_batches(lent.batches(io.BytesIO(b"a\n1\n")))
    assert read.to_pydict() == {"a": [1]}


@pytest.mark.parametrize("content", [b"", b"a\n1\n2,3\n"])
def test_what_is_no_table(content):
    with pytest.raises(pa.ArrowInvalid):
        list(lent.batches(io.BytesIO(content)))
