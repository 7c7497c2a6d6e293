"""Feed an Open Images dataset to PyTorch: a DataLoader whose workers each read their own shard.

    python examples/train_with_pytorch.py SOURCE --workers 2 --batch 8

Nothing is loaded beforehand but columns: each worker of each process imports one shard and makes
items as they are asked for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from datumaro_openimages_plugin import OpenImagesExtractor

Sample = dict[str, Any]


class OpenImages(IterableDataset):
    """The images of a dataset with their boxes, streamed.

    Each image comes once, whatever the number of workers is.

    Args:
        source: The dataset: a folder or zip.
        rank: Number of this process of a distributed training.
        world: How many processes there are.
        choose: Arguments of the import, such as ``kinds``, ``subsets`` or ``classes``.
    """

    def __init__(self, source: str, *, rank: int = 0, world: int = 1, **choose: Any) -> None:
        self.source = source
        self.rank = rank
        self.world = world
        self.choose = choose

    def __iter__(self) -> Iterator[Sample]:
        """Read the shard of this worker."""
        worker = get_worker_info()
        workers, number = (1, 0) if worker is None else (worker.num_workers, worker.id)
        shard = (self.rank * workers + number, self.world * workers)
        for item in OpenImagesExtractor(self.source, shard=shard, **self.choose):
            if item.media is not None:
                yield sample_of(item)


def sample_of(item: Any) -> Sample:
    """Make the sample of an item.

    Returns:
        ``image``: (3, h, w) uint8, RGB; ``boxes``: (n, 4) float32 x1, y1, x2, y2 in pixels;
        ``labels``: (n,) int64; ``id``.
    """
    boxes = [a for a in item.annotations if a.type.name == "bbox"]
    pixels = np.ascontiguousarray(item.media.data[..., 2::-1].transpose(2, 0, 1), dtype=np.uint8)
    return {
        "id": item.id,
        "image": torch.from_numpy(pixels),
        "boxes": torch.tensor([box.points for box in boxes], dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor([box.label for box in boxes], dtype=torch.int64),
    }


def loader(source: str, *, batch: int, workers: int, **options: Any) -> DataLoader:
    """Make a DataLoader; its batches are lists of samples, since images differ in size."""
    dataset = OpenImages(source, **options)
    return DataLoader(dataset, batch_size=batch, num_workers=workers, collate_fn=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Count what one epoch brings."""
    parser = argparse.ArgumentParser(description="Stream an Open Images dataset to PyTorch.")
    parser.add_argument("source")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    args = parser.parse_args(argv)
    images = boxes = 0
    for samples in loader(args.source, batch=args.batch, workers=args.workers, kinds=["boxes"]):
        images += len(samples)
        boxes += sum(len(sample["boxes"]) for sample in samples)
    sys.stdout.write(f"{images} images, {boxes} boxes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
