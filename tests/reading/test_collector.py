"""The collector is held back while blocks run, and never longer."""

import gc
import threading
import weakref

import pytest
from doc_examples import ROOT, blocks

from datumaro_openimages_plugin import paused_gc, register
from datumaro_openimages_plugin._host import CAN_STREAM


@pytest.fixture(autouse=True)
def enabled():
    assert gc.isenabled()
    yield
    gc.enable()


def test_it_is_held_back_while_the_block_runs():
    with paused_gc():
        assert not gc.isenabled()
    assert gc.isenabled()


class Node:
    """Something that can be in a cycle."""

    def __init__(self):
        self.itself = self


def test_what_was_made_meanwhile_is_old_and_can_still_be_collected():
    with paused_gc():
        node = Node()
    assert all(known is not node for known in gc.get_objects(generation=0))
    assert any(known is node for known in gc.get_objects())
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is None


def test_what_somebody_has_frozen_stays_so():
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        assert frozen > 0
        with paused_gc():
            node = Node()
        assert gc.get_freeze_count() <= frozen
        assert gc.get_freeze_count() > 0.9 * frozen
        assert any(known is node for known in gc.get_objects())
    finally:
        gc.unfreeze()


def test_nested_blocks():
    with paused_gc():
        with paused_gc():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_exception_ends_it_too():
    with pytest.raises(ZeroDivisionError), paused_gc():
        raise ZeroDivisionError
    assert gc.isenabled()


def test_whoever_disabled_it_finds_it_disabled():
    gc.disable()
    with paused_gc():
        assert not gc.isenabled()
    assert not gc.isenabled()


def test_blocks_of_several_threads():
    entered, leave = threading.Event(), threading.Event()

    def other():
        with paused_gc():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with paused_gc():
        thread.start()
        assert entered.wait(10)
    # The other block still runs.
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_the_page_about_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    register()
    namespace = {}
    for code in blocks("docs/speed.md", "python"):
        if "StreamDataset" in code and not CAN_STREAM:
            continue
        exec(compile(code, "docs/speed.md", "exec"), namespace)
    assert len(namespace["dataset"]) == 8
    assert (tmp_path / "coco").is_dir() == CAN_STREAM
