"""Many files at a time, by threads; what fails is told at the end, the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice

from datumaro_openimages_plugin.download.fetching import Fetcher, Wanted
from datumaro_openimages_plugin.errors import DownloadError

__all__ = ["Fetched", "fetch_all"]


@dataclass
class Fetched:
    """What became of many files.

    Attributes:
        new: How many were fetched.
        there: How many were there already.
        failed: What could not be had, and why.
    """

    new: int = 0
    there: int = 0
    failed: list[tuple[Wanted, DownloadError]] = field(default_factory=list)


def fetch_all(
    files: Iterable[Wanted],
    fetcher: Fetcher,
    *,
    jobs: int = 8,
    on_done: Callable[[Wanted], object] = lambda _: None,
) -> Fetched:
    """Fetches files, ``jobs`` at a time.

    Args:
        files: What to fetch; may be very many, they are taken as they are needed.
        fetcher: How to fetch.
        jobs: How many connections there are at most.
        on_done: Told of each file that is there at last.

    Raises:
        OSError: Something cannot be written; what is running is stopped.
    """
    result = Fetched()
    waiting = iter(files)
    running: dict[Future[bool], Wanted] = {}
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="download") as pool:
        try:
            while True:
                for wanted in islice(waiting, jobs - len(running)):
                    running[pool.submit(fetcher.fetch, wanted)] = wanted
                if not running:
                    return result
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    _note(future, running.pop(future), result, on_done)
        except BaseException:
            # Also on Ctrl-C: the threads end at their next block.
            fetcher.stop()
            raise


def _note(
    future: Future[bool], wanted: Wanted, result: Fetched, on_done: Callable[[Wanted], object]
) -> None:
    try:
        if future.result():
            result.new += 1
        else:
            result.there += 1
    except DownloadError as error:
        result.failed.append((wanted, error))
    else:
        on_done(wanted)
