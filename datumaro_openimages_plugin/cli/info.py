"""What is here: kinds, versions, subsets, counts and sizes.

Reads columns only and makes no objects.

Examples:
  datum-openimages info my_dataset
  datum-openimages info my_dataset.zip --format json | jq .subsets
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from datumaro_openimages_plugin.cli.common import (
    add_dataset,
    add_format,
    aligned,
    open_files,
    progress,
    write,
    write_json,
)

if TYPE_CHECKING:
    from datumaro_openimages_plugin.files.files import DatasetFiles
    from datumaro_openimages_plugin.files.names import FoundFile

__all__ = ["add_arguments", "collect", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what this command takes."""
    add_dataset(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Prints what is in a dataset."""
    found = collect(open_files(args.dataset), quiet=args.quiet)
    if args.format == "json":
        write_json(found)
    else:
        for line in _lines(found):
            write(line)
    return 0


def collect(files: DatasetFiles, *, quiet: bool = True) -> dict[str, Any]:
    """What is in a dataset, as plain values: files, subsets, classes, pictures, masks.

    Raises:
        FormatError: A table or class list is damaged.
    """
    from datumaro_openimages_plugin.files.read_classes import read_classes
    from datumaro_openimages_plugin.images.image_sizes import image_meta_from_text
    from datumaro_openimages_plugin.sources.packed import read_unpacked

    tables = files.known()
    described = [
        _described(files, file, used)
        for file, used in progress(tables, "reading", quiet=quiet, total=len(tables))
    ]
    classes = read_classes(files)
    sizes: Mapping[str, tuple[int, int]] = {}
    for file in files.best("images_meta")[:1]:
        sizes = image_meta_from_text(read_unpacked(files.source, file.name), file.name)
    images, masks = files.media_names()
    return {
        "dataset": files.source.root,
        "subsets": _by_subset(described),
        "classes": len(classes.names),
        "hierarchy_edges": sum(1 for _ in classes.hierarchy.edges()) if classes.hierarchy else 0,
        "sizes_in_images_meta": len(sizes),
        "image_files": len(images),
        "mask_files": len(masks),
        "files": described,
    }


def _described(files: DatasetFiles, file: FoundFile, used: bool) -> dict[str, Any]:
    """One file as plain values; tables with their number of rows and of images."""
    from datumaro_openimages_plugin.kinds import KINDS_BY_NAME

    version = re.search(r"(?:^|/)(?:oid)?v(\d+)[-/]", file.name, re.IGNORECASE)
    found: dict[str, Any] = {
        "name": file.name,
        "kind": file.kind,
        "subset": file.subset,
        "version": f"V{version[1]}" if version else None,
        "used": used,
        "bytes": files.source.size(file.name),
    }
    if file.kind == "images" or file.kind in KINDS_BY_NAME:
        found.update(_counts(files, file))
    return found


def _counts(files: DatasetFiles, file: FoundFile) -> dict[str, Any]:
    import numpy as np
    import pyarrow.compute as pc

    from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
    from datumaro_openimages_plugin.tables.tables import Column, CsvTable

    kind = KINDS_BY_NAME.get(file.kind)
    table = (CsvTable if kind is None else kind.opened)(files.source, file.name)
    negative = None if kind is None else kind.negative
    columns = [Column("ImageID"), Column("Subset", "code", required=False)]
    if negative is not None:
        columns.append(Column(negative[0], "code", required=False))
    bad: list[Any] = []
    rows = table.read(columns, bad.append)
    found: dict[str, Any] = {"rows": rows.count, "images": len(pc.unique(rows.text["ImageID"]))}
    if negative is not None and negative[0] in rows.code:
        codes, texts = rows.code[negative[0]]
        absent = [code for code, text in enumerate(texts) if _means(text, negative[1])]
        found["negative"] = int(np.isin(codes, absent).sum())
    if "Subset" in rows.code and file.subset is None:
        codes, texts = rows.code["Subset"]
        numbers = np.bincount(codes, minlength=len(texts)).tolist()
        found["rows_by_subset"] = dict(zip(texts, numbers, strict=False))
    if bad:
        found["damaged_rows"] = len(bad)
    return found


def _means(text: str, value: Any) -> bool:
    """Whether a field says what is a number or a text."""
    if isinstance(value, str):
        return text.strip().lower() == value
    try:
        return float(text) == value
    except ValueError:
        return False


def _by_subset(described: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Subset -> kind -> rows, of the files that an import reads."""
    subsets: dict[str, dict[str, int]] = {}
    for file in described:
        if not file["used"] or "rows" not in file:
            continue
        parts = file.get("rows_by_subset") or {file["subset"] or "default": file["rows"]}
        for subset, rows in parts.items():
            kinds = subsets.setdefault(subset, {})
            kinds[file["kind"]] = kinds.get(file["kind"], 0) + rows
            if "negative" in file:
                name = f"negative {file['kind']}"
                kinds[name] = kinds.get(name, 0) + file["negative"]
    return subsets


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['dataset']}"
    yield ""
    kinds = list(dict.fromkeys(kind for counts in found["subsets"].values() for kind in counts))
    rows = [["subset", *kinds]]
    for subset, counts in found["subsets"].items():
        rows.append([subset, *(f"{counts.get(kind, 0):,}" for kind in kinds)])
    yield from aligned(rows, right=range(1, len(rows[0])))
    yield ""
    yield (
        f"{found['classes']:,} classes, {found['hierarchy_edges']:,} edges in the hierarchy, "
        f"{found['image_files']:,} pictures, {found['mask_files']:,} mask pictures, "
        f"{found['sizes_in_images_meta']:,} sizes in images.meta"
    )
    yield ""
    rows = [["file", "kind", "subset", "version", "rows", "images", "bytes", ""]]
    rows += [_file_cells(file) for file in found["files"]]
    yield from aligned(rows, right=(4, 5, 6))


def _file_cells(file: dict[str, Any]) -> list[str]:
    numbers = [f"{file[name]:,}" if name in file else "" for name in ("rows", "images", "bytes")]
    remarks = [] if file["used"] else ["not read"]
    if file.get("damaged_rows"):
        remarks.append(f"{file['damaged_rows']:,} damaged rows")
    texts = [file["name"], file["kind"], file["subset"] or "", file["version"] or ""]
    return [*texts, *numbers, ", ".join(remarks)]
