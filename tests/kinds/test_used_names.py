"""Names that are taken."""

from __future__ import annotations

import random

import pytest

from datumaro_openimages_plugin.kinds import _used_names
from datumaro_openimages_plugin.kinds._used_names import UsedNames


@pytest.mark.parametrize("slots", [2, 8, 1024])
def test_each_name_is_free_once(slots, monkeypatch):
    monkeypatch.setattr(_used_names, "_SLOTS", slots)
    rng = random.Random(slots)
    names, seen = UsedNames(), set()
    for _ in range(600):
        name = "".join(rng.choices("aAbB_ß", k=rng.randint(0, 4))) + ".png"
        assert names.take(name) is (name.casefold() not in seen)
        seen.add(name.casefold())


def test_any_text_is_a_name():
    names = UsedNames()
    assert names.take("\ud800") and names.take("日本") and names.take("")
    assert not names.take("\ud800")
