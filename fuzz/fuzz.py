"""Coverage-guided fuzzing of everything that is read; see the README beside this file."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import pickle
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import cv2  # noqa: E402 (not to be instrumented)
import datumaro  # noqa: E402, F401
import numpy as np  # noqa: E402
import pyarrow.csv  # noqa: E402, F401

with atheris.instrument_imports(include=["datumaro_openimages_plugin"]):
    from datumaro_openimages_plugin.errors import OpenImagesError
    from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
    from datumaro_openimages_plugin.plugin import (
        OpenImagesExporter,
        OpenImagesExtractor,
        OpenImagesImporter,
    )

import damage_data  # noqa: E402

ANNOTATIONS = damage_data.ANNOTATIONS
MASK = "masks/train/a.png"
EXPORT_EVERY = 8  # exports are slower than imports

#: The file that an input becomes: the tables, and what is read besides.
TARGETS = {
    **damage_data.FILES,
    "classes": ANNOTATIONS + "class-descriptions.csv",
    "display_classes": "metadata/classes.csv",
    "hierarchy": ANNOTATIONS + "bbox_labels_600_hierarchy.json",
    "sizes": ANNOTATIONS + "images.meta",
    "meta": "dataset_meta.json",
    "mask": MASK,
    "picture": "images/train/a.jpg",
    "packed": ANNOTATIONS + "train-annotations-bbox.csv.gz",
    "packed_zip": ANNOTATIONS + "train-annotations-bbox.csv.zip",
    "mask_zip": "masks/train-masks-a.zip",
    "zip": "",  # the whole dataset
    "names": "",  # ids, subsets, mask paths, box ids and labels, one a line
}


def whole() -> dict[str, bytes]:
    """The dataset that is damaged, with a mask."""
    files = damage_data.whole()
    files[MASK] = encoded(".png")
    return files


def encoded(extension: str) -> bytes:
    """A small picture as a file."""
    pixels = np.zeros((10, 20), np.uint8)
    pixels[2:5, 3:9] = 255
    return bytes(cv2.imencode(extension, pixels)[1])


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of some files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def seeds(target: str) -> Iterator[bytes]:
    """Sound inputs, and damaged ones, for a target."""
    files = whole()
    table = files[damage_data.FILES["boxes"]]
    if target in damage_data.FILES:
        data = files[TARGETS[target]]
        yield data
        for damage in damage_data.DAMAGES:
            if target in damage.kinds:
                with contextlib.suppress(IndexError, ValueError):
                    yield damage.do(data)
    elif target in ("classes", "hierarchy", "sizes", "mask"):
        yield files[TARGETS[target]]
    elif target == "display_classes":
        yield b"LabelName,DisplayName\n/m/0,Zero\n"
    elif target == "meta":
        yield json.dumps({"label_map": {"0": "/m/0", "1": "/m/1"}, "custom": 1}).encode()
        yield json.dumps({"labels": ["/m/0", "/m/1"]}).encode()
    elif target == "picture":
        yield from (encoded(extension) for extension in (".jpg", ".png", ".bmp", ".tif"))
    elif target == "packed":
        compress = zlib.compressobj(wbits=31)
        yield compress.compress(table) + compress.flush()
    elif target == "packed_zip":
        yield zipped({"train-annotations-bbox.csv": table})
    elif target == "mask_zip":
        yield zipped({"a.png": files[MASK]})
    elif target == "zip":
        few = {name: data for name, data in files.items() if "bbox" in name or "images" in name}
        yield zipped({**few, MASK: files[MASK]})
        yield zipped({f"top/{name}": data for name, data in few.items()})
    elif target == "names":
        yield b"a\ntrain\na.png\n1a\n/m/0"
        yield b"../x\n..\n/etc/x.png\nCON\n\\\\server\\x"
    if target == "hierarchy":
        yield b'{"LabelName": "/m/r", "Subcategory": [{"LabelName": "/m/0", "Part": []}]}'
    if target == "sizes":
        yield b"# comment\n'a b' 1 2\n\"c\" 3 4\n"


def named(data: bytes) -> dict[str, bytes]:
    """A dataset with names from an input."""
    parts = [*data.decode("utf-8", "surrogateescape").split("\n"), "", "", "", "", ""]
    image, subset, mask, box, label = (
        '"' + part.replace('"', '""').encode("utf-8", "replace").decode() + '"'
        for part in parts[:5]
    )
    corners = "0.1,0.3,0.2,0.9"
    boxes, masks = damage_data.FIELDS["boxes"], damage_data.FIELDS["masks"]
    made = {
        ANNOTATIONS + "image_ids_and_rotation.csv": f"ImageID,Subset\n{image},{subset}\n",
        ANNOTATIONS + "train-annotations-bbox.csv": ",".join(boxes)
        + f"\n{image},x,{label},1,{corners},0,0,0,0,0\n",
        ANNOTATIONS + "train-annotations-object-segmentation.csv": ",".join(masks)
        + f"\n{mask},{image},{label},{box},{corners},0.5,\n",
        ANNOTATIONS + "images.meta": "a 10 20\n",
    }
    return {name: text.encode() for name, text in made.items()}


class Fuzzer:
    """Runs inputs and keeps what they find.

    Args:
        target: A name of `TARGETS`; None takes the first byte of each input for it.
        findings: The folder of findings.
    """

    def __init__(self, target: str | None, findings: Path) -> None:
        self.target = target
        self.findings = findings
        self.kept: set[str] = set()
        self.count = 0
        self.loaded = 0
        self.began = time.monotonic()
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        self.root = Path(tempfile.mkdtemp(prefix="fuzz", dir=memory))
        self.files = whole()

    def __call__(self, data: bytes) -> None:
        """Runs one input."""
        if not data:
            return
        self.count += 1
        target = self.target
        if target is None:
            target = list(TARGETS)[data[0] % len(TARGETS)]
            data = data[1:]
        try:
            self._run(target, data)
            self.loaded += 1
        except OpenImagesError as error:
            str(error)
        except Exception as error:
            self._keep(target, data, error)
        if self.count % 2000 == 0:
            self.report()

    def report(self) -> None:
        """Says how far it is."""
        seconds = time.monotonic() - self.began
        print(
            f"executions {self.count}, loaded {self.loaded}, minutes {seconds / 60:.1f}, "
            f"findings {len(self.kept)}",
            flush=True,
        )

    def _run(self, target: str, data: bytes) -> None:
        folder = self.root / "in"
        shutil.rmtree(self.root, ignore_errors=True)
        if target == "zip":
            self.root.mkdir()
            (self.root / "in.zip").write_bytes(data)
            if not zipfile.is_zipfile(self.root / "in.zip"):
                return
            folder = self.root / "in.zip"
        else:
            files = named(data) if target == "names" else self._beside(target)
            if target != "names":
                files[TARGETS[target]] = data
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
        exports = zlib.crc32(data) % EXPORT_EVERY == 0
        use(folder, self.root / "out" if exports else None)

    def _beside(self, target: str) -> dict[str, bytes]:
        """The files that a damaged one is read with; few, since each takes its time."""
        tables = ["images"]
        if target in ("masks", "mask", "mask_zip"):
            tables += ["boxes", "masks"]
        elif target == "relationships" or target not in damage_data.FILES:
            tables += [] if target.startswith("packed") else ["boxes"]
        wanted = {damage_data.FILES[kind] for kind in tables}
        wanted |= {TARGETS["classes"], TARGETS["sizes"]}
        if target == "mask":
            wanted.add(MASK)
        return {name: data for name, data in self.files.items() if name in wanted}

    def _keep(self, target: str, data: bytes, error: Exception) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "openimages_plugin" in frame.filename]
        at = ours[-1] if ours else frames[-1]
        name = f"{type(error).__name__}-{Path(at.filename).stem}-{at.lineno}"
        if name in self.kept:
            return
        self.kept.add(name)
        self.findings.mkdir(parents=True, exist_ok=True)
        (self.findings / f"{name}.{target}").write_bytes(data)
        text = "".join(traceback.format_exception(error))
        (self.findings / f"{name}.txt").write_text(text, "utf-8", "backslashreplace")
        print(f"finding: {target}: {name}: {str(error)[:200]!r}", flush=True)


def use(path: Path, out: Path | None) -> None:
    """Imports a dataset in every way and, if told where, exports it."""
    OpenImagesImporter.find_sources(str(path))
    extractor = OpenImagesExtractor(str(path), kinds=list(KINDS_BY_NAME), show_columns=True)
    error = None
    for item in extractor:
        for annotation in item.annotations:
            try:
                _ = getattr(annotation, "image", None)
                _ = annotation.origin.fields if hasattr(annotation, "origin") else None
            except OpenImagesError as refused:
                error = refused
        if item.media is not None:
            _ = item.media.size
        try:
            pickle.loads(pickle.dumps(item))
        except OpenImagesError as refused:
            error = refused
    if error is not None:
        raise error
    if out is not None:
        OpenImagesExporter.convert(extractor, str(out), save_media=True)


def main() -> None:
    """Runs libFuzzer, or one input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=TARGETS)
    parser.add_argument("--findings", type=Path, default=Path("findings"))
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--replay", type=Path)
    args, rest = parser.parse_known_args()
    logging.disable()
    warnings.simplefilter("ignore")
    fuzzer = Fuzzer(args.target, args.findings)
    if args.replay is not None:
        fuzzer._run(args.target or args.replay.suffix[1:], args.replay.read_bytes())
        return
    args.corpus.mkdir(parents=True, exist_ok=True)
    for index, target in enumerate(TARGETS):
        for number, seed in enumerate(seeds(target)):
            if args.target in (None, target):
                start = bytes([index]) if args.target is None else b""
                (args.corpus / f"{target}{number}").write_bytes(start + seed)
    options = [sys.argv[0], str(args.corpus), "-timeout=20", "-rss_limit_mb=3000", "-max_len=4096"]
    atheris.Setup([*options, *rest], fuzzer)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
