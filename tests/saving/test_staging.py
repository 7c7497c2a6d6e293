"""Replacing a folder: whole or not at all, both ways, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from datumaro_openimages_plugin.errors import OpenImagesError, SaveError, UnsafePathError
from datumaro_openimages_plugin.saving import _system, staged
from datumaro_openimages_plugin.saving.journal import Workspace
from datumaro_openimages_plugin.saving.staging import Staging, recover
from datumaro_openimages_plugin.sources.safe_names import PARTIAL

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for it")
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount"
)

OLD = {"boxes.csv": "old", "images/train/1.jpg": "one", "images/train/2.jpg": "two", "note": "mine"}
NEW = {"boxes.csv": "new", "images/train/1.jpg": "one", "masks/train/1.png": "mask", "note": "mine"}


@pytest.fixture(params=["exchange", "journal"])
def way(request, monkeypatch):
    """Both ways of putting the new folder in place."""
    monkeypatch.setenv("DATUMARO_OPENIMAGES_EXCHANGE", "0" if request.param == "journal" else "1")
    return request.param


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def files(folder: Path, workspace: bool = True) -> dict[str, str]:
    """What is in a folder, with or without a workspace."""
    found = {}
    for above, folders, names in os.walk(folder):
        if not workspace and PARTIAL in folders:
            folders.remove(PARTIAL)
        for path in (Path(above, name) for name in names):
            if path.exists():
                found[path.relative_to(folder).as_posix()] = path.read_text()
    return found


def is_ours(rel: str) -> bool:
    return not rel.startswith("note")


def save(target, exchange: bool | None = None, old: bool = True) -> None:
    """Replaces `OLD` by `NEW`: a file written, one kept, one added, one dropped, one foreign."""
    with Staging(str(target), exchange=exchange) as staging:
        Path(staging.path("boxes.csv")).write_text("new")
        if old:
            staging.keep("images/train/1.jpg")
        else:
            Path(staging.path("images/train/1.jpg")).write_text("one")
            Path(staging.path("note")).write_text("mine")
        Path(staging.path("masks/train/1.png")).write_text("mask")
        staging.keep_rest(is_ours)


def alone(parent: Path, *names: str) -> bool:
    """Whether nothing else is in a folder: no leftovers."""
    return sorted(os.listdir(parent)) == sorted(names)


# What is replaced, and what stays


@pytest.mark.parametrize("before", ["missing", "missing parent", "empty"])
def test_new_folder(tmp_path, way, before):
    target = tmp_path / ("a/b" if before == "missing parent" else "data")
    if before == "empty":
        target.mkdir()
    save(target, old=False)
    assert files(target) == NEW
    assert alone(target.parent, target.name)


def test_old_folder(tmp_path, way):
    target = put(tmp_path / "data", OLD)
    save(target)
    assert files(target) == NEW
    assert alone(tmp_path, "data")


@pytest.mark.parametrize("link", ["hard link", "copy"])
def test_kept_files_are_not_copied(tmp_path, way, link, monkeypatch):
    target = put(tmp_path / "data", OLD)
    os.utime(target / "note", (1, 1))
    before = {name: os.stat(target / name).st_ino for name in ("note", "images/train/1.jpg")}
    if link == "copy":

        def refuse(*args, **kwargs):
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuse)
    save(target)
    after = {name: os.stat(target / name).st_ino for name in before}
    assert (after == before) == (link == "hard link")
    assert files(target) == NEW
    assert os.stat(target / "note").st_mtime == 1


def test_foreign_files(tmp_path, way):
    target = put(tmp_path / "data", {**OLD, "note.d/deep/x": "x", "images/train/note": "no note"})
    (target / "empty/folder").mkdir(parents=True)
    (target / "note.link").symlink_to("note")
    (target / "note.nowhere").symlink_to("nothing")
    (target / "note.folder").symlink_to("images", target_is_directory=True)
    save(target)
    assert files(target) == {**NEW, "note.d/deep/x": "x", "note.link": "mine"}
    assert (target / "empty/folder").is_dir()
    assert os.readlink(target / "note.link") == "note"
    assert os.readlink(target / "note.nowhere") == "nothing"
    assert os.readlink(target / "note.folder") == "images"


@pytest.mark.parametrize("old, new", [("a", "a/b"), ("a/b", "a")])
def test_foreign_file_in_the_way(tmp_path, way, old, new):
    target = put(tmp_path / "data", {old: "foreign"})
    with pytest.raises(SaveError, match="has to be"), Staging(str(target)) as staging:
        Path(staging.path(new)).write_text("new")
        staging.keep_rest(lambda rel: False)
    assert files(target) == {old: "foreign"}
    assert alone(tmp_path, "data")


def test_moved_and_swapped_images(tmp_path, way, monkeypatch):
    target = put(tmp_path / "data", {"images/a.jpg": "a", "images/b.jpg": "b"})
    inode = os.stat(target / "images/a.jpg").st_ino
    monkeypatch.chdir(tmp_path)
    with Staging(str(target)) as staging:
        staging.add_file(str(target / "images/a.jpg"), "images/b.jpg")
        staging.add_file("data/images/b.jpg", "images/a.jpg")
        staging.add_file("data/../data/images/a.jpg", "test/a.jpg")
    assert files(target) == {"images/a.jpg": "b", "images/b.jpg": "a", "test/a.jpg": "a"}
    assert os.stat(target / "images/b.jpg").st_ino == inode


def test_outside_files_are_copied(tmp_path):
    source = put(tmp_path / "data-source", {"a.jpg": "a"}) / "a.jpg"
    target = put(tmp_path / "data", OLD)
    with Staging(str(target)) as staging:
        staging.add_file(str(source), "copy.jpg")
        staging.add_file(str(source), "link.jpg", link=True)
        with pytest.raises(FileNotFoundError):
            staging.add_file(str(tmp_path / "missing.jpg"), "missing.jpg")
        staging.add_file(str(source), "missing.jpg")
    assert files(target) == {"copy.jpg": "a", "link.jpg": "a", "missing.jpg": "a"}
    assert not os.path.samefile(target / "copy.jpg", source)
    assert os.path.samefile(target / "link.jpg", source)


def test_large_files_are_copied_whole(tmp_path):
    source = tmp_path / "large"
    source.write_bytes(os.urandom(5 << 19))
    _system.copy(str(source), str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


@needs_linux
def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(shutil.SpecialFileError):
        _system.copy(str(tmp_path / "pipe"), str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("link", [False, True])
def test_names_that_the_file_system_takes_for_one(tmp_path, link):
    source = put(tmp_path / "source", {"a.jpg": "a"}) / "a.jpg"
    with Staging(str(tmp_path / "data")) as staging:
        Path(staging.root, "A.jpg").write_text("it was staged as a.jpg")
        with pytest.raises(SaveError, match="two files"):
            staging.add_file(str(source), "A.jpg", link)
        staging.discard("A.jpg")
        staging.add_file(str(source), "A.jpg", link)
        assert staging.is_staged("A.jpg")


def test_linked_images(tmp_path, way):
    """A linked image stays a link under its name; moved, its content is copied."""
    put(tmp_path / "disk", {"a.jpg": "a", "b.jpg": "b"})
    target = put(tmp_path / "data", {"images/train/x": ""})
    for name in ("a.jpg", "b.jpg"):
        (target / "images/train" / name).symlink_to(f"../../../disk/{name}")
    with Staging(str(target)) as staging:
        for _ in ("one", "another image of the same picture"):
            staging.add_file(str(target / "images/train/a.jpg"), "images/train/a.jpg")
        staging.add_file(str(target / "images/train/b.jpg"), "b.jpg")
    assert files(target) == {"images/train/a.jpg": "a", "b.jpg": "b"}
    assert os.readlink(target / "images/train/a.jpg") == "../../../disk/a.jpg"
    assert not (target / "b.jpg").is_symlink()


def test_linked_image_folder(tmp_path, way):
    """What is written into becomes a folder of the dataset; nothing is lost, nor changed there."""
    disk = put(tmp_path / "disk", {"train/1.jpg": "one", "train/2.jpg": "two"})
    target = put(tmp_path / "data", {"boxes.csv": "old"})
    (target / "images").symlink_to("../disk", target_is_directory=True)
    with Staging(str(target)) as staging:
        staging.add_file(str(target / "images/train/1.jpg"), "images/train/1.jpg")
        staging.keep_rest(lambda rel: rel == "boxes.csv")
    assert files(target) == {"images/train/1.jpg": "one", "images/train/2.jpg": "two"}
    assert files(disk) == {"train/1.jpg": "one", "train/2.jpg": "two"}


@pytest.mark.parametrize("spelling", ["data/", "./data", "other/../data", "link", "link/"])
def test_spellings(tmp_path, way, monkeypatch, spelling):
    put(tmp_path / "data", OLD)
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to("data", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    with Staging("data"), pytest.raises(SaveError, match="another export"):
        save(spelling)
    put(tmp_path / "data", OLD)
    with Staging(spelling) as staging:
        staging.add_file(f"{spelling}/note", "images/note")
    assert files(tmp_path / "data") == {"images/note": "mine"}
    assert os.readlink("link") == "data"
    assert alone(tmp_path, "data", "link", "other")


def test_current_folder(tmp_path, way, monkeypatch):
    """A shell in the target goes on seeing it; a process further inside is where it was."""
    target = put(tmp_path / "data", OLD)
    monkeypatch.chdir(target)
    inode = os.stat(target).st_ino
    save(".")
    assert os.stat(target).st_ino == inode
    assert files(Path(".")) == NEW
    monkeypatch.chdir(target / "images")
    put(target, OLD)
    save("..")
    assert os.getcwd() == str(target / "images")
    assert os.listdir() == ["train"]


@pytest.mark.skipif(os.name == "nt", reason="has no modes")
def test_modes(tmp_path, way):
    target = put(tmp_path / "data", OLD)
    os.chmod(target, 0o2750)
    os.chmod(target / "images", 0o711)
    save(target)
    assert stat.S_IMODE(os.stat(target).st_mode) == 0o2750
    assert stat.S_IMODE(os.stat(target / "images").st_mode) == 0o711


def test_long_names(tmp_path, way):
    target = put(tmp_path / ("ä" * 127), OLD)
    save(target)
    assert files(target) == NEW


# Names


LEADING_OUT = ["", "..", "../b", "/b", "//b", "a/../b", "./b", "a//b", "a/", "a\0b", "a\n/../b"]
NOT_FOR_NEW = ["a\\b", "C:a", "C:/a", "d/c:", "con", "CON.jpg", "a/aux/b", "lpt1.x", "nul .x"]
NOT_FOR_NEW += ["a.", "a /b", "a/b ", PARTIAL, PARTIAL + "/new/x"]


@pytest.mark.parametrize("rel", LEADING_OUT + NOT_FOR_NEW)
def test_unsafe_names(tmp_path, rel):
    target = put(tmp_path / "data", {"b": "b"})
    with Staging(str(target)) as staging:
        with pytest.raises(UnsafePathError):
            staging.path(rel)
        with pytest.raises(UnsafePathError):
            staging.add_file(str(target / "b"), rel)


@pytest.mark.parametrize("rel", LEADING_OUT)
def test_unsafe_names_of_kept_files(tmp_path, rel):
    put(tmp_path, {"b": "outside", "data/b": "b"})
    with Staging(str(tmp_path / "data")) as staging, pytest.raises(UnsafePathError):
        staging.keep(rel)


@needs_linux
def test_files_that_are_there_keep_odd_names(tmp_path, way):
    odd = {"aux.jpg": "1", "a\\b": "2", "c:": "3", "dot./x": "4", "line\nend": "5"}
    target = put(tmp_path / "data", odd)
    with Staging(str(target)) as staging:
        staging.add_file(str(target / "aux.jpg"), "aux.jpg")
        staging.keep_rest(lambda rel: False)
    assert files(target) == odd


def test_no_name_twice(tmp_path):
    target = put(tmp_path / "data", OLD)
    with Staging(str(target)) as staging:
        staging.path("a")
        staging.keep("note")
        for again in (staging.path, staging.keep):
            with pytest.raises(SaveError, match="two files"):
                again("note")
        with pytest.raises(SaveError, match="two files"):
            staging.path("a")
    assert files(target) == {"note": "mine"}


def test_names_of_many_files_are_not_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(staged, "_FEW", 5)
    with Staging(str(tmp_path / "data")) as staging:
        unwritten = [f"not/{number}" for number in range(9)]
        for number in range(100):
            Path(staging.path(f"a/{number}")).touch()
            if number < 9:
                staging.path(unwritten[number])
            assert len(staging._promised) <= 5 + 2 * 10
        for rel in [f"a/{number}" for number in range(100)] + unwritten:
            assert staging.is_staged(rel)
            with pytest.raises(SaveError, match="two files"):
                staging.path(rel)
    assert len(files(tmp_path / "data")) == 100


# Failures


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), UnsafePathError("no")])
def test_exception_in_the_body(tmp_path, way, error):
    target = put(tmp_path / "data", OLD)
    with pytest.raises(type(error)) as raised, Staging(str(target)) as staging:
        Path(staging.path("boxes.csv")).write_text("half")
        staging.keep("images/train/1.jpg")
        raise error
    assert raised.value is error
    assert files(target) == OLD
    assert alone(tmp_path, "data")


def test_exception_before_there_is_a_folder(tmp_path, way):
    with pytest.raises(ValueError), Staging(str(tmp_path / "data")) as staging:
        Path(staging.path("boxes.csv")).write_text("half")
        raise ValueError
    assert alone(tmp_path)


def test_errors_of_the_system_name_the_target(tmp_path, way):
    """Those of writing do; those of reading the dataset pass as they are."""
    target = put(tmp_path / "data", OLD)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(SaveError, match=r"data: .*No space.*; make room"), Staging(str(target)):
        raise full
    with (
        pytest.raises(SaveError, match="Is a directory") as raised,
        Staging(str(target)) as staging,
    ):
        staging.path("folder/x")
        open(os.path.join(staging.root, "folder"), "w")  # noqa: SIM115 (it fails)
    assert isinstance(raised.value.__cause__, IsADirectoryError)
    with pytest.raises(FileNotFoundError) as raised, Staging(str(target)):
        open(tmp_path / "data-elsewhere.jpg")  # noqa: SIM115 (it fails)
    assert not isinstance(raised.value, OpenImagesError)
    assert files(target) == OLD
    assert alone(tmp_path, "data")


def test_target_is_a_file(tmp_path, way):
    put(tmp_path, {"data": "a file"})
    with pytest.raises(SaveError, match="is a file"):
        save(tmp_path / "data")
    assert files(tmp_path) == {"data": "a file"}


def test_no_permission(tmp_path, way, monkeypatch):
    target = put(tmp_path / "data", OLD)
    monkeypatch.setattr(os, "access", lambda path, mode: os.fspath(path) != str(target))
    with pytest.raises(SaveError, match=r"Permission denied.*that you may write"):
        save(target)
    assert files(target) == OLD
    assert alone(tmp_path, "data")


def test_parent_of_somebody_else(tmp_path, monkeypatch):
    """Then all happens inside the target."""
    target = put(tmp_path / "data", OLD)
    inode = os.stat(target).st_ino
    monkeypatch.setattr(os, "access", lambda path, mode: os.fspath(path) != str(tmp_path))
    save(target)
    assert files(target) == NEW
    assert os.stat(target).st_ino == inode


def fail_at_move(monkeypatch, number, ever=False):
    """Has the system refuse the ``number``-th rename, or that and all later ones."""
    rename, calls = os.rename, []

    def refusing(src, dst):
        calls.append(src)
        if len(calls) == number or (ever and len(calls) > number):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), src)
        rename(src, dst)

    monkeypatch.setattr(os, "rename", refusing)


@pytest.mark.parametrize("number", range(1, 8))
def test_moves_that_fail_are_undone(tmp_path, monkeypatch, number):
    """Three names go, four come: any of the seven moves may be refused."""
    target = put(tmp_path / "data", OLD)
    with monkeypatch.context() as patch:
        fail_at_move(patch, number)
        with pytest.raises(SaveError, match="nothing there has changed"):
            save(target, exchange=False)
    assert files(target) == OLD
    assert alone(tmp_path, "data")


@pytest.mark.parametrize("number", range(2, 8))
def test_moves_that_cannot_be_undone_are_finished_later(tmp_path, monkeypatch, number):
    target = put(tmp_path / "data", OLD)
    with monkeypatch.context() as patch:
        fail_at_move(patch, number, ever=True)
        with pytest.raises(SaveError, match="half replaced"):
            save(target, exchange=False)
        with pytest.raises(SaveError, match="cannot be made up for") as raised:
            recover(str(target))
        assert raised.value.__cause__ is None
    recover(str(target))
    assert files(target) == NEW


@needs_linux
@needs_root
def test_disk_full(tmp_path, way, mounted):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted(disk, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    target = put(disk / "data", OLD)
    with pytest.raises(SaveError, match="No space left"), Staging(str(target)) as staging:
        staging.keep("note")
        for number in range(100):
            Path(staging.path(f"{number}.png")).write_bytes(bytes(4096))
    assert files(target) == OLD
    assert alone(disk, "data")


@needs_linux
@needs_root
@pytest.mark.parametrize("options", ["-o ro -t tmpfs tmpfs", "--bind"])
def test_mounted_target(tmp_path, way, mounted, options):
    """It is replaced from inside; a read-only one is refused."""
    target = put(tmp_path / "data", OLD)
    source = [str(put(tmp_path / "real", OLD))] if options == "--bind" else []
    mounted(target, *options.split(), *source)
    if options == "--bind":
        save(target)
        assert files(target) == NEW == files(tmp_path / "real")
        with pytest.raises(SaveError, match="mounted in it"):
            save(tmp_path)
    else:
        with pytest.raises(SaveError, match=r"Read-only|denied"):
            save(target, old=False)
    assert alone(tmp_path, "data", *["real"] * len(source))


# Two at once, readers, leftovers


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_two_at_once(tmp_path, first, second):
    target = put(tmp_path / "data", OLD)
    with Staging(str(target), exchange=first) as staging:
        with pytest.raises(SaveError, match="another export is writing"):
            save(target, second)
        Path(staging.path("only")).write_text("first")
    assert files(target) == {"only": "first"}
    save(target, second, old=False)
    assert files(target).keys() == NEW.keys()
    assert alone(tmp_path, "data")


def test_whoever_only_looks_after_leftovers_is_waited_for(tmp_path, way):
    target = put(tmp_path / "data", OLD)
    beside, inside = Workspace.beside(str(target)), Workspace.inside(str(target))
    held = beside if way == "exchange" and sys.platform == "linux" else inside
    assert held.take()
    timer = threading.Timer(0.1, held.release)
    timer.start()
    save(target)
    timer.join()
    assert files(target) == NEW
    assert alone(tmp_path, "data")


def test_many_at_once(tmp_path, way):
    """Whoever is not refused replaces all; the lock's file comes and goes meanwhile."""
    target = put(tmp_path / "data", {"0": "0", "1": "0"})
    strange = []

    def work(name):
        for _ in range(20):
            try:
                with Staging(str(target)) as staging:
                    for rel in ("0", "1"):
                        Path(staging.path(rel)).write_text(name)
            except SaveError as error:
                if "another export is writing" not in str(error):
                    strange.append(error)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not strange
    found = files(target)
    assert set(found) == {"0", "1"} and found["0"] == found["1"]
    assert alone(tmp_path, "data")


def test_readers_see_old_or_new(tmp_path, way):
    if way == "exchange" and sys.platform != "linux":
        pytest.skip("has no exchange")
    target = put(tmp_path / "data", {"a": "0", "b": "0"})
    stop, mixed, seen = threading.Event(), [], set()

    def read():
        while not stop.is_set():
            recover(str(target))
            with contextlib.suppress(FileNotFoundError):
                # Once it has the folder, a reader of an exchanged one sees one state only, though
                # the old one may be on its way out.
                handle = os.open(target, os.O_RDONLY)
                names = sorted(name for name in os.listdir(handle) if name != PARTIAL)
                os.close(handle)
                seen.add(tuple(names))
                if way == "exchange" and not (set(names) <= set("ab") or set(names) <= set("cd")):
                    mixed.append(names)

    reader = threading.Thread(target=read)
    reader.start()
    both = {("a", "b"), ("c", "d")}
    for number in range(6000):
        with Staging(str(target)) as staging:
            for rel in ("ab", "cd")[number % 2]:
                Path(staging.path(rel)).write_text("x")
        if number >= 60 and both <= seen:
            break
    stop.set()
    reader.join()
    assert not mixed
    assert both <= seen


def test_readers_wait_for_the_moves(tmp_path, monkeypatch):
    target = put(tmp_path / "data", OLD)
    rename, moving = os.rename, threading.Event()

    def slow(src, dst):
        moving.set()
        time.sleep(0.01)
        rename(src, dst)

    monkeypatch.setattr(os, "rename", slow)
    saver = threading.Thread(target=save, args=(target, False))
    saver.start()
    assert moving.wait(10)
    recover(str(target))
    found = files(target, workspace=False)
    saver.join()
    assert found == NEW


def test_leftovers_go_with_the_next_export(tmp_path, way):
    target = put(tmp_path / "data", OLD)
    for work in (Workspace.beside(str(target)), Workspace.inside(str(target))):
        put(Path(work.path), {"new/x/y": "half", "old/z": "old", "journal.tmp": "{", "lock": ""})
        os.chmod(os.path.join(work.new, "x"), 0o500)
    recover(str(target))
    save(target)
    assert files(target) == NEW
    assert alone(tmp_path, "data")


# What is found is not believed


NOT_OURS = ['[["../x"], []]', '[[], ["/x"]]', '[[".."], []]', "[1, 2]", "{}", "[", "[" * 100_000]
NOT_OURS += [f'[["{PARTIAL}"], []]', "[[null], []]"]


@pytest.mark.parametrize("journal", NOT_OURS)
def test_planted_journal(tmp_path, journal):
    target = put(tmp_path / "data", OLD)
    put(target / PARTIAL, {"journal": journal, "new/x": "x", "old/y": "y"})
    put(tmp_path, {"x": "outside"})
    with pytest.raises(SaveError, match="no export has written this"):
        recover(str(target))
    with pytest.raises(SaveError, match="no export has written this"):
        save(target)
    assert files(target / PARTIAL).keys() >= {"journal", "new/x", "old/y"}
    shutil.rmtree(target / PARTIAL)
    assert files(target) == OLD


@needs_linux
@pytest.mark.parametrize("linked", ["", "new", "old"])
def test_planted_links(tmp_path, linked):
    target = put(tmp_path / "data", OLD)
    outside = put(tmp_path / "outside", {"journal": '[["note"], ["x"]]', "x": "x"})
    put(target / PARTIAL, {"journal": '[["note"], ["x"]]', "new/x": "x", "old/y": "y"})
    shutil.rmtree(target / PARTIAL / linked)
    (target / PARTIAL / linked).symlink_to(outside, target_is_directory=True)
    with pytest.raises(SaveError, match="in the way"):
        recover(str(target))
    assert files(outside) == {"journal": '[["note"], ["x"]]', "x": "x"}
    assert (target / "note").read_text() == "mine"


def test_planted_journal_beside(tmp_path):
    """It would move what does not belong to the dataset."""
    put(tmp_path / ".data.open-images-partial", {"journal": '[["other"], []]', "new/x": "x"})
    put(tmp_path / "other", OLD)
    save(put(tmp_path / "data", OLD))
    assert files(tmp_path / "other") == OLD


# Kills


@pytest.fixture
def without_flush(monkeypatch):
    """Only a power failure tells the difference, and a busy disk needs long for it."""
    monkeypatch.setattr(_system, "flush", lambda path: None)


@contextlib.contextmanager
def killed_at(step: int):
    """Kills this process right before the ``step``-th thing it does to the file system."""
    left = [step]
    stepping = ("os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "open", "os.chmod")

    def hook(event: str, args: tuple) -> None:
        if event in stepping:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    yield left


def kill_at_every_step(folder: str, exchange: bool, exists: bool) -> None:
    """Runs in a process of its own, which has no threads and may fork; prints what it saw."""
    _system.flush = lambda path: None  # only a power failure tells the difference
    seen = {"kills": 0, "old": 0, "new": 0, "other": []}
    before = OLD if exists else {}
    for step in range(1, 1000):
        target = Path(folder) / "data"
        shutil.rmtree(folder)
        os.mkdir(folder)
        put(target, before)
        child = os.fork()
        if child == 0:
            with killed_at(step):
                save(target, exchange, exists)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            break
        seen["kills"] += 1
        if not exchange:
            recover(str(target))  # the exchange needs none
        found = files(target, workspace=False)
        state = "old" if found == before else "new" if found == NEW else "other"
        seen[state] = [*seen["other"], (step, found)] if state == "other" else seen[state] + 1
        with Staging(str(target), exchange=exchange) as staging:
            staging.keep_rest(lambda rel: False)
        if files(target) != found or not alone(Path(folder), "data"):
            seen["other"].append((step, "leftovers", os.listdir(folder)))
    print(json.dumps(seen))


@needs_linux
@pytest.mark.parametrize("exists", [True, False], ids=["over old", "new"])
@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "journal"])
def test_killed_at_every_step(tmp_path, exchange, exists):
    code = (
        f"import test_staging as t; t.kill_at_every_step({str(tmp_path)!r}, {exchange}, {exists})"
    )
    here = os.path.dirname(__file__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *sys.path])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["other"] == []
    assert seen["old"] and seen["new"] and seen["kills"] == seen["old"] + seen["new"]


@needs_linux
def test_killed_again_while_finishing(tmp_path, without_flush):
    """A recovery that is killed after any number of moves is gone on with."""
    for first in range(1, 8):
        for second in range(1, 8):
            target = tmp_path / f"{first}-{second}"
            put(target, OLD)
            for limit in (first, second):
                with pytest.MonkeyPatch.context() as patch:
                    fail_at_move(patch, limit, ever=True)
                    with contextlib.suppress(SaveError):
                        save(target, False) if limit is first else recover(str(target))
            recover(str(target))
            found = files(target, workspace=False)
            assert found in (OLD, NEW)


@needs_linux
def test_exchange_is_used(tmp_path, monkeypatch):
    """Linux's own file systems have it: else the tests of this way would test the other one."""
    exchanged = []
    exchange = _system.exchange
    monkeypatch.setattr(_system, "exchange", lambda *a: exchanged.append(a) or exchange(*a))
    target = put(tmp_path / "data", OLD)
    save(target)
    assert len(exchanged) == 2  # one trial, one for good
    monkeypatch.setenv("DATUMARO_OPENIMAGES_EXCHANGE", "0")
    put(target, OLD)
    save(target)
    assert len(exchanged) == 2
