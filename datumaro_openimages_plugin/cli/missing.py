"""List the images that are not here, for the published downloader.

A line is <subset>/<id>, which the downloader of the Open Images site takes as it is, and so does
`datum-openimages download --ids` with --only-ids.

Examples:
  datum-openimages missing my_dataset > missing.txt
  datum-openimages missing my_dataset --subsets validation --only-ids --output ids.txt
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from datumaro_openimages_plugin.cli.common import add_dataset, open_reader

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what this command takes."""
    add_dataset(parser)
    parser.add_argument("--subsets", nargs="+", metavar="SUBSET", help="only these subsets")
    parser.add_argument("--only-ids", action="store_true", help="write ids without their subset")
    parser.add_argument("-o", "--output", metavar="FILE", help="write to a file")


def run(args: argparse.Namespace) -> int:
    """Writes the list."""
    from datumaro_openimages_plugin.reading.choice import Choice
    from datumaro_openimages_plugin.reading.choose import missing_of

    reader = open_reader(args.dataset, Choice(subsets=args.subsets))
    names: Iterable[str] = missing_of(reader.images, reader.files)
    if args.only_ids:
        names = (name.partition("/")[2] for name in names)
    lines = (name + "\n" for name in names)
    if args.output is None:
        sys.stdout.writelines(lines)
        return 0
    with open(args.output, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)
    return 0
