"""What replacing a folder asks of the operating system, with what to do where it lacks that.

Hard links, shared blocks, exchanging two folders, mount points.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator

__all__ = [
    "READ_FLAGS",
    "can_exchange",
    "copy",
    "copy_mode",
    "exchange",
    "flush",
    "is_current",
    "link",
    "mounts",
    "same_current_folder",
]

_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file
_BLOCK = 1 << 20  # bytes read at once
_BINARY = getattr(os, "O_BINARY", 0)  # Windows
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
#: How a file is opened to be read: a pipe is not waited for.
READ_FLAGS = os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0)
_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100  # linux/fcntl.h
_NO_FOLLOW = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
_OCTAL = re.compile(rb"\\([0-7]{3})")


def link(src: str, to: str) -> bool:
    """Gives a file a second name, a link a second link; False where that is not to be had.

    Raises:
        FileNotFoundError: There is no such file.
    """
    try:
        os.link(src, to, **_NO_FOLLOW)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError:
        if not os.path.islink(src):
            return False
        os.symlink(os.readlink(src), to)
    return True


def copy(src: str, to: str, share: bool = False) -> bool:
    """Copies a file's bytes to a new file; small ones at half the cost of `shutil.copyfile`.

    Args:
        src: A path.
        to: Another one, where nothing is.
        share: Whether to try first to share the file's blocks, as Btrfs and XFS can. A refused
            attempt costs nearly as much as copying a small file does.

    Returns:
        Whether blocks are shared.

    Raises:
        FileExistsError: There is something at ``to``.
        OSError: There is no such file, or ``to`` cannot be written.
    """
    old = os.open(src, READ_FLAGS)
    try:
        status = os.fstat(old)
        if not stat.S_ISREG(status.st_mode):
            raise shutil.SpecialFileError(errno.EINVAL, "is no file that can be copied", src)
        new = os.open(to, _CREATE, 0o666)
        try:
            if share and _share_blocks(old, new):
                return True
            size = min(status.st_size + 1, _BLOCK)
            while block := os.read(old, size):
                while block:  # what did not fit raises an error when it is tried again
                    block = block[os.write(new, block) :]
        finally:
            os.close(new)
    finally:
        os.close(old)
    return False


def _share_blocks(old: int, new: int) -> bool:
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.ioctl(new, _FICLONE, old)
            return True
    return False


def copy_mode(src: str, to: str) -> None:
    """Gives a folder the owner, mode and access list of another one, if there is that one.

    Raises:
        OSError: The mode cannot be set.
    """
    if not os.path.isdir(src):
        return
    like = os.stat(src)
    if hasattr(os, "chown"):
        for owner in ((like.st_uid, -1), (-1, like.st_gid)):
            with contextlib.suppress(PermissionError):
                os.chown(to, *owner)
    with contextlib.suppress(PermissionError):
        shutil.copystat(src, to)
        os.utime(to)
    if stat.S_IMODE(os.stat(to).st_mode) != stat.S_IMODE(like.st_mode):
        os.chmod(to, stat.S_IMODE(like.st_mode))


def exchange(one: str, other: str) -> None:
    """Exchanges two folders in one step.

    Raises:
        OSError: The system or the file system has no such call, or refuses it.
    """
    number = errno.ENOSYS
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        names = _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other)
        # Old C libraries lack it.
        if hasattr(libc, "renameat2"):
            done = libc.renameat2(*names, _RENAME_EXCHANGE) == 0
            number = 0 if done else ctypes.get_errno()
    if number:
        raise OSError(number, os.strerror(number), other)


def can_exchange(one: str, other: str) -> bool:
    """Whether folders can be exchanged where ``one`` is; ``other`` is made for trying it."""
    try:
        os.mkdir(other)
        exchange(one, other)
    except OSError:
        return False
    return True


def flush(path: str) -> None:
    """Has everything written out that waits to be, in the file system of ``path`` if possible."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).syncfs(handle)
        else:
            os.sync()
    except AttributeError:
        os.sync()
    finally:
        os.close(handle)


def mounts(folder: str) -> list[str]:
    """Mount points that are ``folder`` (a real path) or are inside of it."""
    try:
        # The kernel's list also has what `ismount` cannot tell: a folder of the same file system.
        with open("/proc/self/mountinfo", "rb") as file:
            fields = [line.split(b" ")[4] for line in file]
    except (OSError, IndexError):
        return [folder] if os.path.ismount(folder) else []
    points = (os.fsdecode(_OCTAL.sub(lambda m: bytes([int(m[1], 8)]), field)) for field in fields)
    return [at for at in points if at == folder or at.startswith(os.path.join(folder, ""))]


def is_current(folder: str) -> bool:
    """Whether a real path is this process's current folder."""
    try:
        return os.getcwd() == folder
    except OSError:
        return False


@contextlib.contextmanager
def same_current_folder(folder: str) -> Iterator[None]:
    """Lets the current folder be called what it was, if it is in ``folder`` and that is replaced.

    Without this a process in a replaced folder would be in one that no longer exists.
    """
    try:
        current = os.getcwd()
    except OSError:
        current = ""
    yield
    if current.startswith(os.path.join(folder, "")):
        with contextlib.suppress(OSError):
            os.chdir(current)
