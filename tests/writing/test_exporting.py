"""All or nothing, as users of Datumaro see it: errors, full disks, two exports, readers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import oi_files
import pytest
from datumaro.components.dataset import Dataset
from layouts import snapshot
from oi_files import write

from datumaro_openimages_plugin._host import CAN_STREAM, DatasetBase
from datumaro_openimages_plugin.errors import SaveError
from datumaro_openimages_plugin.plugin import OpenImagesExtractor
from datumaro_openimages_plugin.saving import _system
from datumaro_openimages_plugin.saving.journal import Workspace
from datumaro_openimages_plugin.saving.staging import Staging

JOBS = ("new", "over", "zip", "in place")
EVERY_JOB = pytest.mark.parametrize("job", JOBS)
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount"
)


@pytest.fixture(params=["exchange", "journal"], autouse=True)
def way(request, monkeypatch):
    """Both ways of putting the new folder in place; without waiting for the disk."""
    monkeypatch.setenv("DATUMARO_OPENIMAGES_EXCHANGE", "0" if request.param == "journal" else "1")
    monkeypatch.setattr(_system, "flush", lambda path: None)
    return request.param


def base(root: Path) -> Path:
    oi_files.base(root)
    return root


def read(path) -> Dataset:
    return Dataset.import_from(str(path), "open_images")


def prepare(job: str, root: Path) -> Path:
    """The target of a job, as it is before."""
    target = root / "data"
    if job == "in place":
        return base(target)
    if job == "over":
        write(target, {"annotations/class-descriptions.csv": "/m/9,Old\n"})
        write(target, {"annotations/train-annotations-bbox.csv": oi_files.BOX_HEADER})
    if job == "zip":
        write(target, {"data.zip": "an older one"})
    if job != "new":
        write(target, {"mine.txt": "mine"})
    return target


class Failing(DatasetBase):
    """A dataset that breaks off after some items."""

    def __init__(self, dataset, error: BaseException, count: int = 2) -> None:
        super().__init__(subsets=list(dataset.subsets()))
        self._dataset, self._error, self._count = dataset, error, count

    def categories(self):
        return self._dataset.categories()

    def __iter__(self):
        for number, item in enumerate(self._dataset):
            if number == self._count:
                raise self._error
            yield item


def do(job: str, dataset, target: Path, **options) -> None:
    """An export of a dataset that may come from elsewhere, as Datumaro runs it."""
    dataset.export(str(target), "open_images", save_media=True, zip=job == "zip", **options)


def assert_unchanged(target: Path, before: dict[str, bytes]) -> None:
    """Holds a target to be as it was, with nothing left beside it or in it."""
    assert (snapshot(target) if target.exists() else {}) == before
    assert not [name for name in os.listdir(target.parent) if "partial" in name]


# Errors


@EVERY_JOB
@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt(), OSError("gone")])
def test_an_error_of_the_dataset_itself(job, error, tmp_path):
    target = prepare(job, tmp_path)
    before = snapshot(target) if target.exists() else {}
    source = target if job == "in place" else base(tmp_path / "in")
    dataset = Dataset.from_extractors(Failing(OpenImagesExtractor(str(source)), error))
    with pytest.raises(type(error)) as raised:
        do(job, dataset, target)
    assert raised.value is error
    assert_unchanged(target, before)
    do(job, read(source), target)  # nothing is in the way of the next one
    assert job == "zip" or len(list(read(target))) == 3


@EVERY_JOB
@needs_root
def test_full_disk(job, tmp_path, mounted):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted(disk, "-t", "tmpfs", "-o", "size=256k", "tmpfs")
    target = prepare(job, disk)
    oi_files.write(disk, {"ballast": "x" * 4096 * 30})
    before = snapshot(target) if target.exists() else {}
    dataset = read(base(tmp_path / "in"))
    item = dataset.get("a", "train")
    for number in range(200):
        dataset.put(item.wrap(id=f"copy {number}"))
    with pytest.raises(SaveError, match=r"No space left.*make room") as raised:
        do(job, dataset, target)
    assert str(target) in str(raised.value)
    assert_unchanged(target, before)


@EVERY_JOB
@needs_root
def test_read_only_disk(job, tmp_path, mounted):
    disk = tmp_path / "disk"
    disk.mkdir()
    target = prepare(job, disk)
    target.mkdir(exist_ok=True)
    before = snapshot(target)
    mounted(disk, "--bind", str(disk))
    subprocess.run(["mount", "-o", "remount,bind,ro", str(disk)], check=True)
    source = target if job == "in place" else base(tmp_path / "in")
    with pytest.raises(SaveError, match=r"(?s)Read-only|denied"):
        do(job, read(source), target)
    assert_unchanged(target, before)


# Two at once


@EVERY_JOB
def test_a_second_export_is_refused(job, tmp_path):
    target = prepare(job, tmp_path)
    source = target if job == "in place" else base(tmp_path / "in")
    dataset = read(source)
    dataset.init_cache()
    before = snapshot(target) if target.exists() else {}
    with Staging(str(target)) as staging:
        with pytest.raises(SaveError, match=r"another export.*wait for it"):
            do(job, dataset, target)
        (Path(staging.root) / "first").write_text("first")
        if target.exists():
            now = snapshot(target)
            assert {name: now.get(name) for name in before} == before
    assert "first" in snapshot(target)


# Readers


def test_an_import_that_is_open_goes_on(tmp_path):
    data = base(tmp_path / "data")
    dataset = read(data)
    items = iter(OpenImagesExtractor(str(data)))
    first = next(items)
    table = open(data / "annotations/train-annotations-bbox.csv", "rb")  # noqa: SIM115
    text = table.read(10)
    dataset.remove("b", "train")
    dataset.save(save_media=True)
    with table:
        assert b"b,xclick" in text + table.read()
    ids = [first.id, *(item.id for item in items)]
    assert sorted(ids) == ["a", "b", "c"]
    assert first.media.data is not None
    assert sorted(item.id for item in read(data)) == ["a", "c"]


WRITER = """
import os, sys, time
from datumaro.components.dataset import Dataset
from datumaro_openimages_plugin.saving import _system
from datumaro_openimages_plugin.saving.journal import Workspace
_system.flush = lambda path: None
one, two, target, ready = sys.argv[1:]
datasets = [Dataset.import_from(path, "open_images") for path in (one, two)]
for number in range(10000):
    datasets[number % 2].export(target, "open_images")
    time.sleep(0.05)
    if not number:
        open(ready, "w").close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges folders")
def test_readers_see_one_state(tmp_path):
    """All tables are of one export, though another process goes on replacing them."""
    states = []
    for label in ("/m/1", "/m/2"):
        ids = [f"i{number}" for number in range(5)]
        tables = {"annotations/class-descriptions.csv": f"{label},Name\n"}
        for subset in ("test", "train", "validation"):
            rows = "".join(f"{name},xclick,{label},1,0,1,0,1,0,0,0,0,0\n" for name in ids)
            tables[f"annotations/{subset}-annotations-bbox.csv"] = oi_files.BOX_HEADER + rows
            lists = oi_files.image_list(*((name, subset) for name in ids))
            tables[f"annotations/{subset}-images-with-rotation.csv"] = lists
        states.append(str(write(tmp_path / label[-1], tables)))
    target, ready = str(tmp_path / "data"), str(tmp_path / "ready")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", WRITER, *states, target, ready]
    with subprocess.Popen(command, env=environment) as writer:
        try:
            while not os.path.exists(ready):
                assert writer.poll() is None
                time.sleep(0.01)
            seen = set()
            for _ in range(25):
                extractor = OpenImagesExtractor(target)
                names = [c.name for c in next(iter(extractor.categories().values()))]
                assert len(extractor) == 15 and len(names) == 1
                assert {len(item.annotations) for item in extractor} == {1}
                seen.update(names)
        finally:
            writer.kill()
    assert seen <= {"/m/1", "/m/2"}


@pytest.mark.skipif(not CAN_STREAM, reason="this Datumaro has no streams")
def test_a_stream_is_saved_over_its_source(tmp_path):
    from datumaro.components.dataset import StreamDataset

    data = base(tmp_path / "data")
    before = snapshot(data)
    dataset = StreamDataset.import_from(str(data), "open_images")
    dataset.export(f"{data}/", "open_images", save_media=True)
    assert {name: snapshot(data).get(name) for name in before} == before


def test_the_refused_one_of_two_that_began_together_deletes_nothing(tmp_path, monkeypatch):
    """Datumaro deletes a target that was missing when the export that fails began."""
    dataset, target = read(base(tmp_path / "source")), tmp_path / "new"
    quicker = tmp_path / "quicker"
    dataset.export(str(quicker), "open_images")

    def take(work, wait_s=0.0):
        shutil.copytree(quicker, target, dirs_exist_ok=True)
        return False

    monkeypatch.setattr(Workspace, "take", take)
    with pytest.raises(SaveError, match="another export is writing"):
        dataset.export(str(target), "open_images")
    assert snapshot(target) == snapshot(quicker)
    monkeypatch.undo()
    with pytest.raises(SaveError, match="names must be"):
        dataset.export(str(tmp_path / "other"), "open_images", names="x")
    assert not (tmp_path / "other").exists()
