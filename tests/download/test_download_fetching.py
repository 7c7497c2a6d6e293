"""Files over HTTP from a server on the loopback interface that misbehaves in every way."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest
from bad_server import bad_server

from datumaro_openimages_plugin.download.fetching import Fetcher, Wanted
from datumaro_openimages_plugin.download.many import fetch_all
from datumaro_openimages_plugin.errors import DownloadError

DATA = bytes(range(256)) * 1000
MD5 = "md5:" + hashlib.md5(DATA).hexdigest()


@pytest.fixture
def server():
    with bad_server() as running:
        running.files["/a.csv"] = DATA
        yield running


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def fetcher(**options):
    return Fetcher(**{"retries": 3, "timeout_s": 0.3, "pause_s": 0.01, **options})


def wanted(server, tmp_path, path="/a.csv", **known):
    known = {"size": len(DATA), "checksum": MD5, **known}
    return Wanted(server.url + path, str(tmp_path / "to" / os.path.basename(path)), **known)


def left_over(tmp_path):
    return sorted(name for name in os.listdir(tmp_path / "to"))


def test_a_good_server(server, tmp_path):
    file = wanted(server, tmp_path)
    assert fetcher().fetch(file) is True
    with open(file.path, "rb") as read:
        assert read.read() == DATA
    assert left_over(tmp_path) == ["a.csv"]
    assert fetcher().fetch(file) is False
    assert len(server.requests) == 1


def test_a_file_of_another_size_is_fetched_again(server, tmp_path):
    file = wanted(server, tmp_path)
    os.makedirs(tmp_path / "to")
    with open(file.path, "wb") as old:
        old.write(b"old")
    assert fetcher().fetch(file) is True


@pytest.mark.parametrize(
    "fault",
    [
        408, 429, 500, 502, 503, 504, "hang up", "say nothing", "cut short", "stall",
        "promise more", "promise less", "other bytes", "another length", "pack", "trickle",
    ],
)  # fmt: skip
def test_one_fault_is_mended(server, tmp_path, fault):
    server.faults["/a.csv"] = [fault]
    file = wanted(server, tmp_path)
    assert fetcher().fetch(file) is True
    with open(file.path, "rb") as read:
        assert read.read() == DATA
    assert len(server.requests) == 2
    assert left_over(tmp_path) == ["a.csv"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (503, "the server answers 503"),
        ("hang up", "the connection failed"),
        ("say nothing", "the connection failed: timed out"),
        ("promise more", "the server has 257000 bytes, published are 256000"),
        ("promise less", "the server has 128000 bytes"),
        ("other bytes", "the MD5 of what came is"),
        ("another length", "the server has 256004 bytes"),
        ("pack", "packed the file"),
        ("trickle", "the server is stalled"),
    ],
)
def test_a_fault_without_end_is_an_error_and_leaves_no_file(server, tmp_path, fault, message):
    server.always["/a.csv"] = fault
    with pytest.raises(DownloadError, match=message) as raised:
        fetcher(retries=1).fetch(wanted(server, tmp_path))
    assert raised.value.file == server.url + "/a.csv"
    assert len(server.requests) == 2
    assert "a.csv" not in left_over(tmp_path)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_what_is_refused_is_not_asked_for_again(server, tmp_path, code):
    server.always["/a.csv"] = code
    with pytest.raises(DownloadError, match="is not there" if code in (404, 410) else str(code)):
        fetcher().fetch(wanted(server, tmp_path))
    assert len(server.requests) == 1


def test_goes_on_where_it_stopped(server, tmp_path):
    server.faults["/a.csv"] = ["cut short", "cut short"]
    assert fetcher(retries=0).fetch(wanted(server, tmp_path)) is True
    # Each attempt brought something, so none of them is a failure.
    assert server.asked("/a.csv") == [None, "bytes=128000-", "bytes=192000-"]


def test_goes_on_in_a_later_run(server, tmp_path):
    server.faults["/a.csv"] = ["cut short"]
    server.always["/a.csv"] = 503
    with pytest.raises(DownloadError):
        fetcher(retries=0).fetch(wanted(server, tmp_path))
    assert left_over(tmp_path) == ["a.csv.part", "a.csv.part.tag"]
    server.always.clear()
    fetcher().fetch(wanted(server, tmp_path))
    assert server.asked("/a.csv")[-1] == "bytes=128000-"


def test_two_versions_are_never_joined(server, tmp_path):
    server.faults["/a.csv"] = ["cut short"]
    server.always["/a.csv"] = 503
    file = wanted(server, tmp_path, size=None, checksum="")
    with pytest.raises(DownloadError):
        fetcher(retries=0).fetch(file)
    server.always.clear()
    server.files["/a.csv"] = new = bytes(reversed(DATA))
    fetcher().fetch(file)
    with open(file.path, "rb") as read:
        assert read.read() == new


def test_without_a_tag_and_a_checksum_it_begins_anew(server, tmp_path):
    server.etag = False
    server.faults["/a.csv"] = ["cut short"]
    fetcher().fetch(wanted(server, tmp_path, checksum=""))
    assert server.asked("/a.csv") == [None, None]
    os.remove(tmp_path / "to" / "a.csv")
    server.faults["/a.csv"] = ["cut short"]
    fetcher().fetch(wanted(server, tmp_path))  # the checksum will tell
    assert server.asked("/a.csv")[2:] == [None, "bytes=128000-"]


def test_a_server_without_ranges(server, tmp_path):
    server.ranges = False
    server.faults["/a.csv"] = ["cut short"]
    file = wanted(server, tmp_path)
    fetcher().fetch(file)
    with open(file.path, "rb") as read:
        assert read.read() == DATA


def test_a_server_that_answers_with_another_range(server, tmp_path):
    server.faults["/a.csv"] = ["cut short", "another range"]
    file = wanted(server, tmp_path)
    fetcher().fetch(file)
    with open(file.path, "rb") as read:
        assert read.read() == DATA


def test_a_part_that_was_complete(server, tmp_path):
    os.makedirs(tmp_path / "to")
    with open(tmp_path / "to" / "a.csv.part", "wb") as part:
        part.write(DATA)
    fetcher().fetch(wanted(server, tmp_path))
    assert server.asked("/a.csv") == ["bytes=256000-"]
    assert left_over(tmp_path) == ["a.csv"]


def test_a_part_that_is_longer_than_the_file(server, tmp_path):
    os.makedirs(tmp_path / "to")
    with open(tmp_path / "to" / "a.csv.part", "wb") as part:
        part.write(DATA + b"more")
    fetcher().fetch(wanted(server, tmp_path))
    assert left_over(tmp_path) == ["a.csv"]


def test_without_a_published_checksum_the_servers_own_counts(server, tmp_path):
    file = wanted(server, tmp_path, size=None, checksum="")
    server.told_md5["/a.csv"] = MD5.partition(":")[2]
    server.faults["/a.csv"] = ["other bytes"]
    fetcher().fetch(file)
    assert len(server.requests) == 2
    server.told_md5["/a.csv"] = "0" * 32
    os.remove(file.path)
    with pytest.raises(DownloadError, match="not 0000"):
        fetcher(retries=0).fetch(file)


def test_a_length_that_nobody_tells(server, tmp_path):
    server.always["/a.csv"] = "no length"
    fetcher().fetch(wanted(server, tmp_path))  # the published size will do
    os.remove(tmp_path / "to" / "a.csv")
    with pytest.raises(DownloadError, match="does not say how long"):
        fetcher(retries=0).fetch(wanted(server, tmp_path, size=None, checksum=""))
    with pytest.raises(DownloadError, match="more than 1000 bytes came"):
        fetcher(retries=0).fetch(wanted(server, tmp_path, size=None, largest=1000))


def test_another_kind_of_file(server, tmp_path):
    with pytest.raises(DownloadError, match="another kind of file"):
        fetcher(retries=0).fetch(wanted(server, tmp_path, checksum="", start=b"\xff\xd8"))


def test_redirects(server, tmp_path):
    server.files["/a.csv.moved"] = DATA
    server.always["/a.csv"] = "redirect"
    assert fetcher().fetch(wanted(server, tmp_path)) is True
    os.remove(tmp_path / "to" / "a.csv")
    server.always["/a.csv"] = "redirect to a file"
    with pytest.raises(DownloadError):
        fetcher(retries=0).fetch(wanted(server, tmp_path))


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/a", "data:,a"])
def test_other_schemes_are_refused(url, tmp_path):
    with pytest.raises(DownloadError, match="only http and https"):
        fetcher().fetch(Wanted(url, str(tmp_path / "to" / "a")))


def test_nobody_there(tmp_path):
    with bad_server() as gone:
        url = gone.url
    with pytest.raises(DownloadError, match="the connection failed"):
        fetcher(retries=1).fetch(Wanted(url + "/a.csv", str(tmp_path / "a.csv")))


def test_a_disk_that_refuses_is_no_fault_of_the_server(server, tmp_path):
    (tmp_path / "to").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="to") as raised:
        fetcher().fetch(wanted(server, tmp_path))
    assert not isinstance(raised.value, DownloadError)


def test_many_files_at_a_time(server, tmp_path):
    names = [f"/{n}.jpg" for n in range(40)]
    server.files.update({name: name.encode() for name in names})
    for name in names[::3]:
        server.faults[name] = [503, "hang up"]
    server.always["/7.jpg"] = 404
    server.always["/8.jpg"] = 500
    server.waits_for = 6
    came = []
    files = [Wanted(server.url + name, str(tmp_path / "to" / name[1:])) for name in names]
    done = fetch_all(iter(files), fetcher(), jobs=6, on_done=came.append)
    assert done.new == len(came) == 38
    assert sorted(str(error.file)[-6:] for _, error in done.failed) == ["/7.jpg", "/8.jpg"]
    assert server.busiest == 6
    assert fetch_all(files, fetcher(retries=0), jobs=6).there == 38


def test_a_failing_disk_stops_all(server, tmp_path):
    (tmp_path / "blocked").write_text("a file")
    good = [wanted(server, tmp_path)]
    bad = [Wanted(server.url + "/a.csv", str(tmp_path / "blocked" / "a.csv"))]
    with pytest.raises(OSError, match="blocked"):
        fetch_all(bad + good * 3, fetcher(), jobs=1)
    assert not (tmp_path / "to").exists()


def test_stopping_ends_a_running_fetch(server, tmp_path):
    server.always["/a.csv"] = 503
    one = fetcher(retries=1000, pause_s=30)
    timer = threading.Timer(0.2, one.stop)
    timer.start()
    with pytest.raises(DownloadError, match="stopped"):
        one.fetch(wanted(server, tmp_path))
    timer.join()
