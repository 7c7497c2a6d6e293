"""Which place each image of a part has in the whole: a file beside the part, written last.

The file says that the part is complete, and what it was made of, so that a process that begins
anew after a kill knows which parts there are already.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datumaro_openimages_plugin.errors import FormatError

__all__ = ["Order", "order_path"]


def order_path(folder: str) -> str:
    """Where the order of the part in ``folder`` is."""
    return os.path.abspath(folder) + ".order.json"


@dataclass(frozen=True)
class Order:
    """The images of a part.

    Attributes:
        made_of: What tells this part from any other: source, shard and options, as text.
        subsets: Names of subsets.
        subset_codes: (n,) positions in ``subsets``.
        ids: The n images' ids.
        numbers: (n,) int64 places in the whole, None where a transform made images or left some
            out, so that nobody can say.
        always_meta: Whether ``images.meta`` is wanted even where no table needs it; a part has
            it anyway.
    """

    made_of: str
    subsets: Sequence[str]
    subset_codes: Sequence[int]
    ids: Sequence[str]
    numbers: np.ndarray | None
    always_meta: bool = False

    def write(self, folder: str) -> None:
        """Writes the file of the part in ``folder``, whole or not at all."""
        value = {
            "made_of": self.made_of,
            "subsets": list(self.subsets),
            "subset_codes": list(self.subset_codes),
            "ids": list(self.ids),
            "always_meta": self.always_meta,
            "numbers": None if self.numbers is None else self.numbers.tolist(),
        }
        path = order_path(folder)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.replace(path + ".new", path)

    @classmethod
    def read(cls, folder: str) -> Order:
        """Reads the file of the part in ``folder``.

        Raises:
            FileNotFoundError: There is none: the part is not complete.
            FormatError: It is damaged.
        """
        path = order_path(folder)
        with open(path, encoding="utf-8") as file:
            try:
                value = json.load(file)
                numbers = value["numbers"]
                return cls(
                    value["made_of"],
                    value["subsets"],
                    value["subset_codes"],
                    value["ids"],
                    None if numbers is None else np.array(numbers, np.int64),
                    value["always_meta"],
                )
            except (ValueError, KeyError, TypeError):
                message = "is no file of a part; delete it, and the part is made anew"
                raise FormatError(message, file=path) from None
