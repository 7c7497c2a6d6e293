"""Measures a conversion with masks and pictures in one process, and in parts by workers of Dask.

    python benchmarks/parts.py --images 600 --workers 2

The conversion halves pictures and masks (Datumaro's ``resize``). The two results are compared to
the byte. Starting the workers is not measured: a cluster is there before the work is. Beside the
time on the clock stands processor time, that of one process against the busiest worker's and the
joining's: other programs on the machine disturb it less.
"""

from __future__ import annotations

import argparse
import filecmp
import importlib.util
import os
import shutil
import tempfile
import time
from pathlib import Path

from data import HEIGHT, WIDTH, Options, make_dataset

EXAMPLE = Path(__file__).parent.parent / "examples/convert_with_dask.py"
RESIZE = [("resize", {"width": WIDTH // 2, "height": HEIGHT // 2})]


def example():
    spec = importlib.util.spec_from_file_location("convert_with_dask", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_process(source: str, target: str) -> None:
    from datumaro.components.dataset import Dataset

    from datumaro_openimages_plugin import register

    register()
    dataset = Dataset.import_from(source, "open_images")
    for name, arguments in RESIZE:
        dataset.transform(name, **arguments)
    dataset.export(target, "open_images", save_media=True)


def differences(a: Path, b: Path) -> int:
    names = [{p.relative_to(r) for p in r.rglob("*") if p.is_file()} for r in (a, b)]
    same = names[0] & names[1]
    differ = sum(not filecmp.cmp(a / name, b / name, shallow=False) for name in same)
    return differ + len(names[0] ^ names[1])


def warm_up(_: int) -> int:
    import datumaro.components.dataset  # noqa: F401

    import datumaro_openimages_plugin.parts  # noqa: F401

    return os.getpid()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where to work, such as /dev/shm")
    args = parser.parse_args()
    from dask.distributed import Client

    # Each process has one processor; OpenCV would take all.
    os.environ["OPENCV_FOR_THREADS_NUM"] = os.environ["OMP_NUM_THREADS"] = "1"
    import cv2

    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        root = Path(folder)
        make_dataset(root / "in", Options(images=args.images, masks=True, jpegs=True))
        cluster = example().local_cluster(args.workers)
        with cluster, Client(cluster) as client:
            client.gather(client.map(warm_up, range(8 * args.workers), pure=False))
            warm_up(0)
            ratios = []
            for _ in range(args.rounds):
                for name in ("one", "many"):
                    shutil.rmtree(root / name, ignore_errors=True)
                start, used = time.perf_counter(), time.process_time()
                one_process(str(root / "in"), str(root / "one"))
                middle, one_used = time.perf_counter(), time.process_time() - used
                before, used = client.run(time.process_time), time.process_time()
                example().convert(
                    client,
                    str(root / "in"),
                    str(root / "many"),
                    args.parts,
                    transforms=RESIZE,
                    export={"save_media": True},
                )
                end = time.perf_counter()
                after = client.run(time.process_time)
                busiest = max(after[worker] - before[worker] for worker in after)
                many_used = busiest + time.process_time() - used
                ratios.append((middle - start) / (end - middle))
                print(
                    f"one process {middle - start:.1f} s, {args.workers} workers "
                    f"{end - middle:.1f} s: {ratios[-1]:.2f} times as fast, "
                    f"{one_used / many_used:.2f} by processor time; "
                    f"{differences(root / 'one', root / 'many')} files differ",
                    flush=True,
                )
    print(f"best {max(ratios):.2f}, median {sorted(ratios)[len(ratios) // 2]:.2f}")


if __name__ == "__main__":
    main()
