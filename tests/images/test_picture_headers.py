"""Sizes from headers: the quick way says what the library says, whatever the picture."""

from __future__ import annotations

import os
import struct
import sys
import threading

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datumaro_openimages_plugin.images import picture_headers
from datumaro_openimages_plugin.images.picture_headers import header_sizes, picture_size
from datumaro_openimages_plugin.sources.archive import open_source

SIZE = (30, 40)


def encoded(ext: str) -> bytes:
    return bytes(cv2.imencode(ext, np.zeros((*SIZE, 3), np.uint8))[1].tobytes())


JPEG, PNG = encoded(".jpg"), encoded(".png")


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


EXIF = segment(0xE1, b"Exif\0\0" + bytes(20))
JPEGS = {
    "plain": JPEG,
    "a small segment": JPEG[:2] + EXIF + JPEG[2:],
    "a large segment": JPEG[:2] + segment(0xE1, bytes(65_000)) + JPEG[2:],
    "many segments": JPEG[:2] + segment(0xE2, b"\xff" * 700) * 20 + JPEG[2:],
    "a segment that ends at the block": JPEG[:2] + segment(0xE2, bytes(4088)) + JPEG[2:],
    "a segment that ends before the block": JPEG[:2] + segment(0xE2, bytes(4083)) + JPEG[2:],
    "filled up": JPEG[:2] + b"\xff\xff" + JPEG[2:],
    "text between": JPEG[:2] + b"text" + JPEG[2:],
    "PNG": PNG,
    "BMP": encoded(".bmp"),
    "cut": JPEG[:40],
    "cut PNG": PNG[:20],
    "nothing": b"",
    "text": b"no picture",
}


@pytest.mark.parametrize("name", JPEGS)
def test_sizes(name, tmp_path):
    (tmp_path / "picture").write_bytes(JPEGS[name])
    readable = not any(word in name for word in ("cut", "nothing"))
    expected = SIZE if readable and name != "text" else None
    assert picture_size(str(tmp_path / "picture")) == expected


@pytest.mark.parametrize("name", ["plain", "a small segment", "a large segment", "PNG"])
def test_the_library_is_not_asked_for_plain_ones(name, tmp_path, monkeypatch):
    (tmp_path / "picture").write_bytes(JPEGS[name])
    monkeypatch.setattr(picture_headers, "_any_size", None)
    assert picture_size(str(tmp_path / "picture")) == SIZE


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([JPEGS["plain"], JPEGS["a small segment"], PNG]),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(1, 400),
)
def test_damaged_headers(tmp_path_factory, data, changes, length):
    changed = bytearray(data[:length])
    for at, value in changes:
        if at < len(changed):
            changed[at] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(changed)
    assert picture_size(str(path)) == picture_headers._any_size(str(path))


@pytest.mark.parametrize("is_slow", [False, True])
def test_many(tmp_path, is_slow, monkeypatch):
    monkeypatch.setattr(picture_headers, "_SLOW_S", -1 if is_slow else 1e6)
    names, expected = [], []
    for number in range(200):
        names.append(f"{number}.png")
        height = number % 7
        expected.append((height, 2) if height else None)
        if number % 5:
            data = cv2.imencode(".png", np.zeros((height, 2), np.uint8))[1] if height else b"x"
            (tmp_path / names[-1]).write_bytes(bytes(data))
        else:
            expected[-1] = None
    threads = set()
    read = os.read
    monkeypatch.setattr(os, "read", lambda *a: threads.add(threading.get_ident()) or read(*a))
    assert header_sizes(open_source(str(tmp_path)), names) == expected
    assert (threads != {threading.get_ident()}) == is_slow
    assert header_sizes(open_source(str(tmp_path)), []) == []


@pytest.mark.skipif(sys.platform == "win32", reason="has no such pipes")
def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert picture_size(str(tmp_path / "pipe")) is None
    assert picture_size(str(tmp_path)) is None
    assert picture_size(str(tmp_path / "missing")) is None
