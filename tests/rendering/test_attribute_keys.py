"""Equal attributes get one number, whatever else is in their batch."""

from __future__ import annotations

import random
from decimal import Decimal

import numpy as np
import pytest

from datumaro_openimages_plugin.kinds._row_writers import BoxWriter
from datumaro_openimages_plugin.kinds.boxes import ATTRIBUTES, EXTRA
from datumaro_openimages_plugin.rendering.sinks import CsvSink

VALUES = [1, 1.0, True, 0, 0.0, -0.0, False, None, "1", "true", "", 2, [1]]
SCORES = [*VALUES, 0.25, np.float32(0.25), Decimal(1)]
NAMES = ["score", "occluded", "source", "odd"]


def keys():
    sink = CsvSink(lambda: "", ())
    return BoxWriter(sink, [], lambda *error: None, {})._keys


def told(found, number):
    key = found._keys[number]
    return key.texts, key.extra, key.unknown, str(key.error)


def test_scores_of_equal_value_and_other_class_are_told_apart():
    assert {"score"} <= ATTRIBUTES
    assert "source" in EXTRA
    found = keys()
    for value, good in ((1, True), (True, False), (1.0, True), (Decimal(1), False), (1, True)):
        numbers = found.of([{"score": value}] * 2)
        assert found.are_bad(numbers).tolist() == [not good] * 2, value


def test_equal_values_have_their_own_texts_in_further_columns():
    found = keys()
    values = [0.0, -0.0, Decimal("1.0"), Decimal("1.00"), (1,), (True,)]
    numbers = found.of([{"source": value} for value in values]).tolist()
    assert [found.extra(number)["Source"] for number in numbers] == list(map(str, values))


def test_equal_texts_of_further_columns_are_looked_at_once():
    found = keys()
    batch = [{"score": 0.5, "source": source} for source in ("xclick", "auto")] * 50
    numbers = found.of(batch).tolist()
    assert numbers[:2] * 50 == numbers == found.of(batch).tolist()
    one_by_one = [{"source": "auto"}, {"source": 0.0}, {"source": "auto"}, {"source": 0.0}]
    first, other, again, another = found.of(one_by_one).tolist()
    assert first == again and other != another


@pytest.mark.parametrize("seed", range(5))
def test_a_batch_is_its_annotations(seed):
    dice = random.Random(seed)
    together = keys()
    for _ in range(20):
        names = dice.sample(NAMES, dice.randrange(1, 4))
        batch = [{name: dice.choice(VALUES) for name in names} for _ in range(6)]
        if dice.random() < 0.5:
            batch.append({"score": 1, "is_inside": dice.choice([0, 1])})
        numbers = together.of(batch).tolist()
        for attributes, number in zip(batch, numbers, strict=True):
            alone = keys()
            assert told(together, number) == told(alone, int(alone.of([attributes])[0]))
