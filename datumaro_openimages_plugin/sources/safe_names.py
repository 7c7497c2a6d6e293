"""Which names of images and subsets can be names of files, on this system and on others."""

from __future__ import annotations

import os
import re

__all__ = ["DEVICE", "PARTIAL", "PLAIN_ID", "unsafe_id"]

#: Name of the workspace in a target; whoever lists a dataset's files passes it over.
PARTIAL = ".open-images-partial"
_WINDOWS = os.name == "nt"
# Looked at otherwise: what begins as "ImageID", and on Windows what may be a device.
PLAIN_ID = (
    r"^[0-9A-HJ-Za-z_-][0-9A-Za-z_-]{7,}$" if _WINDOWS else r"^[0-9A-HJ-Za-z_-][0-9A-Za-z_-]*$"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")
# Names that Windows gives to devices, in any folder and with any extension.
DEVICE = re.compile(
    r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE
)


def unsafe_id(name: str) -> str | None:
    """Why an image id or subset name cannot be part of a file name; None where it can."""
    if name == "ImageID":
        return "is the header's own name (does a header stand between the rows?)"
    if name.isalnum() and name.isascii() and not _WINDOWS:
        return None
    path = name.replace("\\", "/")
    if not name or path.startswith("/") or _DRIVE.match(path):
        return "is empty, absolute or begins with a drive"
    if _CONTROL.search(name):
        return "has a control character, NUL, line end or lone surrogate"
    parts = path.split("/")
    if any(part.strip(" .") == "" for part in parts):
        return "has a part that is empty or made of dots"
    return _unsafe_on_windows(parts) if _WINDOWS else None


def _unsafe_on_windows(parts: list[str]) -> str | None:
    """Why Windows would take a path for something else than a file of this name."""
    for part in parts:
        if DEVICE.fullmatch(part):
            return "is a device of Windows"
        if part[-1] in " ." or ":" in part:
            return "ends in a dot or space or has a colon, which Windows takes for another file"
    return None
