"""The collector is held back while blocks run, and never longer."""

import gc
import threading

import pytest

from datumaro_openimages_plugin import paused_gc


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
