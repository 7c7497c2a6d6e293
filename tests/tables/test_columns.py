"""Batches become columns, whatever their sizes."""

import numpy as np
import pyarrow as pa
import pytest

from datumaro_openimages_plugin.tables.columns import Collector, Column, Runs, code_type

COLUMNS = [
    Column("Text"),
    Column("Run", "run"),
    Column("Number", "number", empty=True),
    Column("Code", "code", parse=int),
]


def batch(texts, numbers, codes):
    text = pa.array(texts, pa.string())
    code = pa.array(codes, pa.string()).dictionary_encode()
    return [text, text, pa.array(numbers, pa.float64()), code]


def nothing_bad(rows):
    def report(bad, column, reason):
        pytest.fail(f"{column} {bad} {reason}")

    return report


@pytest.mark.parametrize("sizes", [[], [0], [5], [1, 0, 3], [2] * 100])
def test_batches_are_joined(sizes):
    collector = Collector(COLUMNS)
    texts, numbers, codes = [], [], []
    for n, size in enumerate(sizes):
        part = ["ab"[n // 3 % 2]] * size, [n + 0.5] * size, [str(n % 7)] * size
        collector.add(batch(*part), size)
        texts, numbers, codes = texts + part[0], numbers + part[1], codes + part[2]
    rows = collector.rows(None, nothing_bad)
    assert rows.count == len(texts)
    assert rows.valid is None
    assert rows.text["Text"].to_pylist() == texts
    runs = rows.run["Run"]
    assert np.repeat(runs.texts.to_pylist(), runs.lengths if sizes else []).tolist() == texts
    assert rows.number["Number"].tolist() == numbers
    positions, values = rows.code["Code"]
    assert positions.dtype == np.int8
    assert [values[i] for i in positions.tolist()] == [int(code) for code in codes]


def test_equal_neighbours_are_one_run():
    runs = Runs.of(pa.chunked_array([["a", "a", "b"], [], ["b", "", ""], ["a"]], pa.string()))
    assert runs.texts.to_pylist() == ["a", "b", "b", "", "a"]
    assert runs.lengths.tolist() == [2, 1, 1, 2, 1]
    assert runs.starts().tolist() == [0, 2, 3, 4, 6]


def test_bad_rows_are_reported_by_column():
    collector = Collector([*COLUMNS, Column("Needed", "number")])
    one = batch(["a", "b"], [1.0, None], ["1", "x"])
    collector.add([*one, pa.array([None, 2.0], pa.float64())], 2)
    two = batch(["c", "d"], [float("inf"), float("nan")], ["x", "2"])
    collector.add([*two, pa.array([3.0, 4.0], pa.float64())], 2)
    reported = []
    rows = collector.rows(
        None, lambda rows: lambda bad, column, _: reported.append((column, bad.tolist()))
    )
    assert reported == [("Number", [2, 3]), ("Code", [1, 2]), ("Needed", [0])]
    assert np.isnan(rows.number["Number"][[1, 3]]).all()
    assert rows.code["Code"][1] == [1, None, 2]


@pytest.mark.parametrize(("count", "dtype"), [(0, "i1"), (128, "i1"), (129, "i2"), (40000, "i4")])
def test_codes_are_small(count, dtype):
    assert code_type(count) == np.dtype(dtype).type


def test_codes_grow_with_their_number():
    collector = Collector([Column("Code", "code")])
    for n in range(0, 300, 3):
        texts = pa.array([str(n), str(n + 1), str(n + 2)], pa.string())
        collector.add([texts.dictionary_encode()], 3)
    codes, values = collector.rows(None, nothing_bad).code["Code"]
    assert codes.dtype == np.int16
    assert [values[i] for i in codes.tolist()] == [str(n) for n in range(300)]
