"""One file over HTTP: retried, resumed, checked, and only then put in its place.

A file grows as ``<name>.part``; beside it ``<name>.part.tag`` has what the server called that
version (its ETag), so that a later attempt, or a later run, goes on where it stopped and never
joins two versions. A server may fail, stall, cut short, lie about lengths or send another thing:
what arrives is believed only by its size and checksum.

The standard library does it: Datumaro 1.x brings no HTTP library, and this needs neither sessions
nor cookies. It knows proxies (``https_proxy``) and the system's certificates.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from datumaro_openimages_plugin.download.partial import (
    Wanted,
    forget,
    part_path,
    problem,
    remember,
    size_of,
    tag_of,
)
from datumaro_openimages_plugin.errors import DownloadError

__all__ = ["Fetcher", "Wanted"]

_BLOCK = 1 << 17
_PROGRESS = 1 << 15  # bytes that make an attempt worth another one
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
#: Answers that may be other ones a little later.
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
_LONGEST_WAIT_S = 60.0


class _Passing(Exception):
    """What another attempt may mend; has the seconds that the server asks to wait."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Fetcher:
    """Fetches files; one for all threads.

    Args:
        retries: How often an attempt that brought nothing is repeated.
        timeout_s: How long a server may be silent, or slower than ``slowest``.
        slowest: Bytes a second below which a server counts as stalled.
        pause_s: The first pause between attempts; each further one is twice as long.
        on_bytes: Told of every bytes that arrive.
    """

    def __init__(
        self,
        *,
        retries: int = 5,
        timeout_s: float = 30.0,
        slowest: int = 1000,
        pause_s: float = 0.5,
        on_bytes: Callable[[int], Any] = lambda _: None,
    ) -> None:
        self._retries = retries
        self._timeout_s = timeout_s
        self._slowest = slowest
        self._pause_s = pause_s
        self._on_bytes = on_bytes
        self._stopped = threading.Event()
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            _Redirects(),
        ):
            # No file:, no ftp:, whatever a redirect or --base-url says.
            self._opener.add_handler(handler)

    def stop(self) -> None:
        """Makes every running and coming fetch end with a `DownloadError`."""
        self._stopped.set()

    def fetch(self, wanted: Wanted) -> bool:
        """Fetches a file unless it is there.

        A file in its place was checked when it came; it is fetched again where its size is not
        the published one.

        Returns:
            Whether it was fetched.

        Raises:
            DownloadError: It cannot be had; what has come of it stays for the next run.
            OSError: It cannot be written.
        """
        if os.path.exists(wanted.path) and wanted.size in (None, os.path.getsize(wanted.path)):
            return False
        os.makedirs(os.path.dirname(wanted.path) or ".", exist_ok=True)
        failures = 0
        while True:
            before = size_of(part_path(wanted))
            try:
                self._attempt(wanted)
                return True
            except _Passing as error:
                # An attempt that brought something is no failure: large files may need many.
                brought = size_of(part_path(wanted)) - before
                failures = 0 if brought >= _PROGRESS else failures + 1
                if failures > self._retries:
                    raise DownloadError(str(error), file=wanted.url) from None
                self._wait(failures, error.wait_s)

    def _wait(self, failures: int, asked_s: float) -> None:
        longest = min(self._pause_s * 2**failures, _LONGEST_WAIT_S)
        pause = max(longest * random.uniform(0.5, 1), min(asked_s, _LONGEST_WAIT_S))
        if self._stopped.wait(pause):
            raise DownloadError("stopped")

    def _attempt(self, wanted: Wanted) -> None:
        try:
            with self._opened(wanted) as response:
                self._receive(response, wanted)
        except urllib.error.HTTPError as error:
            self._refused(error, wanted)
        except (http.client.HTTPException, urllib.error.URLError, TimeoutError) as error:
            raise _Passing(f"the connection failed: {_reason(error)}") from None
        except ConnectionError as error:
            raise _Passing(f"the connection failed: {_reason(error)}") from None
        self._finish(wanted)

    def _opened(self, wanted: Wanted) -> Any:
        if self._stopped.is_set():
            raise DownloadError("stopped")
        if urlsplit(wanted.url).scheme not in ("http", "https"):
            raise DownloadError("only http and https are fetched", file=wanted.url)
        headers = {"Accept-Encoding": "identity", "User-Agent": "datumaro-openimages-plugin"}
        have, tag = size_of(part_path(wanted)), tag_of(wanted)
        if have and (tag or wanted.checksum):
            headers["Range"] = f"bytes={have}-"
            if tag:
                headers["If-Range"] = tag
        request = urllib.request.Request(wanted.url, headers=headers)
        return self._opener.open(request, timeout=self._timeout_s)

    def _refused(self, error: urllib.error.HTTPError, wanted: Wanted) -> None:
        """Says what an answer other than the file means; returns where the file is complete."""
        error.close()
        if error.code == 416:  # the part is as long as the file, or longer
            told = error.headers.get("Content-Range", "").removeprefix("bytes */")
            if str(size_of(part_path(wanted))) in (str(wanted.size), told):
                return
            forget(wanted)
            raise _Passing("the server has a shorter file than before")
        if error.code in _PASSING:
            raise _Passing(f"the server answers {error.code}", _seconds(error.headers))
        reason = "is not there" if error.code in (404, 410) else f"the server answers {error.code}"
        raise DownloadError(reason, file=wanted.url) from None

    def _receive(self, response: Any, wanted: Wanted) -> None:
        have = size_of(part_path(wanted))
        start, total = _announced(response, have)
        if wanted.size is not None and total is not None and total != wanted.size:
            raise _Passing(f"the server has {total} bytes, published are {wanted.size}")
        chunked = response.headers.get("Transfer-Encoding") == "chunked"
        if total is None and wanted.size is None and not wanted.checksum and not chunked:
            raise _Passing("the server does not say how long the file is")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise _Passing("the server packed the file, though it was asked not to")
        if not start:
            forget(wanted)
            remember(wanted, response.headers)
        with open(part_path(wanted), "r+b" if start else "wb") as part:
            part.seek(start)
            part.truncate()
            received = start + self._copy(response, part, wanted)
        if total is not None and received < total:
            raise _Passing(f"the connection ended after {received} of {total} bytes")

    def _copy(self, response: Any, part: Any, wanted: Wanted) -> int:
        """Writes what comes; a server that is slower than it may be is given up."""
        received = measured = 0
        begun = time.monotonic()
        # read1 gives what is there; read would wait for a whole block from a slow server.
        while block := response.read1(_BLOCK):
            part.write(block)
            received += len(block)
            measured += len(block)
            self._on_bytes(len(block))
            if self._stopped.is_set():
                raise DownloadError("stopped", file=wanted.url)
            most = wanted.largest if wanted.size is None else wanted.size
            if part.tell() > most:
                part.truncate(0)
                raise _Passing(f"more than {most} bytes came")
            now = time.monotonic()
            if now - begun > self._timeout_s:
                if measured < self._slowest * (now - begun):
                    raise _Passing("the server is stalled")
                begun, measured = now, 0
        return received

    def _finish(self, wanted: Wanted) -> None:
        part = part_path(wanted)
        reason = problem(wanted, part)
        if reason:
            # What is wrong somewhere cannot be resumed.
            forget(wanted)
            raise _Passing(reason)
        os.replace(part, wanted.path)
        forget(wanted)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to http."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """The request for the new address."""
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise DownloadError("the server redirects to an address without TLS", file=newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _announced(response: Any, have: int) -> tuple[int, int | None]:
    """Where the answer's bytes begin in the file, and how long the file is if that is told."""
    if response.status == 206:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != have:
            raise _Passing("the server answers with another range than was asked for")
        return have, None if match[3] == "*" else int(match[3])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _seconds(headers: Any) -> float:
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason) or type(reason).__name__
