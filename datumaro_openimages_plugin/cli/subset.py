"""Cut a dataset into a smaller one of the same layout, rows and files as they are.

Choose by subset, class, image or number. Images with one of the classes keep all their annotations,
unless --only-matching. A run that was stopped goes on when it is started again.

Examples:
  datum-openimages subset my_dataset cats --classes Cat --only-matching
  datum-openimages subset my_dataset small --subsets validation --max-images 1000
  datum-openimages subset my_dataset chosen --image-ids ids.txt --kinds boxes masks --link
"""

from __future__ import annotations

import argparse
from typing import Any

from datumaro_openimages_plugin.cli.common import add_dataset, at_least, progress, write

__all__ = ["add_arguments", "run"]

_CHOICES = (
    "kinds",
    "subsets",
    "classes",
    "descendants",
    "only_matching",
    "image_ids",
    "negatives",
    "max_images",
    "seed",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what this command takes."""
    add_dataset(parser)
    parser.add_argument("target", metavar="TARGET", help="folder to make")
    add = parser.add_argument
    add("--kinds", nargs="+", metavar="KIND", help="only these kinds of annotation")
    add("--subsets", nargs="+", metavar="SUBSET", help="only these subsets")
    add("--classes", nargs="+", metavar="CLASS", help="images of these, by id or display name")
    add("--descendants", action="store_true", help="a class also means all that are a kind of it")
    add("--only-matching", action="store_true", help="leave out annotations of other classes")
    add("--image-ids", metavar="FILE", help="images: lines of <id> or <subset>/<id>")
    add(
        "--negatives",
        choices=("keep", "drop"),
        default="keep",
        help="what becomes of labels that say that a class is absent (default: %(default)s)",
    )
    add("--max-images", type=at_least(1), metavar="N", help="at most N images")
    add("--seed", type=int, default=0, help="which chance chooses them (default: %(default)s)")
    add("--no-media", action="store_true", help="leave out the pictures; masks are kept")
    add("--link", action="store_true", help="link pictures and masks rather than copy them")


def run(args: argparse.Namespace) -> int:
    """Cuts, and says what it came to."""
    from datumaro_openimages_plugin.reading.choice import Choice
    from datumaro_openimages_plugin.tools.subset import Subset, cut

    choice = Choice(**{name: getattr(args, name) for name in _CHOICES})

    def bar(things: Any, what: str) -> Any:
        return progress(things, what, quiet=args.quiet)

    subset = Subset(args.dataset, args.target, choice, not args.no_media, args.link)
    done = cut(subset, bar)
    write(f"{args.target}: {done.images:,} images, {done.rows:,} rows, {done.files:,} files")
    for count, text in (
        (done.already_there, "files were there already"),
        (done.without_picture, "images have no picture"),
        (done.without_mask, "mask rows have no picture"),
        (done.damaged, "damaged rows were left out; `datum-openimages check` tells which"),
    ):
        if count:
            write(f"{count:,} {text}")
    return 1 if done.damaged else 0
