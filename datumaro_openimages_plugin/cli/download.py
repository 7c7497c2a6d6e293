"""Fetch published files: tables of a choice of kinds, then chosen images and masks.

Nothing is fetched that is not asked for here. Files are checked against the published size and
checksum, where one is known; begun again, a download goes on where it stopped. Mask archives stay
packed, import reads them as they are.

Examples:
  datum-openimages download oi --kinds boxes labels --subsets validation --list
  datum-openimages download oi --kinds boxes masks --subsets validation test --classes Cat Dog --images
  datum-openimages download oi --kinds boxes --subsets train --ids ids.txt --images --jobs 16
"""  # noqa: E501 (a command stands on one line)

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from datumaro_openimages_plugin.cli.common import aligned, at_least, write

if TYPE_CHECKING:
    from datumaro_openimages_plugin.download.download import Choice, Downloaded

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what this command takes."""
    parser.add_argument("folder", metavar="FOLDER", help="where the dataset is to be")
    parser.add_argument(
        "--kinds",
        nargs="+",
        required=True,
        metavar="KIND",
        help="labels, machine-labels, boxes, masks, relationships, narratives, points, people",
    )
    parser.add_argument(
        "--subsets", nargs="+", required=True, metavar="SUBSET", help="train, validation, test"
    )
    parser.add_argument(
        "--version", default="7", help="version of the dataset: 5, 6 or 7 (default: %(default)s)"
    )
    parser.add_argument("--images", action="store_true", help="fetch pictures too")
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="CLASS",
        help="only images with one of these classes, by id or name, and only archives with masks "
        "of such images",
    )
    parser.add_argument(
        "--ids", metavar="FILE", help="only the images whose ids this file has, one a line"
    )
    parser.add_argument(
        "--max-images", type=at_least(1), metavar="N", help="only the first N images"
    )
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="a mirror that has the buckets openimages, localized-narratives and "
        "open-images-dataset as folders",
    )
    parser.add_argument(
        "--jobs", type=at_least(1), default=8, help="connections at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--retries", type=at_least(0), default=5, help="further attempts (default: %(default)s)"
    )
    parser.add_argument(
        "--timeout",
        type=at_least(0.01, float),
        default=30.0,
        metavar="SECONDS",
        help="how long a server may be silent (default: %(default)s)",
    )
    parser.add_argument(
        "--list", action="store_true", help="only tell what would be fetched; connect to nothing"
    )


def run(args: argparse.Namespace) -> int:
    """Fetches, or lists what would be fetched."""
    from datumaro_openimages_plugin.download.download import download, planned

    choice = _choice(args)
    if args.list:
        files = planned(choice, args.folder, args.base_url)
        rows = [["bytes", "checksum", "address"]]
        rows += [[_number(f.size), f.checksum or "none known", f.url] for f in files]
        for line in aligned(rows, right=(0,)):
            write(line)
        return 0
    found = download(
        choice,
        args.folder,
        base_url=args.base_url,
        retries=args.retries,
        timeout_s=args.timeout,
        jobs=max(1, args.jobs),
        quiet=args.quiet,
    )
    for line in _lines(found):
        write(line)
    return 1 if found.failed or found.unknown_ids else 0


def _choice(args: argparse.Namespace) -> Choice:
    from datumaro_openimages_plugin.download.download import Choice
    from datumaro_openimages_plugin.errors import FormatError

    ids = None
    if args.ids is not None:
        try:
            with open(args.ids, encoding="utf-8-sig") as file:
                ids = tuple(line.strip() for line in file if line.strip())
        except UnicodeDecodeError:
            raise FormatError(
                "is no text of ids, one a line; save it as UTF-8", file=args.ids
            ) from None
    return Choice(
        kinds=tuple(kind.replace("-", "_") for kind in args.kinds),
        subsets=tuple(args.subsets),
        version=args.version,
        images=args.images,
        classes=None if args.classes is None else tuple(args.classes),
        ids=ids,
        most_images=args.max_images,
    )


def _number(size: int | None) -> str:
    return "?" if size is None else f"{size:,}"


def _lines(found: Downloaded) -> Iterator[str]:
    for what, part in found.parts.items():
        yield f"{what}: {part.new:,} fetched, {part.there:,} there already"
    for _, error in found.failed:
        yield f"not to be had: {error}"
    if found.unknown_ids:
        yield f"in no image list: {', '.join(found.unknown_ids[:20])}"
        if len(found.unknown_ids) > 20:
            yield f"… {len(found.unknown_ids):,} in all"
