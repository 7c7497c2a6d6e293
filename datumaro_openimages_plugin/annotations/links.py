"""Which mask belongs to which box: by sorted keys, never all pairs.

Boxes have no ids in the published files; a mask names its box by label and coordinates, written
with 6 decimals where the box file may have more, hence the tolerance.
"""

from __future__ import annotations

import numpy as np

__all__ = ["TOLERANCE_FRAC", "match_boxes"]

TOLERANCE_FRAC = 1e-6

#: Weights that make one sortable number of four coordinates; any fixed unequal numbers do.
_WEIGHTS = np.array([1.0, 1.3247179572, 1.7548776662, 2.3247179572])


def match_boxes(
    mask_keys: np.ndarray,
    mask_frac: np.ndarray,
    box_keys: np.ndarray,
    box_frac: np.ndarray,
) -> np.ndarray:
    """Finds the box of each mask.

    Args:
        mask_keys: (m,) int64, equal for a mask and a box of the same image and label.
        mask_frac: (m, 4) float64 XMin, XMax, YMin, YMax; NaN where the mask names no box.
        box_keys: (n,) int64.
        box_frac: (n, 4) float64.

    Returns:
        (m,) int64 row of the last box whose four coordinates all lie within
        `TOLERANCE_FRAC`, -1 where there is none.
    """
    result = np.full(len(mask_keys), -1, np.int64)
    masks = np.flatnonzero(np.isfinite(mask_frac).all(axis=1))
    if not len(masks) or not len(box_keys):
        return result
    boxes = _last_of_equal(box_keys, box_frac)
    box_sums = box_frac[boxes] @ _WEIGHTS
    order = np.lexsort((box_sums, box_keys[boxes]))
    boxes, box_sums = boxes[order], box_sums[order]
    # The keys' positions are narrowed first, then the sums within one key.
    reach = TOLERANCE_FRAC * _WEIGHTS.sum() * (1 + 1e-9) + 1e-12
    mask_sums = mask_frac[masks] @ _WEIGHTS
    low = _search(box_keys[boxes], box_sums, mask_keys[masks], mask_sums - reach, "left")
    high = _search(box_keys[boxes], box_sums, mask_keys[masks], mask_sums + reach, "right")
    counts = high - low
    pair_mask = np.repeat(masks, counts)
    first = np.repeat(low - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    pair_box = boxes[first + np.arange(len(pair_mask))]
    near = np.abs(mask_frac[pair_mask] - box_frac[pair_box]) <= TOLERANCE_FRAC
    agree = near.all(axis=1)
    np.maximum.at(result, pair_mask[agree], pair_box[agree])
    return result


def _last_of_equal(keys: np.ndarray, frac: np.ndarray) -> np.ndarray:
    """Row numbers without all but the last of exactly equal boxes, which keeps windows small."""
    order = np.lexsort((frac[:, 3], frac[:, 2], frac[:, 1], frac[:, 0], keys))
    same = (keys[order][1:] == keys[order][:-1]) & (frac[order][1:] == frac[order][:-1]).all(axis=1)
    # lexsort is stable, so among equal ones the last row comes last.
    return order[np.append(~same, True)]


def _search(
    keys: np.ndarray, sums: np.ndarray, want_keys: np.ndarray, want_sums: np.ndarray, side: str
) -> np.ndarray:
    """Positions in rows sorted by (key, sum), as `numpy.searchsorted` gives for one column."""
    wanted = np.concatenate([np.zeros(len(keys), bool), np.ones(len(want_keys), bool)])
    # Among equals a wanted row stands before the others ("left") or after them ("right").
    tie = wanted if side == "right" else ~wanted
    all_keys, all_sums = np.concatenate([keys, want_keys]), np.concatenate([sums, want_sums])
    order = np.lexsort((tie, all_sums, all_keys))
    before = np.cumsum(~wanted[order])
    result = np.empty(len(wanted), np.int64)
    result[order] = before
    return result[len(keys) :]
