"""All-or-nothing saving: a folder's content is replaced whole, or it stays as it was.

A new folder is written first, on the file system of the target; files that stay are hard links
in it. Then it is put in place:

*   **Exchange** (Linux, most local file systems): it lies beside the target, and one system call
    exchanges the two. Whoever reads sees the old folder or the new one. A kill before that call
    leaves the old one, a kill after it the new one. A target that is missing is renamed to.
*   **Journal** (everywhere else, and where the folder itself has to stay: a mount point, the
    current folder, a parent that is not ours): it lies in the target, and its files are moved out
    of it, one name at a time. A kill between two moves leaves the journal, and the next read or
    export makes the rest (`journal`). A reader that began before the moves may see both.

`journal.Workspace` holds the lock that keeps two exports apart, and what a killed one leaves
behind. ``DATUMARO_OPENIMAGES_EXCHANGE=0`` switches the exchange off, for folders that a container
or a program holds open, which would go on seeing the old one.

Power failure: before files that exist are replaced, and again before they are deleted, the file
system is told to write everything out (one ``syncfs``, not one ``fsync`` per file). An export to
a new or empty folder costs nothing of the kind.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from types import TracebackType

from datumaro_openimages_plugin._host import keep_target
from datumaro_openimages_plugin.errors import OpenImagesError, SaveError
from datumaro_openimages_plugin.saving import _system
from datumaro_openimages_plugin.saving.journal import Workspace, recover
from datumaro_openimages_plugin.saving.staged import StagedFiles
from datumaro_openimages_plugin.sources.safe_names import PARTIAL

__all__ = ["Staging", "recover"]

_WAIT_S = 0.5  # whoever looks after a killed export's leftovers has their lock for a moment

_ADVICE = {
    errno.ENOSPC: "; make room: the old files go only after the new ones are written",
    errno.EDQUOT: "; make room: the old files go only after the new ones are written",
    errno.EACCES: "; choose a folder that you may write",
    errno.EPERM: "; choose a folder that you may write",
    errno.EROFS: "; choose a folder that you may write",
}


class Staging(StagedFiles):
    """Replacement of a folder's content; a context manager that commits when its body succeeds.

    Where the body fails the target is as it was. Names are relative, with forward slashes.

    Args:
        target: The folder to be: missing, empty, or with older content. However it is spelled,
            what it leads to is replaced; a link to it stays a link.
        exchange: Whether to use the exchange where the system has it; None leaves that to
            ``DATUMARO_OPENIMAGES_EXCHANGE``.

    Attributes:
        target: Its real path.
        root: The folder where files are staged, from entering on.

    Raises:
        SaveError: When entered: another export is writing there, or it cannot be written.
    """

    def __init__(self, target: str, *, exchange: bool | None = None) -> None:
        if exchange is None:
            exchange = os.environ.get("DATUMARO_OPENIMAGES_EXCHANGE") != "0"
        super().__init__(target)
        self._exchange = exchange
        self._done = False

    def __enter__(self) -> Staging:
        with self._saving():
            os.makedirs(os.path.dirname(self.target), exist_ok=True)
            self._check_target()
            self._work = self._workspace()
            self.root = self._work.new
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.commit()
            elif isinstance(error, OSError) and self._is_about_target(error):
                raise self._save_error(error) from error
        finally:
            self._work.release()

    # Putting them in place

    def commit(self) -> None:
        """Puts the staged files in place; leaving the body does it.

        Raises:
            SaveError: The target cannot be replaced, and is as it was.
        """
        if self._done:
            return
        with self._saving(), _system.same_current_folder(self.target):
            exists = os.path.isdir(self.target)
            replaces = exists and any(name != PARTIAL for name in os.listdir(self.target))
            for rel in self._made if exists else ():
                _system.copy_mode(os.path.join(self.target, rel), os.path.join(self.root, rel))
            if replaces:
                _system.flush(self.root)
            if self._work.is_inside:
                self._work.replace()
            elif replaces:
                _system.exchange(self.root, self.target)
            else:
                os.rename(self.root, self.target)
            self._done = True
            if replaces:
                with contextlib.suppress(OSError):
                    _system.flush(self.target)

    def _check_target(self) -> None:
        if os.path.lexists(self.target):
            if not os.path.isdir(self.target):
                raise SaveError("is a file; choose a folder", file=self.target)
            if not os.access(self.target, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self.target)
        self._mounts = _system.mounts(self.target)
        inner = [mount for mount in self._mounts if mount != self.target]
        if inner:
            raise SaveError(
                f"cannot be replaced as a whole with {inner[0]} mounted in it; save elsewhere",
                file=self.target,
            )

    def _workspace(self) -> Workspace:
        """The workspace to use, locked; leftovers are gone, unfinished moves are made."""
        beside, inside = Workspace.beside(self.target), Workspace.inside(self.target)
        exists = os.path.isdir(self.target)
        movable = (
            os.access(os.path.dirname(self.target), os.W_OK | os.X_OK)
            and not self._mounts
            and not _system.is_current(self.target)
        )
        work, other = inside, beside
        if not exists or (movable and self._exchange):
            self._take(beside)
            if not exists or _system.can_exchange(beside.new, beside.old):
                work, other = beside, inside
            else:
                beside.release()
        try:
            if work is inside:
                self._take(inside)
            # Taken in this order, two exports that differ in their way cannot miss each other.
            with contextlib.suppress(PermissionError):
                if os.path.lexists(other.path):
                    self._take(other)
                    other.release()
        except BaseException:
            work.release()
            raise
        return work

    def _take(self, work: Workspace) -> None:
        if not work.take(_WAIT_S):
            keep_target(self.target)
            raise SaveError(
                "another export is writing there; wait for it or choose another folder",
                file=self.target,
            )
        try:
            work.settle()
            os.mkdir(work.new)
        except BaseException:
            work.release()
            raise

    # Errors

    @contextlib.contextmanager
    def _saving(self) -> Iterator[None]:
        try:
            yield
        except OpenImagesError:
            raise
        except OSError as error:
            raise self._save_error(error) from error

    def _save_error(self, error: OSError) -> SaveError:
        advice = _ADVICE.get(error.errno or 0, "")
        return SaveError(
            f"cannot be saved ({error}); nothing there has changed{advice}", file=self.target
        )

    def _is_about_target(self, error: OSError) -> bool:
        """Whether an error of the body is about writing, not about what the dataset reads."""
        if isinstance(error, OpenImagesError) or error.errno is None:
            return False
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return True  # reading meets none of these
        if error.filename is None:
            return error.errno in (errno.EFBIG, errno.EIO)
        # A copy's error names its source first.
        name = error.filename if error.filename2 is None else error.filename2
        path = os.path.join(os.path.abspath(os.fsdecode(name)), "")
        return path.startswith((os.path.join(self.target, ""), os.path.join(self.root, "")))
