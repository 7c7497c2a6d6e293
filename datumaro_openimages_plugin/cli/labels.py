"""Make CVAT's label JSON for a dataset, or check a task's labels against it.

Printed is what CVAT's label editor takes in its raw view: every class that has annotations, with
the attributes that keep their values. With --check, every label and attribute that a task lacks or
has of the wrong type is named, with what an import would lose; the exit code is 1 if there is any.

Examples:
  datum-openimages labels oid
  datum-openimages labels oid --names display --all > labels.json
  datum-openimages labels oid --check labels.json
  datum-openimages labels oid --check annotations.xml
"""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the subcommand's arguments."""
    from datumaro_openimages_plugin.cli.common import add_dataset

    add_dataset(parser)
    parser.add_argument(
        "--names",
        choices=("id", "display"),
        default="id",
        help="name labels by LabelName or by DisplayName (default: %(default)s); an import "
        "understands both, an export writes the label's name as the class",
    )
    parser.add_argument(
        "--all", action="store_true", help="make a label of each class, not only of those used"
    )
    parser.add_argument(
        "--check",
        metavar="FILE",
        help="check the labels of a task instead: raw JSON from CVAT's label editor, or the XML "
        "of an export as CVAT for images 1.1",
    )


def run(args: argparse.Namespace) -> int:
    """Runs the subcommand."""
    from datumaro_openimages_plugin.cli import FOUND, OK
    from datumaro_openimages_plugin.cli.common import open_files, write, write_json
    from datumaro_openimages_plugin.cvat.labels import check_labels, label_specs, usage_of
    from datumaro_openimages_plugin.cvat.specs import specs_from_file, specs_to_json

    specs = None
    if args.check is not None:
        with open(args.check, "rb") as file:
            specs = specs_from_file(file.read(), file=args.check)
    open_files(args.dataset)
    usage = usage_of(args.dataset)
    if specs is None:
        write_json(
            specs_to_json(label_specs(usage, display=args.names == "display", every=args.all))
        )
        return OK
    problems = check_labels(usage, specs)
    for problem in problems:
        write(str(problem))
    return FOUND if problems else OK
