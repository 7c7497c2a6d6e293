"""Large files are read in parts, to the same columns as in one go."""

import threading

import numpy as np
import pytest

from datumaro_openimages_plugin.annotations.values import flag_from_text
from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.sources import packed
from datumaro_openimages_plugin.sources.archive import Folder
from datumaro_openimages_plugin.tables import lent, plain_csv, tables
from datumaro_openimages_plugin.tables.tables import Column, CsvTable

COLUMNS = [
    Column("ImageID", "run"),
    Column("LabelName", "code"),
    Column("XMin", "number", fraction=True),
    Column("IsOccluded", "flag", parse=flag_from_text),
    Column("Source"),
]
HEADER = "ImageID,Source,LabelName,XMin,IsOccluded\n"
LINES = [f"id{n // 7},s{n},/m/{n // 90},{n / 1000},{n % 3 - 1}\n" for n in range(1000)]


@pytest.fixture
def parts(monkeypatch):
    """The parts that were read, and by which threads."""
    read = []

    class Seen(plain_csv.PlainCsv):
        def _part(self, *args):
            read.append(threading.get_ident())
            return super()._part(*args)

    monkeypatch.setattr(packed, "_SMALL", 0)
    monkeypatch.setattr(plain_csv, "_LEAST", 500)
    monkeypatch.setattr(tables, "PlainCsv", Seen)
    monkeypatch.setattr(tables.pa, "cpu_count", lambda: 5)
    return read


def opened(tmp_path, lines, end=""):
    (tmp_path / "t.csv").write_bytes((HEADER + "".join(lines) + end).encode())
    return CsvTable(Folder(str(tmp_path)), "t.csv")


def read(table, on_error=None):
    """All values of a table, row by row."""
    errors = [] if on_error is None else on_error
    rows = table.read(COLUMNS, errors.append)
    runs = rows.run["ImageID"]
    ids = np.repeat(np.array(runs.texts.to_pylist(), object), runs.lengths).tolist()
    assert on_error is not None or not errors
    columns = [ids, rows.number["XMin"].tolist(), rows.text["Source"].to_pylist()]
    for name in ("LabelName", "IsOccluded"):
        codes, values = rows.code[name]
        columns.append([values[code] for code in codes.tolist()])
    return list(zip(*columns, strict=True)), rows.code["LabelName"][1]


def expected(lines):
    fields = [line.strip().replace('"', "").split(",") for line in lines]
    return [(f[0], float(f[3]), f[1], f[2], flag_from_text(f[4])) for f in fields]


@pytest.mark.parametrize("end", ["", "id9,s,/m/1,0.5,0", "\n\n"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_parts_give_what_the_whole_gives(tmp_path, parts, line_end, end):
    table = opened(tmp_path, [line.replace("\n", line_end) for line in LINES], end)
    values, labels = read(table)
    assert values == expected([*LINES, end] if end.strip() else LINES)
    # The order in which labels are seen first is the file's.
    assert labels == list(dict.fromkeys(value[3] for value in values))
    assert len(parts) == 5
    assert parts.count(threading.get_ident()) == 1


def test_only_the_thread_that_reads_is_told_how_far_it_is(tmp_path, parts):
    table = opened(tmp_path, LINES)
    told = []
    table.moved = lambda size: told.append((threading.get_ident(), size))
    read(table)
    assert {thread for thread, _ in told} == {threading.get_ident()}
    assert sum(size for _, size in told) == len("".join(LINES))
    assert len(parts) == 5


@pytest.mark.parametrize("row", [0, 700, 999])
def test_files_with_quotes_are_read_in_one_go(tmp_path, parts, row):
    lines = list(LINES)
    lines[row] = f'"id,{row}",s,/m/0,0.5,1\n'
    values, _ = read(opened(tmp_path, lines))
    assert values[row] == (f"id,{row}", 0.5, "s", "/m/0", True)
    others = [n for n in range(1000) if n != row]
    assert [values[n] for n in others] == expected([LINES[n] for n in others])


def test_a_row_that_is_quoted_over_a_line_end_is_never_cut(tmp_path, parts):
    lines = [f'x,"s\n{n}",/m/0,0.5,1\n' for n in range(300)]
    lines[0] = LINES[0]
    table = opened(tmp_path, LINES[:300] + lines)
    values, _ = read(table)
    assert [value[2] for value in values[301:]] == [f"s\n{n}" for n in range(1, 300)]


def test_a_byte_order_mark_inside_the_file_is_text(tmp_path, parts):
    lines = ["\ufeff" + line for line in LINES]
    values, _ = read(opened(tmp_path, lines))
    assert [value[0] for value in values[1:]] == [f"\ufeffid{n // 7}" for n in range(1, 1000)]


def test_a_bad_number_in_a_later_part_is_named(tmp_path, parts):
    lines = [*LINES[:800], "id,s,/m/0,0.x5,1\n", *LINES[801:]]
    errors = []
    read(opened(tmp_path, lines), errors)
    assert [(error.row, error.column) for error in errors] == [(801, "XMin")]
    lines[800] = "id,s,/m/0,nan,1\n"
    errors = []
    read(opened(tmp_path, lines), errors)
    assert [(error.row, error.column) for error in errors] == [(801, "XMin")]


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1.0", True), ("", None)])
def test_flags_that_are_no_whole_numbers_are_understood(tmp_path, parts, text, value):
    lines = [*LINES[:800], f"id,s,/m/0,0.5,{text}\n", *LINES[801:]]
    values, _ = read(opened(tmp_path, lines))
    assert values[800][-1] is value
    assert values[:800] == expected(LINES[:800])


@pytest.mark.parametrize("text", ["2", "-128", "1000", "x"])
def test_other_flags_are_refused(tmp_path, parts, text):
    table = opened(tmp_path, [*LINES[:800], f"id,s,/m/0,0.5,{text}\n", *LINES[801:]])

    def fail(error):
        raise error

    with pytest.raises(FormatError, match=f"row 801, column IsOccluded.*{text}.*is not a flag"):
        table.read(COLUMNS, fail)


def test_small_files_and_files_without_line_ends_are_not_cut():
    text = b"x" * 100_000

    def read_at(size, offset):
        return text[offset : offset + size]

    assert plain_csv.part_bounds(read_at, 0, 100_000, 2) is None
    text = b"x" * (8 << 20)
    assert plain_csv.part_bounds(read_at, 0, len(text), 2) is None
    text = b"xy\n" * (2 << 20)
    assert plain_csv.part_bounds(read_at, 0, len(text), 2) == [0, 3 * (1 << 20) + 3, 6 << 20]
    assert plain_csv.part_bounds(read_at, 0, len(text), 1) is None


NOTED = "ImageID,Source,LabelName,XMin,IsOccluded,Note\n"
PLAIN = "b,s,/m/1,0,0,plain\n"
NOTE = 'q,s,/m/2,0,0,"two\nx,s,/m/3,0,0,lines"\n'


def noted(tmp_path, text):
    (tmp_path / "t.csv").write_bytes((NOTED + text).encode())
    return CsvTable(Folder(str(tmp_path)), "t.csv")


@pytest.mark.parametrize("block", range(90, 90 + len(NOTE)))
def test_blocks_that_end_inside_quotes_are_read_anew(block, tmp_path, monkeypatch):
    """Half of a quoted text may look like a row."""
    monkeypatch.setattr(plain_csv, "_BLOCK", block)
    monkeypatch.setattr(lent, "_SMALL", 1)
    table = noted(tmp_path, PLAIN * 3 + NOTE * 3 + PLAIN * 3)
    values, labels = read(table)
    assert [value[0] for value in values] == ["b"] * 3 + ["q"] * 3 + ["b"] * 3
    assert labels == ["/m/1", "/m/2"]
    assert table.count == len(values)


@pytest.mark.parametrize("before", [0, 3])
def test_a_quote_that_stays_open_takes_no_rows_away(before, tmp_path):
    rows = PLAIN * before + PLAIN.replace("plain", '"plain') + PLAIN * 5
    for text in (rows, PLAIN.replace("plain", 'a 5" disk') + rows):
        with pytest.raises(FormatError, match="is a quote open or misplaced"):
            read(noted(tmp_path, text))


def test_quotes_inside_of_a_field_are_text(tmp_path):
    rows = [PLAIN.replace("plain", note) for note in ('a 5" disk', 'a "', '"a ""b"', "", '"')]
    rows[-1] = PLAIN.replace("plain", '"c"')
    table = noted(tmp_path, "".join(rows))
    assert len(read(table)[0]) == len(rows) == table.count


def test_a_byte_order_mark_below_the_header_is_no_text(tmp_path):
    table = noted(tmp_path, "\ufeff" + PLAIN + "\ufeff" + PLAIN + PLAIN)
    values, _ = read(table)
    assert [value[0] for value in values] == ["b", "\ufeffb", "b"]
    assert [table.values(row)[0] for row in range(3)] == ["b", "\ufeffb", "b"]
    some = table.read([Column("ImageID")], lambda error: None, np.array([1, 2]))
    assert some.text["ImageID"].to_pylist() == ["\ufeffb", "b"]
