"""Scores of predictions by the metric of the Open Images challenge.

TRUTH is a dataset with boxes, image labels and, for --masks, masks. PREDICTIONS is a CSV of the
challenge (ImageID,LabelName,Score,XMin,XMax,YMin,YMax; for --masks
ImageID,ImageWidth,ImageHeight,LabelName,Score,Mask) or a dataset whose boxes have a score.

Examples:
  datum-openimages evaluate validation predictions.csv
  datum-openimages evaluate validation masks.csv --masks --format json > scores.json
  datum-openimages evaluate validation predictions.csv --group-of-weight 0 --unverified count
"""

from __future__ import annotations

import argparse
import errno
import os
from typing import Any

from datumaro_openimages_plugin.cli.common import add_format, open_dataset, write

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what this command takes."""
    parser.add_argument("truth", metavar="TRUTH", help="folder or zip of the ground truth")
    parser.add_argument("predictions", metavar="PREDICTIONS", help="CSV, or folder or zip")
    parser.add_argument("--masks", action="store_true", help="compare masks rather than boxes")
    parser.add_argument("--subset", help="score this subset only")
    parser.add_argument("--hierarchy", metavar="FILE", help="JSON of the tree of classes to use")
    for side in ("truth", "predictions"):
        parser.add_argument(
            f"--{side}-format",
            metavar="NAME",
            default="open_images",
            help=f"Datumaro's name for the format of the {side} (default: %(default)s)",
        )
    add_format(parser)
    _add_rules(parser.add_argument_group("rules, those of the 2019 challenge by default"))


def _add_rules(group: Any) -> None:
    from datumaro_openimages_plugin.evaluation.rules import CHOICES

    group.add_argument(
        "--iou", type=float, default=0.5, help="overlap that counts as found (default: %(default)s)"
    )
    group.add_argument(
        "--group-of-weight",
        type=float,
        default=1.0,
        metavar="W",
        help="what a group-of box counts; 0 ignores what is inside (default: %(default)s)",
    )
    helps = {
        "unverified": "predictions of classes that nobody verified in their image",
        "group_overlap": "inside a group-of box: by the prediction's own area, or by IoU",
        "matching": "an object can be found by what overlaps it best, or by the best one left",
        "interpolation": "average precision as the area under the curve, or at 11 recalls",
        "expand": "which side the hierarchy expands",
        "repeats": "copies for a class that has several places in the hierarchy",
    }
    for name, choices in CHOICES.items():
        group.add_argument(
            f"--{name.replace('_', '-')}",
            choices=choices,
            default=choices[0],
            help=f"{helps[name]} (default: %(default)s)",
        )


def run(args: argparse.Namespace) -> int:
    """Prints the scores."""
    from datumaro_openimages_plugin.classes.hierarchy import hierarchy_from_json
    from datumaro_openimages_plugin.errors import OptionError
    from datumaro_openimages_plugin.evaluation import Rules, evaluate
    from datumaro_openimages_plugin.evaluation.rules import CHOICES

    hierarchy = None
    if args.hierarchy is not None:
        with open(args.hierarchy, "rb") as file:
            hierarchy = hierarchy_from_json(file.read(), file=args.hierarchy)
    try:
        choices = {name: getattr(args, name) for name in CHOICES}
        rules = Rules(iou=args.iou, group_of_weight=args.group_of_weight, **choices)
    except ValueError as error:
        raise OptionError(str(error)) from None
    predictions: Any = args.predictions
    if not os.path.exists(predictions):  # before the truth is read
        raise FileNotFoundError(errno.ENOENT, "there are no predictions", predictions)
    if os.path.isdir(predictions) or predictions.lower().endswith(".zip"):
        predictions = open_dataset(predictions, args.predictions_format)
    scores = evaluate(
        open_dataset(args.truth, args.truth_format),
        predictions,
        masks=args.masks,
        subset=args.subset,
        hierarchy=hierarchy,
        rules=rules,
    )
    write(scores.to_json().rstrip("\n") if args.format == "json" else str(scores))
    return 0
