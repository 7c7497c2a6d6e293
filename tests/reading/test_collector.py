"""The collector is held back while blocks run, and never longer."""

import gc
import threading

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
