"""What a running replacement has on disk: one hidden folder with a lock, files and a journal.

::

    .open-images-partial/     in the target, or .<name>.open-images-partial beside it
        lock                  held (flock) as long as the replacing process lives
        new/                  the staged files
        old/                  what they displaced
        journal               while files are moved: the names that go and the names that come

A workspace whose lock nobody holds was left by a process that was killed. Without a journal it
is waste, removed by the next export. With one the target is half replaced: every move can be
repeated, and whoever comes next makes those that are missing (`recover`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import time

from datumaro_openimages_plugin.errors import SaveError
from datumaro_openimages_plugin.sources.safe_names import PARTIAL

__all__ = ["Workspace", "recover"]


_LONGEST = 200  # bytes of a target's name in its workspace's name; file systems allow 255
_WAIT_S = 30.0  # a reader waits this long for the few renames of a running export
_PAUSE_S = 0.005
_BUSY = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


class Workspace:
    """The hidden folder of one replacement.

    Args:
        path: Where it is.
        is_inside: Whether it is in the target. Only then there is a journal: what lies beside
            a target is never believed, since the journal moves whatever is around it.
    """

    def __init__(self, path: str, is_inside: bool) -> None:
        self.path = path
        self.is_inside = is_inside
        self.new = os.path.join(path, "new")
        self.old = os.path.join(path, "old")
        self._journal = os.path.join(path, "journal")
        self._lock = os.path.join(path, "lock")
        self._handle: int | None = None

    @classmethod
    def beside(cls, target: str) -> Workspace:
        """The one beside a target; its name tells whose it is."""
        parent, name = os.path.split(target)
        if len(os.fsencode(name)) > _LONGEST:
            name = hashlib.sha256(os.fsencode(name)).hexdigest()
        return cls(os.path.join(parent, f".{name}{PARTIAL}"), False)

    @classmethod
    def inside(cls, target: str) -> Workspace:
        """The one in a target."""
        return cls(os.path.join(target, PARTIAL), True)

    @property
    def has_journal(self) -> bool:
        """Whether the target is half replaced."""
        return self.is_inside and os.path.lexists(self._journal)

    # The lock

    def take(self, wait_s: float = 0.0) -> bool:
        """Makes the folder and takes its lock; False where another process has it all the time.

        Raises:
            OSError: The folder cannot be written.
            SaveError: Something else has its name.
        """
        deadline = time.monotonic() + wait_s
        while not self._take():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_S)
        return True

    def _take(self) -> bool:
        while True:
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(self.path, 0o700)
                self._check_folders(self.path)
                handle = os.open(
                    self._lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600
                )
            except FileNotFoundError:
                if os.path.isdir(os.path.dirname(self.path)):
                    continue  # its last holder has just removed the folder
                raise
            if not _locked(handle):
                os.close(handle)
                return False
            with contextlib.suppress(FileNotFoundError):
                # The last holder may have removed the file between our opening and locking it.
                if os.path.samestat(os.fstat(handle), os.stat(self._lock)):
                    self._handle = handle
                    return True
            os.close(handle)

    def settle(self) -> None:
        """Finishes what a killed holder began and removes what it left.

        Raises:
            OSError: A file cannot be moved or removed.
            SaveError: The journal is damaged.
        """
        if self.has_journal:
            self.finish()
        self._empty()

    def _empty(self) -> None:
        for path in (self.new, self.old, self._journal + ".tmp"):
            _remove(path)

    def release(self) -> None:
        """Removes the folder, unless a journal needs it, and gives the lock back."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        is_waste = not self.has_journal
        if is_waste:
            with contextlib.suppress(OSError):
                self._empty()
        # Windows removes no open file. Elsewhere the file goes before the lock does, so that
        # whoever waits for it finds out that it is no longer the one with the name.
        if sys.platform == "win32":
            os.close(handle)
        if is_waste:
            with contextlib.suppress(OSError):
                os.unlink(self._lock)
                os.rmdir(self.path)
        if sys.platform != "win32":
            os.close(handle)

    # The journal

    def replace(self) -> None:
        """Moves all that is around the workspace into ``old`` and all of ``new`` out.

        Raises:
            OSError: A file cannot be moved; all are where they were.
            SaveError: Nor could those be moved back that had been moved; `recover` will.
        """
        base = os.path.dirname(self.path)
        names = (
            sorted(name for name in os.listdir(base) if name != PARTIAL),
            sorted(os.listdir(self.new)),
        )
        with open(self._journal + ".tmp", "w", encoding="utf-8") as file:
            json.dump(names, file)
            file.flush()
            os.fsync(file.fileno())
        os.mkdir(self.old)
        try:
            os.replace(self._journal + ".tmp", self._journal)
            self.finish()
        except BaseException:
            self._undo(names[1])
            raise

    def finish(self) -> None:
        """Makes the moves of the journal that are not made yet, and ends it.

        Raises:
            OSError: A file cannot be moved.
            SaveError: The journal is damaged.
        """
        base = os.path.dirname(self.path)
        going, coming = self._read_journal()
        self._check_folders(self.new, self.old)
        # As soon as one name has come, all that go are gone, and what has their names is new.
        if set(os.listdir(self.new)).issuperset(coming):
            for name in going:
                _move(os.path.join(base, name), os.path.join(self.old, name))
        for name in coming:
            _move(os.path.join(self.new, name), os.path.join(base, name))
        os.unlink(self._journal)

    def _undo(self, coming: list[str]) -> None:
        """Moves everything back; a kill meanwhile leaves what `finish` can go on from."""
        base = os.path.dirname(self.path)
        try:
            for name in coming:
                if not os.path.lexists(os.path.join(self.new, name)):
                    _move(os.path.join(base, name), os.path.join(self.new, name))
            for name in os.listdir(self.old):
                _move(os.path.join(self.old, name), os.path.join(base, name))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._journal)
        except OSError as error:
            raise SaveError(
                f"is half replaced ({error}); free its files and import it to finish", file=base
            ) from error

    def _read_journal(self) -> tuple[list[str], list[str]]:
        try:
            with open(self._journal, encoding="utf-8") as file:
                going, coming = json.load(file)
            plain = all(
                os.path.basename(name) == name and name not in ("", ".", "..", PARTIAL)
                for name in [*going, *coming]
            )
        except (ValueError, TypeError, RecursionError):
            plain = False
        if not plain:
            raise SaveError("no export has written this; remove the folder", file=self.path)
        return going, coming

    @staticmethod
    def _check_folders(*paths: str) -> None:
        """A link in the place of one of our folders would have us move somebody else's files."""
        for path in paths:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise SaveError("is in the way of an export; remove it", file=path)


def recover(target: str) -> None:
    """Finishes what a killed export left half moved; costs one look where there is nothing.

    An export that is making its moves right now is waited for. Readers call this before they
    list a dataset's files; leftovers that do no harm are left to the next export.

    Args:
        target: Path of a dataset.

    Raises:
        SaveError: The dataset is half replaced and cannot be written, or stays so.
    """
    work = Workspace.inside(os.path.realpath(target))
    deadline = time.monotonic() + _WAIT_S
    while work.has_journal:
        # `from None`: Datumaro's import shows an error's cause in the place of the error.
        try:
            if work.take():
                try:
                    work.settle()
                finally:
                    work.release()
                return
        except SaveError:
            raise
        except OSError as error:
            raise SaveError(
                f"an export was killed while it replaced this dataset, and its last moves cannot "
                f"be made up for ({error}); import it once where it can be written",
                file=target,
            ) from None
        if time.monotonic() > deadline:
            raise SaveError("another process is replacing this; try again later", file=target)
        time.sleep(_PAUSE_S)


def _locked(handle: int) -> bool:
    """Whether the lock of an open file is ours now.

    Where a file system has no locks everybody gets them: two exports are then not kept apart.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _BUSY
    return True


def _move(source: str, to: str) -> None:
    """Moves what has not been moved yet."""
    if os.path.lexists(source):
        os.rename(source, to)


def _remove(path: str) -> None:
    """Removes a file or a folder of ours, also where folders in it are read-only."""
    if not os.path.islink(path) and os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
        if os.path.lexists(path):
            os.chmod(path, stat.S_IRWXU)
            for folder, inner, _ in os.walk(path):
                for name in inner:
                    if not os.path.islink(os.path.join(folder, name)):
                        os.chmod(os.path.join(folder, name), stat.S_IRWXU)
            shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
