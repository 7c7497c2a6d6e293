"""Opening single files: packed ones, and more of them than a process may have open."""

from __future__ import annotations

import gzip
import io
import os
import random
import shutil
import threading
import zipfile
from pathlib import Path

import oi_files
import pytest
import rich_data
from rich_data import contents, read, save

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.sources import packed, zips
from datumaro_openimages_plugin.sources.archive import Folder, open_source
from datumaro_openimages_plugin.sources.packed import open_table, read_unpacked

DATA = b"ImageID,Subset\nabc,train\n" * 20


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def source_of(root: Path, name: str, data: bytes) -> Folder:
    (root / name).write_bytes(data)
    return Folder(str(root))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", DATA),
        ("t.csv.gz", gzip.compress(DATA)),
        ("T.CSV.GZ", gzip.compress(DATA)),
        ("two parts.gz", gzip.compress(DATA[:30]) + gzip.compress(DATA[30:])),
        ("t.csv.zip", zipped(("any name", DATA))),
        ("t.zip", zipped(("folder/t.csv", DATA), ("__MACOSX/._t.csv", b"x"))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_contents(name, data, tmp_path):
    source = source_of(tmp_path, name, data)
    assert read_unpacked(source, name) == DATA
    with open_table(source, name) as file:
        assert file.readline() == b"ImageID,Subset\n"
        file.seek(15)
        assert file.read() == DATA[15:]
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.write(tmp_path / name, name)
        archive.writestr("other.csv", b"")
    assert read_unpacked(open_source(str(tmp_path / "task.zip")), name) == DATA


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("no.gz", DATA),
        ("cut.gz", gzip.compress(DATA)[:-9]),
        ("wrong sum.gz", gzip.compress(DATA)[:-8] + b"12345678"),
        ("no.zip", DATA),
        ("empty.zip", zipped()),
        ("two.zip", zipped(("a.csv", DATA), ("b.csv", DATA))),
        ("cut.zip", zipped(("a.csv", DATA))[:40]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damaged_files_are_named(name, data, tmp_path):
    with pytest.raises(FormatError, match=name):
        read_unpacked(source_of(tmp_path, name, data), name)


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped(("a.csv", data))])
def test_files_that_unpack_to_far_too_much(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "MIN_UNPACKED", 1000)
    monkeypatch.setattr(zips, "MAX_RATIO", 10)
    name = "bomb.gz" if pack is gzip.compress else "bomb.zip"
    with pytest.raises(FormatError, match="far more"):
        read_unpacked(source_of(tmp_path, name, pack(b"0" * 1_000_000)), name)


def test_a_zip_of_masks_that_unpacks_to_far_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "MIN_UNPACKED", 1000)
    monkeypatch.setattr(zips, "MAX_RATIO", 10)
    (tmp_path / "masks.zip").write_bytes(zipped(("a.png", b"0" * 1_000_000)))
    with pytest.raises(FormatError, match="far more"):
        zips.InnerZips(((str(tmp_path / "masks.zip"), ""),), "a.png")()


# Many open tables


@pytest.fixture
def no_small_tables(monkeypatch):
    monkeypatch.setattr(packed, "_SMALL", -1)


def parts(tmp_path: Path, monkeypatch, count: int) -> list:
    monkeypatch.setattr(packed, "_MOST_OPEN", 0)
    texts = [bytes([65 + i]) * (1000 + i) + b"\nend" for i in range(count)]
    return [
        (open_table(source_of(tmp_path, f"{i}.csv", text), f"{i}.csv"), text)
        for i, text in enumerate(texts)
    ]


def test_parts_of_a_common_file(no_small_tables, tmp_path, monkeypatch):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    opened = parts(tmp_path, monkeypatch, 20)
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) <= before + 1
    for file, text in opened:
        assert file.read() == text and file.read() == b""
        assert file.seek(-3, os.SEEK_END) == len(text) - 3 and file.read() == b"end"
        file.seek(0)
        assert file.readline() == text[:-3] and file.tell() == len(text) - 3
        file.seek(5000)
        assert file.read(10) == b""
    del file, opened
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) <= before


def test_parts_are_read_by_several_threads(no_small_tables, tmp_path, monkeypatch):
    opened = parts(tmp_path, monkeypatch, 4)
    wrong = []

    def check(file, text):
        for at in random.Random(0).choices(range(len(text)), k=300):
            file.seek(at)
            if file.read(100) != text[at : at + 100]:
                wrong.append(at)

    threads = [threading.Thread(target=check, args=pair) for pair in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("most", [0, 2, 1000])
@pytest.mark.parametrize("gone", [False, True], ids=["there", "deleted"])
def test_rows_of_many_tables(gone, most, no_small_tables, tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "_MOST_OPEN", most)
    rich_data.make(tmp_path / "kept")
    dataset = read(rich_data.make(tmp_path / "in"))
    dataset.init_cache()
    if gone:
        shutil.rmtree(tmp_path / "in/annotations")
    out = save(dataset, tmp_path / "out")
    for kind in rich_data.KINDS:
        assert contents(out, kind) == contents(tmp_path / "kept", kind)


# What becomes of rows whose file has changed since


def with_changed_boxes(tmp_path: Path, change) -> tuple[Path, Path]:
    """The export of a dataset whose table of boxes was changed after it was read."""
    name = "annotations/train-annotations-bbox.csv"
    rich_data.make(tmp_path / "kept")
    dataset = read(rich_data.make(tmp_path / "in"))
    dataset.init_cache()
    change(tmp_path / "in" / name)
    return save(dataset, tmp_path / "out"), tmp_path / "kept"


def replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_text(path.read_text().replace("xclick", "other"))
    os.replace(other, path)


def changed(path: Path) -> None:
    path.write_text(path.read_text().replace("xclick", "other"))


def grown(path: Path) -> None:
    with open(path, "a") as file:
        file.write("a1,other,/m/0,1,0,1,0,1,0,0,0,0,0\n")


@pytest.mark.parametrize("change", [Path.unlink, replaced, changed, grown])
def test_small_tables_are_held_in_memory(change, tmp_path):
    out, kept = with_changed_boxes(tmp_path, change)
    assert contents(out, "bbox") == contents(kept, "bbox")


@pytest.mark.parametrize("change", [Path.unlink, replaced])
def test_large_tables_that_were_deleted_or_replaced(change, no_small_tables, tmp_path):
    out, kept = with_changed_boxes(tmp_path, change)
    assert contents(out, "bbox") == contents(kept, "bbox")


@pytest.mark.parametrize("change", [changed, grown])
def test_large_tables_that_were_changed_in_place_are_refused(change, no_small_tables, tmp_path):
    """Never misread: other rows than those that were read may be there now."""
    with pytest.raises(FormatError, match="the file changed"):
        with_changed_boxes(tmp_path, change)
    assert not (tmp_path / "out").exists() or not os.listdir(tmp_path / "out")


def test_a_zip_that_is_gone(tmp_path):
    """Rows are all there; pictures and masks are counted as missing."""
    rich_data.make(tmp_path / "kept")
    zip_file = save(read(tmp_path / "kept"), tmp_path / "zip", zip=True) / "zip.zip"
    dataset = read(zip_file)
    dataset.init_cache()
    zip_file.unlink()
    out = save(dataset, tmp_path / "out")
    for kind in rich_data.KINDS:
        assert contents(out, kind) == contents(tmp_path / "kept", kind)
    assert not (out / "images").exists() and not (out / "masks").exists()


def test_more_subsets_than_files_may_be_open(tmp_path):
    resource = pytest.importorskip("resource")
    files = {"annotations/class-descriptions.csv": oi_files.CLASSES}
    for i in range(60):
        files[f"annotations/s{i}-images-with-rotation.csv"] = oi_files.image_list(
            (f"a{i}", f"s{i}")
        )
        files[f"annotations/s{i}-annotations-bbox.csv"] = (
            oi_files.BOX_HEADER + f"a{i},xclick,/m/1,1,0.1,0.3333333,0.2,0.9,1,0,-1,0,1\n"
        )
    oi_files.write(tmp_path / "in", files)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 40
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 40, hard))
    try:
        out = save(read(tmp_path / "in"), tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert contents(out, "bbox") == contents(tmp_path / "in", "bbox")
