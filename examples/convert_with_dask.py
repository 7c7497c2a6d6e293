"""Convert an Open Images dataset with all processors of a machine, or of many.

    python examples/convert_with_dask.py SOURCE TARGET --parts 8 --workers 4 --size 320 240

Each part is a shard of the dataset, made by its own task; the tables of the parts are then joined.
On many machines give the address of your scheduler (``--scheduler tcp://…``): all that the workers
need is this package and a file system with SOURCE and TARGET that they all see.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import dask
from dask.distributed import Client, LocalCluster

from datumaro_openimages_plugin.parts import Transform, convert_part, merge_parts


def local_cluster(workers: int | None = None) -> LocalCluster:
    """Start workers on this machine, a process with one thread each.

    Dask tells the C library of its workers to give all memory back at once. Pictures and masks are
    large arrays that come and go, which then costs as much again as the conversion itself.
    """
    environ = "distributed.nanny.pre-spawn-environ"
    thresholds = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
    with dask.config.set({f"{environ}.{name}": 1 << 28 for name in thresholds}):
        return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)


def convert(
    client: Client,
    source: str,
    target: str,
    parts: int,
    *,
    transforms: Sequence[Transform] = (),
    choose: Mapping[str, Any] | None = None,
    export: Mapping[str, Any] | None = None,
) -> None:
    """Convert a dataset in parts, and join them.

    Dask runs a task again when its worker is lost; a part that was complete is not made again.

    Args:
        client: The scheduler that runs the tasks.
        source: The dataset.
        target: Where the whole is to be; the parts are beside it meanwhile.
        parts: How many parts; more than workers, so that a lost one costs little.
        transforms: Datumaro's names of transforms, and their arguments.
        choose: Arguments of the import.
        export: Arguments of the export.
    """
    folders = [f"{target}.parts/{number:04}" for number in range(parts)]
    tasks = [
        client.submit(
            convert_part,
            source,
            folder,
            (number, parts),
            choose=choose,
            transforms=transforms,
            export=export,
            pure=False,
            retries=3,  # of a task that fails; one whose worker is lost is always run again
        )
        for number, folder in enumerate(folders)
    ]
    merge_parts(client.gather(tasks), target)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the example."""
    parser = argparse.ArgumentParser(description="Convert an Open Images dataset with Dask.")
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--workers", type=int, default=None, help="all processors by default")
    parser.add_argument("--scheduler", help="address of a Dask scheduler, instead of own workers")
    parser.add_argument("--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"))
    args = parser.parse_args(argv)
    transforms: list[Transform] = []
    if args.size:
        transforms.append(("resize", {"width": args.size[0], "height": args.size[1]}))
    cluster = args.scheduler or local_cluster(args.workers)
    with Client(cluster) as client:
        convert(
            client,
            args.source,
            args.target,
            args.parts,
            transforms=transforms,
            export={"save_media": True},
        )
    if not args.scheduler:
        cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
