"""The files of a folder to be: new ones, and those that stay from the folder it replaces."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
from collections.abc import Callable

from datumaro_openimages_plugin.errors import SaveError, UnsafePathError
from datumaro_openimages_plugin.saving import _system
from datumaro_openimages_plugin.sources.safe_names import DEVICE, PARTIAL

__all__ = ["StagedFiles"]

# Parts of a name that would lead elsewhere, on any system or (a file that is there already
# may be called as it is) on this one.
_LEADS_OUT = r"|\.\.?|.*\0.*" + (r"|.*[\\:].*" if os.name == "nt" else "")
_EXISTING = re.compile(_LEADS_OUT, re.DOTALL)
_NEW = re.compile(
    _LEADS_OUT + rf"|.*\\.*|[a-z]:.*|.*[. ]|{re.escape(PARTIAL)}" + f"|{DEVICE.pattern}",
    re.DOTALL | re.IGNORECASE,
)
_TWICE = "two files of the dataset would have this name"
_FEW = 1000  # names of files that are still to be written


class StagedFiles:
    """A folder being written, beside or in the one it replaces.

    Names are relative, with forward slashes. No name is staged twice, and none leaves the folder:
    the folder itself knows which names there are, so that millions of them need no memory.

    Args:
        target: The folder to be, which may exist.

    Attributes:
        target: Its real path.
        root: The folder where files are staged.
    """

    def __init__(self, target: str) -> None:
        self.target = os.path.realpath(target)
        self.root = ""
        self._spelled = os.path.abspath(target)
        self._made = {""}  # folders that are staged
        self._promised: set[str] = set()  # names to write to; some of them may be written by now
        self._most_promised = _FEW
        self._inner: dict[str, str | None] = {}  # folder of a source -> its name in the target
        self._shares_blocks = True  # until the file system refuses

    def path(self, rel: str) -> str:
        """A path in the staging folder to write the file ``rel`` to; its folders are made.

        Raises:
            UnsafePathError: The name would leave the folder, or is none on some system.
            SaveError: A file of that name is staged already.
        """
        path = self._new_path(rel, _NEW)
        if os.path.lexists(path):
            raise SaveError(_TWICE, file=rel)
        self._promised.add(rel)
        if len(self._promised) > self._most_promised:
            self._promised = {name for name in self._promised if not self._is_written(name)}
            self._most_promised = _FEW + 2 * len(self._promised)
        return path

    def keep(self, rel: str) -> None:
        """Carries the file ``rel`` of the target over: a link, else shared blocks, else a copy.

        Raises:
            UnsafePathError: The name would leave the folder.
            SaveError: A file of that name is staged already.
            FileNotFoundError: There is no such file.
        """
        self._placed(f"{self.target}/{rel}", rel, _EXISTING, self._carry)

    def add_file(self, src: str, rel: str, link: bool = False) -> None:
        """Places a copy of the file ``src``; a file of the target itself costs only a link.

        Args:
            src: A path.
            rel: Where to.
            link: Whether a file from outside may be hard-linked too. Changed later, it then
                changes in both places.

        Raises:
            UnsafePathError: The name would leave the folder, or is none on some system.
            SaveError: A file of that name is staged already.
            FileNotFoundError: There is no file ``src``.
        """
        inner = self.name_in_target(src)
        if inner == rel:
            try:
                self.keep(rel)
            except SaveError:
                # One picture may serve images of several subsets.
                if not self._has_same(src, rel):
                    raise
        elif (link or inner is not None) and not os.path.islink(src):
            self._placed(src, rel, _NEW, self._carry)
        else:
            # A link that moves may lead nowhere: what it leads to is copied.
            self._placed(src, rel, _NEW, self._copy)

    def is_staged(self, rel: str) -> bool:
        """Whether a file of this name is staged."""
        return rel in self._promised or self._is_written(rel)

    def _is_written(self, rel: str) -> bool:
        return os.path.lexists(os.path.join(self.root, rel))

    def discard(self, rel: str) -> None:
        """Takes back a file that is staged."""
        os.remove(os.path.join(self.root, rel))
        self._promised.discard(rel)

    def keep_rest(self, is_ours: Callable[[str], bool]) -> None:
        """Carries over what else is in the target: files, links as links, empty folders.

        Args:
            is_ours: Tells of a name whether it belongs to what is replaced; such files go.

        Raises:
            SaveError: A file is where a staged folder has to be, or a folder where a file has.
        """
        pending = [""] if os.path.isdir(self.target) else []
        while pending:
            folder = pending.pop()
            with os.scandir(os.path.join(self.target, folder)) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            if not entries:
                self._make_folder(folder)
            for entry in entries:
                rel = f"{folder}/{entry.name}" if folder else entry.name
                # A linked folder that is staged as a folder has become one.
                linked = entry.is_symlink() and entry.is_dir() and rel in self._made
                if rel == PARTIAL:
                    continue
                if linked or entry.is_dir(follow_symlinks=False):
                    pending.append(rel)
                elif rel not in self._promised and not is_ours(rel):
                    self._keep_foreign(rel)

    def _keep_foreign(self, rel: str) -> None:
        to = os.path.join(self.root, rel)
        if not os.path.lexists(to):
            self.keep(rel)
        elif os.path.isdir(to):
            raise SaveError("is a file where a folder has to be; move it away", file=rel)
        # Else it is staged, or the file system does not tell its name from that of a staged one.

    def _has_same(self, src: str, rel: str) -> bool:
        staged = os.path.join(self.root, rel)
        if os.path.islink(staged):  # which may lead nowhere from there
            return os.path.islink(src) and os.readlink(src) == os.readlink(staged)
        return os.path.isfile(staged) and filecmp.cmp(src, staged, shallow=False)

    def _placed(
        self, src: str, rel: str, unsafe: re.Pattern[str], place: Callable[[str, str], None]
    ) -> None:
        to = self._new_path(rel, unsafe)
        try:
            place(src, to)  # which makes a new file or none
        except FileExistsError:
            raise SaveError(_TWICE, file=rel) from None

    def _carry(self, src: str, to: str) -> None:
        if not _system.link(src, to):
            self._copy(src, to)
            shutil.copystat(src, to)

    def _copy(self, src: str, to: str) -> None:
        self._shares_blocks = _system.copy(src, to, self._shares_blocks)

    def _new_path(self, rel: str, unsafe: re.Pattern[str]) -> str:
        folder, slash, name = rel.rpartition("/")
        if unsafe.fullmatch(name) or (slash and not folder):
            raise UnsafePathError("this cannot be the name of a file in a dataset", value=rel)
        if folder not in self._made:
            if any(unsafe.fullmatch(part) for part in folder.split("/")):
                raise UnsafePathError("this cannot be the name of a file in a dataset", value=rel)
            self._make_folder(folder)
        if rel in self._promised:
            raise SaveError(_TWICE, file=rel)
        return os.path.join(self.root, rel)

    def _make_folder(self, folder: str) -> None:
        try:
            os.makedirs(os.path.join(self.root, folder), exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise SaveError("is a folder where a file has to be", file=folder) from None
        while folder not in self._made:
            self._made.add(folder)
            folder = folder.rpartition("/")[0]

    def name_in_target(self, src: str) -> str | None:
        """The name that a path has in the target, however it is spelled; None if outside."""
        folder, name = os.path.split(src)
        if folder not in self._inner:
            self._inner[folder] = None
            for path in (os.path.abspath(folder), os.path.realpath(folder)):
                for target in (self.target, self._spelled):
                    if path == target or path.startswith(os.path.join(target, "")):
                        inner = os.path.relpath(path, target).replace(os.sep, "/")
                        self._inner[folder] = "" if inner == "." else inner + "/"
        inner_folder = self._inner[folder]
        return None if inner_folder is None else inner_folder + name
