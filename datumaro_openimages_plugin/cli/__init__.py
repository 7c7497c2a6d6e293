"""``datum-openimages``: what people do with Open Images that ``datum`` has no place for.

One module for each subcommand, listed in `COMMANDS`. Such a module has a docstring whose first line
is its help, ``add_arguments(parser)`` and ``run(args) -> int``; it imports what is heavy inside of
``run``, so that help costs nothing.

Exit codes: 0 all is well, 1 the command found what it looks for (such as problems in a dataset),
2 the command line or the data cannot be used, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType

__all__ = ["COMMANDS", "FOUND", "OK", "UNUSABLE", "build_parser", "main"]

#: Subcommands, in the order in which help lists them; each is a module of this package.
COMMANDS = (
    "info",
    "check",
    "sizes",
    "subset",
    "missing",
    "labels",
    "evaluate",
    "download",
    "preview",
)

OK = 0
FOUND = 1
UNUSABLE = 2
INTERRUPTED = 130

_EPILOG = """\
exit codes:
  0  all is well
  1  the command found what it looks for, such as problems in a dataset
  2  the command line or the data cannot be used

DATASET is a folder in the published layout, in CVAT's or in FiftyOne's, or a zip of one.
`datum-openimages COMMAND --help` explains each command with examples.
"""


def command_module(name: str) -> ModuleType:
    """The module of a subcommand."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")


def build_parser() -> argparse.ArgumentParser:
    """The command line with all subcommands."""
    from datumaro_openimages_plugin import __version__

    parser = argparse.ArgumentParser(
        prog="datum-openimages",
        description="Looks at, checks, cuts and completes Open Images datasets; to convert them, "
        "use `datum`.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-q", "--quiet", action="store_true", help="show no progress and no messages but errors"
    )
    found = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    for name in COMMANDS:
        module = command_module(name)
        text = inspect.getdoc(module) or ""
        summary = text.partition("\n")[0].rstrip(".")
        command = found.add_parser(
            name,
            parents=[common],
            help=summary[:1].lower() + summary[1:],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code.

    Args:
        argv: The arguments; those of the process by default.
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help()
        return UNUSABLE
    # Messages of the package go to the error output, results to the standard output.
    logging.basicConfig(
        format="%(levelname)s: %(message)s", level="ERROR" if args.quiet else "INFO"
    )
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        if not _is_users(error):
            raise
        sys.stderr.write(f"{parser.prog} {args.command}: {_one_line(error)}\n")
        return UNUSABLE


def _is_users(error: Exception) -> bool:
    """Whether the data or the command line is at fault rather than this program."""
    # An error of ours can only be there once its module is; importing it costs a second.
    errors = sys.modules.get("datumaro_openimages_plugin.errors")
    return isinstance(error, OSError) or (
        errors is not None and isinstance(error, errors.OpenImagesError)
    )


def _one_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(text.split())
