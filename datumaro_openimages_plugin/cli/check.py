"""Find every problem of a dataset, with file, row and column.

Errors are what an import refuses or leaves out, warnings what it reads although it is odd: images
and classes that no list has, boxes outside of their image, rows that repeat others, pictures and
masks that are missing or superfluous. The exit code is 1 if there is an error.

Examples:
  datum-openimages check my_dataset
  datum-openimages check my_dataset --media --strict --format json
"""

from __future__ import annotations

import argparse
from collections import Counter

from datumaro_openimages_plugin.cli.common import (
    add_dataset,
    add_format,
    at_least,
    open_files,
    progress,
    write,
    write_json,
)

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what this command takes."""
    add_dataset(parser)
    add_format(parser)
    parser.add_argument(
        "--media", action="store_true", help="read the header of every picture, too"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings, too")
    parser.add_argument(
        "--limit", type=at_least(0), metavar="N", help="show at most N problems; all are counted"
    )


def run(args: argparse.Namespace) -> int:
    """Prints the problems and how many there are."""
    from datumaro_openimages_plugin.tools.check import check

    files = open_files(args.dataset)
    counts: Counter[bool] = Counter()
    shown = []
    found = check(
        args.dataset,
        files,
        media=args.media,
        progress=lambda things: progress(things, "checking", quiet=args.quiet),
    )
    for problem in found:
        counts[problem.is_error] += 1
        if args.limit is not None and sum(counts.values()) > args.limit:
            continue
        severity = "error" if problem.is_error else "warning"
        if args.format == "json":
            error = problem.error
            names = ("file", "row", "column", "image_id", "value", "message")
            shown.append({"severity": severity, **{n: getattr(error, n) for n in names}})
        else:
            write(f"{severity}: {problem.error}")
    if args.format == "json":
        summary = {"errors": counts[True], "warnings": counts[False], "problems": shown}
        write_json(summary)
    else:
        write(f"{counts[True]:,} errors, {counts[False]:,} warnings")
    return 1 if counts[True] or (args.strict and counts[False]) else 0
