"""Make images.meta: the size of every image, from its picture's header.

Boxes are fractions of their image, so formats in pixels need its size. With the sizes in
images.meta nobody needs the pictures again. A file that is there is completed and corrected.

Examples:
  datum-openimages sizes my_dataset
  datum-openimages sizes my_dataset.zip --output images.meta
"""

from __future__ import annotations

import argparse

from datumaro_openimages_plugin.cli.common import add_dataset, open_reader, progress, write

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what this command takes."""
    add_dataset(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="the file to write (default: that of the dataset)"
    )


def run(args: argparse.Namespace) -> int:
    """Writes the sizes, and says how many there are."""
    from datumaro_openimages_plugin.tools.sizes import meta_path, sizes_of, write_sizes

    reader = open_reader(args.dataset)
    path = args.output or meta_path(reader)
    found = sizes_of(reader, lambda things: progress(things, "measuring", quiet=args.quiet))
    write_sizes(path, found.known)
    write(f"{path}: {len(found.known):,} sizes, {found.measured:,} from pictures")
    if found.without:
        write(f"{found.without:,} images have neither a picture nor a known size")
    if found.differing:
        names = ", ".join(found.differing[:10])
        write(f"{len(found.differing):,} ids have different sizes in several subsets: {names}")
    for name in found.unreadable:
        write(f"{name}: its header tells no size")
    return 1 if found.unreadable else 0
