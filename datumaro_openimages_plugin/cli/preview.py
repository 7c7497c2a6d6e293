"""A page of pictures with their annotations, and charts.

One HTML file that works offline and runs nothing: boxes, masks, relationships, points and captions
drawn, classes, flags, sizes, positive and negative labels counted.

Examples:
  datum-openimages preview my_dataset
  datum-openimages preview my_dataset -o page.html --images 60 --subset validation
  datum-openimages preview coco_folder --dataset-format coco --png pictures
"""

from __future__ import annotations

import argparse
import os

from datumaro_openimages_plugin.cli.common import (
    add_dataset,
    at_least,
    open_dataset,
    progress,
    write,
)

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what this command takes."""
    add_dataset(parser)
    parser.add_argument(
        "-o", "--output", default="preview.html", help="the page (default: %(default)s)"
    )
    parser.add_argument(
        "--images",
        type=at_least(0),
        default=24,
        metavar="N",
        help="images to show (default: %(default)s)",
    )
    parser.add_argument(
        "--pick",
        choices=("rich", "random"),
        default="rich",
        help="show images with many kinds of annotations first, or any (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="another one shows other images (default: %(default)s)"
    )
    parser.add_argument("--subset", help="look at this subset only")
    parser.add_argument("--png", metavar="FOLDER", help="write the pictures there as PNG too")
    parser.add_argument(
        "--dataset-format",
        metavar="NAME",
        default="open_images",
        help="Datumaro's name for the format (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Writes the page."""
    from datumaro_openimages_plugin.errors import OptionError
    from datumaro_openimages_plugin.preview.preview import preview

    dataset = open_dataset(args.dataset, args.dataset_format)
    if args.subset is not None and args.subset not in dataset.subsets():
        names = ", ".join(sorted(dataset.subsets()))
        raise OptionError(f"there is no subset {args.subset!r}; there are: {names}")
    found = preview(
        dataset,
        os.path.basename(os.path.abspath(args.dataset)),
        show=args.images,
        pick=args.pick,
        seed=args.seed,
        subset=args.subset,
        progress=lambda items: progress(items, "reading", quiet=args.quiet),
    )
    os.makedirs(os.path.dirname(os.path.abspath(args.output)), exist_ok=True)
    with open(args.output, "w", encoding="utf-8", errors="xmlcharrefreplace") as file:
        file.write(found.to_html())
    write(args.output)
    if args.png is not None:
        for path in found.save_pngs(args.png):
            write(path)
    return 0
