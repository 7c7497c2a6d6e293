"""Ids are found where they stand, as numbers or as texts."""

import numpy as np
import pyarrow as pa
import pytest

from datumaro_openimages_plugin.images.id_index import IdIndex, hex_keys

HEX = ["000a959f78f4a1b2", "ffffffffffffffff", "0123456789abcdef", "0000000000000000"]


def column(*texts):
    return pa.array(texts, pa.string())


def test_hex_ids_are_their_numbers():
    keys = hex_keys(column(*HEX))
    assert keys.dtype == np.uint64
    assert keys.tolist() == [int(text, 16) for text in HEX]


def test_many_ids_are_their_numbers():
    numbers = np.random.default_rng(3).integers(0, 2**63, 100_000, dtype=np.uint64)
    texts = [f"{number:016x}" for number in numbers.tolist()]
    assert (hex_keys(column(*texts)) == numbers).all()
    texts[-1] = texts[-1][:-1] + "g"
    assert hex_keys(column(*texts)) is None


def test_a_slice_of_a_column_has_its_own_numbers():
    keys = hex_keys(column("no id at all", *HEX)[2:4])
    assert keys.tolist() == [int(text, 16) for text in HEX[1:3]]


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["000A959F78F4A1B2"],
        ["000a959f78f4a1b"],
        ["000a959f78f4a1b2", "000a959f78f4a1bg"],
        ["000a959f78f4a1b2", None],
        ["000a959f78f4a1b", "000a959f78f4a1b2c"],
        ["ä" * 8],
    ],
)
def test_other_texts_are_no_numbers(texts):
    assert hex_keys(column(*texts)) is None


@pytest.mark.parametrize("other", [[], ["an id", "", "0123456789abcdeF"]])
@pytest.mark.parametrize("seed", range(5))
def test_finds_the_first_of_equal_ids(seed, other):
    random = np.random.default_rng(seed)
    pool = [f"{n:016x}" for n in random.integers(0, 2**63, 20)] + other
    texts = [pool[i] for i in random.integers(0, len(pool), 30)]
    wanted = [pool[i] for i in random.integers(0, len(pool), 50)]
    wanted += ["f" * 16, "0" * 16, "unknown", ""]
    index = IdIndex(column(*texts))
    expected = [texts.index(text) if text in texts else -1 for text in wanted]
    assert index.look_up(column(*wanted)).tolist() == expected
    chunks = pa.chunked_array([column(*wanted[:7]), column(*wanted[7:])], pa.string())
    assert index.look_up(chunks).tolist() == expected
    repeated = [i for i, text in enumerate(texts) if text in texts[:i]]
    assert index.repeated().tolist() == repeated


def test_nothing_is_found_in_nothing():
    index = IdIndex(column())
    assert index.look_up(column(*HEX)).tolist() == [-1] * len(HEX)
    assert index.look_up(pa.chunked_array([], pa.string())).tolist() == []
    assert index.repeated().tolist() == []


@pytest.mark.parametrize("at", range(16))
def test_every_other_byte_is_told_from_a_digit(at):
    for byte in range(128):
        text = f"{HEX[2][:at]}{chr(byte)}{HEX[2][at + 1 :]}"
        expected = [int(text, 16)] if chr(byte) in "0123456789abcdef" else None
        keys = hex_keys(column(text))
        assert (None if keys is None else keys.tolist()) == expected
