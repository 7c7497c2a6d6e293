"""All-or-nothing saving: a folder is replaced whole, or it stays as it was.

Everything is written to a staging folder first; files that stay are hard-linked into it. Then one
of two ways puts it in place:

*   **Exchange** (Linux, most file systems): the staging folder lies beside the target, and one
    system call exchanges the two. Readers see the old folder or the new one, never anything else.
*   **Journal** (elsewhere, or where the parent folder is not ours): the staging folder lies inside
    the target. A journal lists what is moved where; a process that is killed between the moves
    leaves it behind, and the next read or export finishes them (`recover`).

A lock beside or inside the target keeps two exports apart. Whatever a killed process leaves
behind has a name made of the target's and goes with the next export. Files are not forced to
disk: this guards against kills and errors, and against power failure as far as the file system
does. ``DATUMARO_OPENIMAGES_EXCHANGE=0`` switches the exchange off.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from datumaro_openimages_plugin.errors import SaveError, UnsafePathError

__all__ = ["Staging", "recover"]

_PARTIAL = "open-images-partial"
_OLD = ".open-images-old"
_JOURNAL = ".open-images-journal"
_LOCK = "open-images-lock"
_WAIT_S = 60.0  # a reader waits this long for a running export to finish its moves
_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file
_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100  # linux/fcntl.h


class Staging:
    """Replacement of a folder's content; a context manager that commits when its body succeeds.

    Args:
        target: The folder to be; missing, empty, or with older content. However it is spelled,
            what it leads to is replaced; a link to it stays a link.
        exchange: Whether to use the exchange; None where the system has it.

    Raises:
        SaveError: Another export is writing there, or the target cannot be written.
    """

    def __init__(self, target: str, *, exchange: bool | None = None) -> None:
        self.target = os.path.realpath(target)
        if exchange is None:
            exchange = os.environ.get("DATUMARO_OPENIMAGES_EXCHANGE") != "0"
        self._exchange = exchange and _has_exchange() and _is_beside(self.target)
        self.root = _root(self.target, self._exchange)
        self._folders: set[str] = set()
        self._staged: set[str] = set()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Staging:
        with _saving(self.target):
            os.makedirs(os.path.dirname(self.target), exist_ok=True)
            existed = os.path.isdir(self.target)
            self._stack.enter_context(_locked(self.target, 0.0))
            try:
                _finish_journal(self.target)
                for leftover in (_root(self.target, True), _root(self.target, False)):
                    _remove(leftover)
                if not self._exchange:
                    os.makedirs(self.target, exist_ok=True)
                os.makedirs(self.root)
            except BaseException:
                self._stack.close()
                raise
        self._made_target = not existed
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            with _saving(self.target):
                if error is None:
                    self._commit()
                elif isinstance(error, OSError) and not isinstance(error, SaveError):
                    raise error
        finally:
            _remove(self.root)
            if error is not None and self._made_target:
                with contextlib.suppress(OSError):
                    os.rmdir(self.target)
            self._stack.close()

    # Staging

    def path(self, rel: str) -> str:
        """A path in the staging folder to write the file ``rel`` to; its folders are made.

        Raises:
            UnsafePathError: The name would leave the folder.
            SaveError: A file of that name is staged already.
        """
        folder, _, base = rel.rpartition("/")
        if not base or base in (".", "..") or "\\" in base or "\0" in base:
            raise UnsafePathError("this cannot be a file's name", value=rel)
        if folder not in self._folders:
            if folder:
                parts = folder.split("/")
                if any(p in ("", ".", "..") or "\\" in p or "\0" in p for p in parts):
                    raise UnsafePathError("this cannot be a folder's name", value=rel)
                os.makedirs(os.path.join(self.root, *parts), exist_ok=True)
            self._folders.add(folder)
        if rel in self._staged:
            raise SaveError("two files of the dataset would have this name", file=rel)
        self._staged.add(rel)
        return os.path.join(self.root, rel)

    def add_file(self, src: str, rel: str) -> None:
        """Places a copy of the file ``src``; a file of the target itself costs only a link."""
        to = self.path(rel)
        inside = os.path.realpath(src).startswith(self.target + os.sep)
        if not (inside and _linked(src, to)):
            _copied(src, to)

    def keep(self, rel: str) -> None:
        """Carries a file of the target over unchanged."""
        self.add_file(os.path.join(self.target, *rel.split("/")), rel)

    def keep_rest(self, is_replaced: Callable[[str], bool]) -> None:
        """Carries over whatever else is in the target and is not replaced.

        Args:
            is_replaced: Tells of a file's name whether it belongs to what is replaced.
        """
        for folder, folders, files in os.walk(self.target):
            above = os.path.relpath(folder, self.target).replace(os.sep, "/")
            above = "" if above == "." else above + "/"
            if not above:
                folders[:] = [name for name in folders if not _is_own(name)]
            links = [n for n in folders if os.path.islink(os.path.join(folder, n))]
            for name in sorted(files + links):
                rel = above + name
                if rel in self._staged or is_replaced(rel) or (not above and _is_own(name)):
                    continue
                source = os.path.join(folder, name)
                if not os.path.islink(source):
                    self.keep(rel)
                elif not os.path.isdir(os.path.join(self.root, rel)):
                    os.symlink(os.readlink(source), self.path(rel))
            if above and not folders and not files:
                os.makedirs(os.path.join(self.root, above), exist_ok=True)

    # Putting it in place

    def _commit(self) -> None:
        if os.path.isdir(self.target):
            shutil.copymode(self.target, self.root)
        if not self._exchange:
            _write_journal(self.target, self.root)
            _finish_journal(self.target)
        elif os.path.lexists(self.target):
            try:
                _renameat2(self.root, self.target)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBUSY):
                    raise
                self._commit_by_journal()
        else:
            os.rename(self.root, self.target)

    def _commit_by_journal(self) -> None:
        """The file system turned out to have no exchange: the staging folder moves inside."""
        inside = _root(self.target, False)
        os.rename(self.root, inside)
        self.root = inside
        _write_journal(self.target, inside)
        _finish_journal(self.target)


def recover(target: str) -> None:
    """Finishes what a killed export left half moved; does nothing in all other cases.

    Raises:
        SaveError: Another export is still at it after a minute.
    """
    target = os.path.realpath(target)
    if os.path.lexists(os.path.join(target, _JOURNAL)):
        with _locked(target, _WAIT_S):
            _finish_journal(target)


# Names


def _is_beside(target: str) -> bool:
    """Whether the target's parent can hold the staging folder: writable and on one device."""
    parent = os.path.dirname(target)
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    if not os.access(parent, os.W_OK) or os.path.ismount(target):
        return False
    return not os.path.isdir(target) or os.stat(parent).st_dev == os.stat(target).st_dev


def _root(target: str, exchange: bool) -> str:
    parent, name = os.path.split(target)
    if exchange:
        return os.path.join(parent, f".{name}.{_PARTIAL}")
    return os.path.join(target, f".{_PARTIAL}")


def _is_own(name: str) -> bool:
    return name in (f".{_PARTIAL}", _OLD, _JOURNAL, _JOURNAL + ".tmp", f".{_LOCK}")


@contextlib.contextmanager
def _saving(target: str) -> Iterator[None]:
    """Gives an error of the system the name of the target and what it means for it."""
    try:
        yield
    except SaveError:
        raise
    except OSError as error:
        raise SaveError(
            f"cannot be saved ({error}); nothing there has changed", file=target
        ) from error


# The lock


@contextlib.contextmanager
def _locked(target: str, wait_s: float) -> Iterator[None]:
    """Holds the target's lock; its file is gone afterwards."""
    parent, name = os.path.split(target)
    beside = os.access(parent, os.W_OK)
    path = os.path.join(parent, f".{name}.{_LOCK}") if beside else os.path.join(target, f".{_LOCK}")
    deadline = time.monotonic() + wait_s
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(handle):
            os.close(handle)
            if time.monotonic() >= deadline:
                raise SaveError("another export is writing there; try again later", file=target)
            time.sleep(0.02)
            continue
        with contextlib.suppress(FileNotFoundError):
            # The holder before us may have removed the file that we have open.
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                break
        os.close(handle)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# The exchange


def _renameat2(one: str, other: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(one), os.fsencode(other)
    if libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), other)


def _has_exchange() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        return hasattr(ctypes.CDLL(None), "renameat2")
    except OSError:
        return False


# The journal


def _write_journal(target: str, root: str) -> None:
    old = [name for name in os.listdir(target) if not _is_own(name)]
    journal = {"old": sorted(old), "new": sorted(os.listdir(root))}
    path = os.path.join(target, _JOURNAL)
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        json.dump(journal, file)
    os.replace(path + ".tmp", path)


def _finish_journal(target: str) -> None:
    """Makes all moves that the journal lists and that are not made yet."""
    path, root = os.path.join(target, _JOURNAL), _root(target, False)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path + ".tmp")
    parked = os.path.join(target, _OLD)
    if os.path.lexists(path):
        with open(path, encoding="utf-8") as file:
            journal = json.load(file)
        os.makedirs(parked, exist_ok=True)
        for name in journal["old"]:
            here = os.path.join(target, name)
            # Where the new one has not been moved yet, what has the name is the old one.
            waiting = name not in journal["new"] or os.path.lexists(os.path.join(root, name))
            if waiting and os.path.lexists(here):
                os.rename(here, os.path.join(parked, name))
        for name in journal["new"]:
            if os.path.lexists(os.path.join(root, name)):
                os.rename(os.path.join(root, name), os.path.join(target, name))
        os.unlink(path)
    _remove(parked)


# Files


def _linked(src: str, to: str) -> bool:
    try:
        os.link(src, to)
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise
        return False
    return True


def _copied(src: str, to: str) -> None:
    if sys.platform.startswith("linux"):
        import fcntl

        with open(src, "rb") as old, open(to, "wb") as new, contextlib.suppress(OSError):
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
            return
    shutil.copyfile(src, to)


def _remove(path: str) -> None:
    """Removes a folder of ours, read-only folders in it too."""
    if not os.path.lexists(path):
        return

    def make_writable(function: Callable[[str], object], name: str, _: object) -> None:
        os.chmod(os.path.dirname(name), stat.S_IRWXU)
        function(name)

    shutil.rmtree(path, onerror=make_writable)
