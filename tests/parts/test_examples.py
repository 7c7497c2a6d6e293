"""The programs in examples/, run as they are; those whose library is absent are left out."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
import time

import pytest
from doc_examples import ROOT
from test_parts import RESIZE, content, one_process

SOURCE = str(ROOT / "assets/cvat_layout")


def example(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"examples/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_dask_converts_as_one_process_does_and_a_killed_worker_costs_no_data(tmp_path):
    distributed = pytest.importorskip("distributed")
    whole = one_process(SOURCE, tmp_path / "whole", RESIZE, save_media=True)
    module, options = example("convert_with_dask"), {"transforms": RESIZE}
    options["export"] = {"save_media": True}
    with module.local_cluster(2) as cluster, distributed.Client(cluster) as client:
        workers = set(client.run(os.getpid).values())
        killed = []

        def kill():
            # A part is there, so the workers are at the others.
            while not list(tmp_path.glob("killed.parts/*.order.json")):
                time.sleep(0.01)
            killed.append(min(workers))
            os.kill(killed[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        module.convert(client, SOURCE, str(tmp_path / "killed"), 6, **options)
        killer.join()
        client.wait_for_workers(2, timeout=60)
        assert killed[0] not in client.run(os.getpid).values()
    assert content(tmp_path / "killed") == whole


def test_a_failing_task_is_told_and_leaves_no_whole(tmp_path):
    distributed = pytest.importorskip("distributed")
    module = example("convert_with_dask")
    with (
        distributed.Client(processes=False, n_workers=1, dashboard_address=None) as client,
        pytest.raises(Exception, match="Can't find dataset directory"),
    ):
        module.convert(client, str(tmp_path / "nowhere"), str(tmp_path / "out"), 2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", [0, 2])
def test_pytorch_gets_each_image_once(workers):
    pytest.importorskip("torch")
    module = example("train_with_pytorch")
    samples = [
        sample
        for rank in range(2)
        for batch in module.loader(SOURCE, batch=2, workers=workers, rank=rank, world=2)
        for sample in batch
    ]
    found = {sample["id"]: sample for sample in samples}
    assert len(found) == len(samples) == 6
    street = found["street"]
    assert street["image"].shape[0] == 3 and street["image"].ndim == 3
    assert len(street["boxes"]) == len(street["labels"]) > 0
    assert (street["boxes"][:, 2] <= street["image"].shape[2] + 1).all()
    assert found["empty"]["boxes"].shape == (0, 4)


def test_the_program_for_pytorch(capsys):
    pytest.importorskip("torch")
    assert example("train_with_pytorch").main([SOURCE, "--workers", "0"]) == 0
    assert capsys.readouterr().out.startswith("6 images, ")
