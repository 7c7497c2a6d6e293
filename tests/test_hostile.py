"""Hostile datasets: nothing outside of them is opened, and time and memory stay bounded."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import damage_data
import numpy as np
import pytest
from rich_data import read, save

from datumaro_openimages_plugin.errors import FormatError, OpenImagesError, UnsafePathError
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.plugin import OpenImagesExtractor, OpenImagesImporter
from datumaro_openimages_plugin.sources import safe_names, zips
from datumaro_openimages_plugin.sources.archive import open_source

ANNOTATIONS = damage_data.ANNOTATIONS
BOXES, MASKS = damage_data.FILES["boxes"], damage_data.FILES["masks"]

# Paths

NAMES = [
    "../../secret", "..\\..\\secret", "{outside}/secret", "C:\\secret", "C:secret", "\\\\host\\s",
    "//host/secret", "a\0b", "a\nb/../../../secret", "CON", "nul.png", "secret.", "secret ", "..",
    "./../../secret", "~/secret", "$HOME/secret", "%2e%2e/secret", "file:///etc/passwd", "|true",
]  # fmt: skip

_opened: list[str] | None = None
_FILES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink",
          "os.truncate", "os.listdir", "os.scandir", "shutil.copyfile")  # fmt: skip


def _audit(event: str, args: tuple) -> None:
    if _opened is not None and event in _FILES:
        _opened.extend(os.fsdecode(a) for a in args[:2] if isinstance(a, (str, bytes)))


@pytest.fixture(scope="module")
def _audited() -> None:
    sys.addaudithook(_audit)  # cannot be taken off, so it is added once


@contextlib.contextmanager
def opens_nothing_in(folder: Path, _audited: None) -> Iterator[None]:
    """Fails if any path in a folder is opened, made or removed, or its content changes."""
    global _opened
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    _opened = paths = []
    try:
        yield
    finally:
        _opened = None
    assert paths  # the hook does see what is opened
    for path in paths:
        assert not os.path.realpath(path).startswith(str(folder.resolve())), path
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.fixture
def outside(tmp_path) -> Path:
    """Files that hostile names would lead to, above the dataset and the export."""
    folder = tmp_path / "outside"
    for name in ("secret", "secret.png", "secret.jpg", "secret.csv"):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(png())
    return folder


def png() -> bytes:
    return bytes(cv2.imencode(".png", np.full((10, 20), 255, np.uint8))[1])


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def put(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in {**damage_data.whole(), "masks/train/a.png": png(), **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def use(root: Path, out: Path | None = None) -> None:
    """Imports everything, and exports what loads."""
    with contextlib.suppress(OpenImagesError):
        extractor = OpenImagesExtractor(str(root), kinds=list(KINDS_BY_NAME))
        for item in extractor:
            for annotation in item.annotations:
                with contextlib.suppress(OpenImagesError):
                    _ = getattr(annotation, "image", None)
        if out is not None:
            save(read(root), out)


COLUMNS = {
    "id": (damage_data.FILES["images"], "images", "ImageID"),
    "subset": (damage_data.FILES["images"], "images", "Subset"),
    "label": (BOXES, "boxes", "LabelName"),
    "mask path": (MASKS, "masks", "MaskPath"),
    "box id": (MASKS, "masks", "BoxID"),
}


@pytest.mark.parametrize("where", COLUMNS)
def test_names_in_tables_lead_nowhere(where, outside, tmp_path, _audited):
    table, kind, column = COLUMNS[where]
    prefix = "../../../outside/secret"
    for number, name in enumerate([*NAMES, prefix, prefix + ".png", f"x/../../{prefix}"]):
        text = quoted(name.format(outside=outside))
        data = damage_data.field(kind, column, text)(damage_data.whole()[table])
        root = put(tmp_path / "deep" / f"in{number}", {table: data})
        with opens_nothing_in(outside, None):
            # Exports are slower; each of the worst is exported.
            use(root, tmp_path / "deep" / f"out{number}" if number % 3 == 2 else None)
    assert {path.name for path in tmp_path.iterdir()} == {"outside", "deep"}


def test_names_of_subsets_in_file_names_lead_nowhere(outside, tmp_path, _audited):
    data = damage_data.whole()[BOXES]
    for number, subset in enumerate(("..", "...", ". .", "a\\..\\b", "C:x", "~")):
        root = put(tmp_path / f"in{number}", {f"annotations/{subset}-annotations-bbox.csv": data})
        with opens_nothing_in(outside, None):
            use(root, tmp_path / "deep" / "out")


@pytest.mark.parametrize("part", ["CON", "nul.png", "com1", "LPT9.tar.gz", "a.", "a ", "ab:c"])
def test_names_that_windows_takes_for_something_else(part, monkeypatch):
    assert safe_names.unsafe_id(part) is None
    monkeypatch.setattr(safe_names, "_WINDOWS", True)
    for name in (part, f"x/{part}", f"{part}/x"):
        assert "indows" in safe_names.unsafe_id(name)
    for name in ("CONE", "xCON", "com10", "0a1b", "a.b"):
        assert safe_names.unsafe_id(name) is None


# Zips


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return packed.getvalue()


def link_to(target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo("annotations/train-annotations-bbox.csv")
    info.external_attr = 0o120777 << 16
    return info, target.encode()


BAD_MEMBERS = [
    "../x", "a/../../x", "/x", "C:/x", "C:x", "\\x", "\\\\host\\x", "..\\x", "a/..", "a\\..\\..\\x",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_MEMBERS)
def test_members_that_would_lie_outside(name, outside, tmp_path, _audited):
    (tmp_path / "x.zip").write_bytes(zipped((name, b"x")))
    with opens_nothing_in(outside, None), pytest.raises(UnsafePathError, match=r"x\.zip"):
        OpenImagesExtractor(str(tmp_path / "x.zip"))


def test_links_in_zips(outside, tmp_path, _audited):
    (tmp_path / "x.zip").write_bytes(zipped(link_to(str(outside / "secret.csv"))))
    with opens_nothing_in(outside, None), pytest.raises(UnsafePathError, match="link"):
        OpenImagesExtractor(str(tmp_path / "x.zip"))


def test_links_that_lead_back(tmp_path):
    put(tmp_path / "in", {})
    (tmp_path / "in/annotations/again").symlink_to(tmp_path / "in")
    (tmp_path / "in/masks/train/again").symlink_to(tmp_path / "in/masks")
    (tmp_path / "in/annotations/broken.csv").symlink_to(tmp_path / "none")
    assert len(list(OpenImagesExtractor(str(tmp_path / "in")))) == 2


@pytest.mark.parametrize("variable", [zips.UNPACKED_VARIABLE, zips.MEMBERS_VARIABLE])
def test_limits_of_zips_can_be_raised(variable, tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "MIN_UNPACKED", 1000)
    monkeypatch.setattr(zips, "MAX_RATIO", 3)
    monkeypatch.setattr(zips, "MAX_MEMBERS", 1 if variable == zips.MEMBERS_VARIABLE else 9)
    bomb = b"ImageID,Subset\n" + b"\n" * (0 if variable == zips.MEMBERS_VARIABLE else 100_000)
    members = ("train-images.csv", bomb), ("b", b"x")
    (tmp_path / "x.zip").write_bytes(zipped(*members))
    with pytest.raises(FormatError, match=variable):
        open_source(str(tmp_path / "x.zip"))
    monkeypatch.setenv(variable, "200000")
    assert list(OpenImagesExtractor(str(tmp_path / "x.zip"))) == []
    monkeypatch.setenv(variable, "many")
    with pytest.raises(OpenImagesError, match="whole number"):
        open_source(str(tmp_path / "x.zip"))


# Time and memory

_MEMORY = 1200 << 20  # bytes beyond what the process has already; arenas of threads count too
_SECONDS = 60  # of CPU


def bounded(function: Callable[[], None]) -> str:
    """Runs a function in a child of limited memory and time; what it raised of our tree, or ''."""
    receiving, sending = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads beside a fork
        child = os.fork()
    if not child:
        try:
            now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (now + _MEMORY, now + _MEMORY))
            used = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
            resource.setrlimit(resource.RLIMIT_CPU, (used + _SECONDS, used + _SECONDS))
            function()
            text = "loaded"
        except OpenImagesError as error:
            text = f"refused {error}"
        except BaseException as error:
            text = f"raised {error!r}"
        os.write(sending, text.encode("utf-8", "replace")[:4000])
        os._exit(0)
    os.close(sending)
    with open(receiving, "rb") as told:
        text = told.read().decode()
    _, status = os.waitpid(child, 0)
    assert status == 0, f"died: {status}"
    return text


def deep_png(height: int, width: int) -> bytes:
    """A PNG of one bit a pixel, all black, whose file is small."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width // 8 + 1)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", rows + packer.flush())
    return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b"")


HIERARCHY = ANNOTATIONS + "bbox_labels_600_hierarchy.json"
NARRATIVES = damage_data.FILES["narratives"]
SIZES, PNG = ANNOTATIONS + "images.meta", "masks/train/a.png"
DATA = damage_data.whole()
LONG = b"a" * 100_000_000
NODE, MANY = b'{"LabelName": "/m/0", "Subcategory": [', 10_000

#: What is done, the file that it makes, and the start of what comes of it.
HEAVY: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a field of 100 MB": (BOXES, lambda: DATA[BOXES] + LONG + b",x,/m/0\n", "refused"),
    "a quoted field of 100 MB": (BOXES, lambda: DATA[BOXES] + b'b,"' + LONG + b'"\n', "refused"),
    "a header of 1,000,000 columns": (BOXES, lambda: b",".join([b"c"] * 1_000_000), "refused"),
    "a row of 1,000,000 fields": (BOXES, lambda: DATA[BOXES] + b"," * 1_000_000, "refused"),
    "a hierarchy 10,000 deep": (
        HIERARCHY, lambda: NODE * MANY + b'{"LabelName": "/m/1"}' + b"]}" * MANY, "refused",
    ),
    "a cycle of classes": (
        HIERARCHY, lambda: NODE + NODE.replace(b"0", b"1") + b'{"LabelName": "/m/0"}]}]}', "loaded",
    ),
    "a line of JSON 100,000 deep": (
        NARRATIVES, lambda: b'{"image_id": "a", "caption": ' + b"[" * 100_000, "refused",
    ),
    "dataset_meta.json 100,000 deep": ("dataset_meta.json", lambda: b"[" * 100_000, "refused"),
    "an image of 3,000,000,000 pixels": (SIZES, lambda: b"a 3000000000 1\n", "refused"),
    "an image beyond all numbers": (SIZES, lambda: b"a 1 99999999999999999999\n", "refused"),
    "a mask of 4 * 10^18 pixels": (SIZES, lambda: b"a 2000000000 2000000000\n", "refused"),
    "a mask that unpacks to 2 GB": (PNG, lambda: deep_png(40_000, 50_000), "refused"),
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize("name", HEAVY)
def test_time_and_memory_are_bounded(name, tmp_path):
    file, make, outcome = HEAVY[name]
    put(tmp_path, {"masks/train/b.png": png(), file: make()})

    def load() -> None:
        for item in OpenImagesExtractor(str(tmp_path), kinds=list(KINDS_BY_NAME)):
            for annotation in item.annotations:
                _ = getattr(annotation, "image", None)

    text = bounded(load)
    assert text.startswith(outcome), text
    assert outcome == "loaded" or Path(file).name in text or "a.png" in text, text


@pytest.mark.parametrize("kept", [0.5, 0.05, 0])
def test_a_zip_that_is_cut_short_says_so(tmp_path, kept):
    whole = shutil.make_archive(
        str(tmp_path / "whole"), "zip", Path(__file__).parents[1] / "assets" / "cvat_layout"
    )
    data = Path(whole).read_bytes()
    short = tmp_path / "Short.ZIP"
    short.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(FormatError, match=r"Short\.ZIP: not a readable zip, perhaps cut short"):
        OpenImagesImporter()(str(short))
