"""`open_images` is ours wherever Datumaro looks its plugins up; so are the plugins of others."""

from __future__ import annotations

import ast
import configparser
import importlib
import logging
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from datumaro.components import environment as environment_module
from datumaro.components.annotation import AnnotationType, Bbox, Label, Mask
from datumaro.components.dataset import Dataset
from datumaro.components.environment import Environment
from oi_files import picture
from test_autoload import is_installed

from datumaro_openimages_plugin import declared, loader
from datumaro_openimages_plugin._host import DatasetItem, image_from_file
from datumaro_openimages_plugin.plugin import (
    OpenImagesExporter,
    OpenImagesExtractor,
    OpenImagesImporter,
)

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "assets"
OURS = {"extractor": OpenImagesExtractor, "importer": OpenImagesImporter}
OURS["exporter"] = OpenImagesExporter
IS_1X = hasattr(environment_module, "DEFAULT_ENVIRONMENT")
on_1x = pytest.mark.skipif(not IS_1X, reason="the 0.3 line has nothing of this sort")


def registered_in(environment: Environment, name: str = "open_images") -> dict[str, type]:
    """The three classes under a name."""
    exporters = getattr(environment, "exporters", None) or environment.converters
    registries = {"extractor": environment.extractors, "importer": environment.importers}
    registries["exporter"] = exporters
    return {kind: registry[name] for kind, registry in registries.items() if name in registry}


def modules_in(environment: Environment, name: str = "open_images") -> set[str]:
    return {cls.__module__.partition(".")[0] for cls in registered_in(environment, name).values()}


@pytest.fixture
def unregistered(registered):
    loader.unregister()
    yield
    loader.register()


# Where Datumaro looks


def test_a_fresh_environment():
    assert registered_in(Environment()) == OURS


@on_1x
def test_the_default_environment():
    assert registered_in(environment_module.DEFAULT_ENVIRONMENT) == OURS


@on_1x
def test_an_environment_without_lazy_plugins():
    """In a process of its own: both sorts of environment share one list of plugins."""
    printed = run(
        f"""
        from datumaro.components.environment import Environment
        env = Environment(use_lazy_import=False)
        print(env.importers["open_images"].__module__)
        print(env.detect_dataset({str(ASSETS / "open_images_v7")!r}))
        """
    )
    assert printed == ["datumaro_openimages_plugin.plugin", "['open_images']"]


def test_once_more_after_datumaro_forgot_its_plugins():
    release = getattr(Environment, "release_builtin_plugins", None)
    if release is None:
        pytest.skip("the 0.3 line never forgets them")
    release()
    assert registered_in(Environment()) == OURS


@pytest.mark.parametrize("name", ["open_images_v7", "cvat_layout"])
def test_detection(name):
    assert Dataset.detect(str(ASSETS / name)) == "open_images"


def test_detection_by_import():
    dataset = Dataset.import_from(str(ASSETS / "open_images_v7"))
    assert dataset.get("1f2e3d4c5b6a7988", "train") is not None  # the built-in misses its list


def test_a_pickled_dataset():
    dataset = Dataset.import_from(str(ASSETS / "open_images_v7"), "open_images")
    restored = pickle.loads(pickle.dumps(dataset))
    assert registered_in(restored.env) == OURS
    assert [item.id for item in restored] == [item.id for item in dataset]


@pytest.mark.skipif(not hasattr(Dataset, "clone"), reason="this Datumaro has no Dataset.clone")
def test_a_cloned_dataset():
    dataset = Dataset.import_from(str(ASSETS / "cvat_layout"), "open_images")
    assert registered_in(dataset.clone().env) == OURS


@on_1x
def test_merged_environments():
    loader.unregister()
    try:
        Environment.merge([Environment(), Environment()])
    except TypeError:
        pytest.skip("early versions of 1.x cannot merge environments at all")
    finally:
        loader.register()
    environments = [Environment(), Environment()]
    merged = Environment.merge(environments)
    assert registered_in(merged) == OURS
    assert merged.detect_dataset(str(ASSETS / "cvat_layout")) == ["open_images"]


def found_by_worker(dataset: Dataset) -> tuple[str, str, int]:
    """What a worker process makes of it."""
    module = Environment().extractors["open_images"].__module__
    return module, Dataset.detect(str(ASSETS / "cvat_layout")), len(dataset)


@pytest.mark.skipif(not is_installed(), reason="needs the installed wheel")
def test_a_spawned_worker():
    dataset = Dataset.import_from(str(ASSETS / "open_images_v7"), "open_images")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(found_by_worker, dataset).result()
    assert found == (OpenImagesExtractor.__module__, "open_images", 8)


def run(code: str) -> list[str]:
    """Lines printed by a new interpreter in which ours is registered."""
    lines = [line.removeprefix("        ") for line in code.splitlines()]
    by_hand = "" if is_installed() else "import datumaro_openimages_plugin as p; p.register()"
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([by_hand, *lines])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_subprocess():
    printed = run(
        """
        from datumaro.components.environment import Environment
        print(Environment().importers["open_images"].__module__)
        """
    )
    assert printed == ["datumaro_openimages_plugin.plugin"]


# By hand


def test_unregister_and_register_again(unregistered):
    assert modules_in(Environment()) == {"datumaro"}
    loader.register()
    assert registered_in(Environment()) == OURS
    loader.register()  # does nothing
    loader.unregister()
    assert modules_in(Environment()) == {"datumaro"}


@on_1x
def test_a_default_environment_that_is_in_use(unregistered):
    default = environment_module.DEFAULT_ENVIRONMENT
    assert modules_in(default) == {"datumaro"}
    loader.register()
    assert registered_in(default) == OURS
    groups = getattr(default.importers, "extension_groups", {})  # what detection goes by
    detectors = {p.get_plugin_cls() for g in groups.values() for n, p in g if n == "open_images"}
    assert detectors == ({OpenImagesImporter} if groups else set())
    loader.unregister()
    assert modules_in(default) == {"datumaro"}


def test_cvats_list_of_image_lists_has_ours():
    """CVAT's importer takes item ids from the files that these patterns name."""
    try:
        from datumaro.plugins.data_formats.open_images import OpenImagesPath
    except ImportError:
        from datumaro.plugins.open_images_format import OpenImagesPath
    loader.unregister()
    before = OpenImagesPath.SUBSET_IMAGE_DESCRIPTION_FILE_PATTERNS
    loader.register()
    after = OpenImagesPath.SUBSET_IMAGE_DESCRIPTION_FILE_PATTERNS
    assert after == (*before, "*-image_ids_and_rotation.csv")


def test_setup_cfg_declares_what_is_used_where_nothing_is_installed():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options.entry_points"][declared.GROUP].split("\n")
    in_setup_cfg = {line.partition("=")[2].strip() for line in lines if line}
    assert in_setup_cfg == {entry_point.value for entry_point in declared._OWN}
    for entry_point in declared._OWN:
        assert declared.kind_of(entry_point.load()) is not None


@on_1x
def test_what_is_known_of_plugins_without_importing_them():
    for entry_point in declared._OWN:
        plugin = entry_point.load()
        name, kind, extensions = declared._KNOWN[entry_point.value.partition(".")[2]]
        assert (name, kind) == declared.key_of(plugin)
        assert kind != "Importer" or extensions == plugin.get_file_extensions()


@on_1x
def test_listing_the_plugins_does_not_import_them():
    printed = run(
        """
        import sys
        from datumaro.components.environment import Environment
        print("open_images" in Environment().importers)
        print([name for name in sys.modules if name.startswith("datumaro_openimages_plugin")])
        """
    )
    modules = ["", "._autoload", ".loader", ".declared"]
    assert printed[0] == "True"
    assert set(ast.literal_eval(printed[1])) == {f"datumaro_openimages_plugin{m}" for m in modules}


# Datasets of other formats are detected as before


def other_dataset(folder: Path) -> Dataset:
    picture(folder, "source.png", (20, 30))
    image = image_from_file(str(folder / "source.png"), (20, 30))
    mask = np.zeros((20, 30), bool)
    mask[3:9, 4:11] = True
    annotations = [Label(0), Bbox(4, 3, 7, 6, label=0, group=1), Mask(mask, label=0, group=1)]
    annotations[2].attributes["track_id"] = 1
    items = [
        DatasetItem(id=name, subset="train", media=image, annotations=annotations)
        for name in ("a", "b")
    ]
    return Dataset.from_iterable(items, categories=["cat", "dog"])


FORMATS = (
    *("coco", "voc", "yolo", "cvat", "datumaro", "imagenet", "label_me", "mot_seq_gt"),
    *(
        "vgg_face2",
        "lfw",
        "wider_face",
        "image_dir",
        "cifar",
        "mots_png",
        "icdar_text_localization",
    ),
)


def test_other_formats_are_detected_as_before(tmp_path):
    dataset = other_dataset(tmp_path)
    for name in FORMATS:
        dataset.export(str(tmp_path / "all" / name), name, save_media=True)
    (tmp_path / "all/table").mkdir()
    (tmp_path / "all/table/data.csv").write_text("a,b\n1,2\n3,4\n")
    ours = {p.name: sorted(Environment().detect_dataset(str(p))) for p in folders(tmp_path)}
    loader.unregister()
    theirs = {p.name: sorted(Environment().detect_dataset(str(p))) for p in folders(tmp_path)}
    assert ours == theirs
    assert theirs["coco"] == ["coco"] and "voc" in theirs["voc"]
    assert not any("open_images" in formats for formats in ours.values())


def folders(root: Path) -> list[Path]:
    return sorted((root / "all").iterdir())


# Plugins of other packages

FOREIGN = """
from datumaro_openimages_plugin._host import DatasetBase, DatasetItem, Exporter, Importer

class FirmBase(DatasetBase):
    NAME = "firm"
    def __init__(self, path, ctx=None):
        super().__init__()
    def __iter__(self):
        return iter([DatasetItem("from the firm")])

class FirmImporter(Importer):
    NAME = "firm"
    @classmethod
    def detect(cls, context):
        context.require_file("*.firm")
    @classmethod
    def find_sources(cls, path):
        return [{"url": path, "format": "firm"}]
    @classmethod
    def get_file_extensions(cls):
        return [".firm"]

class CocoExporter(Exporter):
    NAME = "coco"
    DEFAULT_IMAGE_EXT = ".png"
    def apply(self):
        pass

class NoPlugin:
    NAME = "nothing"

function = print
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """Installs a package that declares entry points of the group."""

    def install(*entry_points: str) -> None:
        site = tmp_path / "site"
        info = site / "firm_plugins-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: firm-plugins\nVersion: 1.0\n")
        lines = [f"[{declared.GROUP}]", *(f"e{i} = {e}" for i, e in enumerate(entry_points)), ""]
        (info / "entry_points.txt").write_text("\n".join(lines))
        (site / "firm_plugins.py").write_text(FOREIGN)
        (site / "firm_fails.py").write_text("import no_such_module_of_the_firm")
        (site / "firm_exits.py").write_text("raise SystemExit(3)")
        loader.unregister()
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        loader.register()

    yield install
    loader.unregister()
    monkeypatch.undo()
    for name in ("firm_plugins", "firm_fails", "firm_exits"):
        sys.modules.pop(name, None)
    loader.register()


def test_a_foreign_package_is_served(foreign, tmp_path):
    foreign("firm_plugins:FirmBase", "firm_plugins:FirmImporter", "firm_plugins:CocoExporter")
    environment = Environment()
    assert modules_in(environment, "firm") == {"firm_plugins"}
    assert registered_in(environment, "coco")["exporter"].__module__ == "firm_plugins"
    assert registered_in(environment, "coco")["importer"].__module__.startswith("datumaro.")
    assert registered_in(environment) == OURS
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x.firm").write_text("")
    assert Dataset.detect(str(tmp_path / "data")) == "firm"
    assert [i.id for i in Dataset.import_from(str(tmp_path / "data"), "firm")] == ["from the firm"]


@on_1x
def test_foreign_plugins_leave_the_default_environment_with_us(foreign):
    default = environment_module.DEFAULT_ENVIRONMENT
    assert "coco" in default.exporters  # it is in use
    foreign("firm_plugins:FirmBase", "firm_plugins:FirmImporter", "firm_plugins:CocoExporter")
    assert modules_in(default, "firm") == {"firm_plugins"}
    loader.unregister()
    assert registered_in(default, "firm") == {}
    assert modules_in(default, "coco") == {"datumaro"}


@pytest.mark.parametrize(
    ("entry_point", "reason"),
    [
        ("firm_fails:Plugin", "No module named 'no_such_module_of_the_firm'"),
        ("firm_exits:Plugin", "SystemExit: 3"),
        ("firm_plugins:Missing", "no attribute 'Missing'"),
        ("firm_plugins:NoPlugin", "no plugin class of this Datumaro"),
        ("firm_plugins:function", "no plugin class of this Datumaro"),
    ],
)
def test_a_broken_foreign_plugin_is_reported_once(entry_point, reason, foreign, caplog):
    declared._broken.clear()
    with caplog.at_level(logging.WARNING, declared.__name__):
        foreign("firm_plugins:FirmBase", entry_point)
        environments = [Environment(), Environment()]
        assert all(registered_in(env) == OURS for env in environments)
    assert modules_in(environments[0], "firm") == {"firm_plugins"}
    messages = [r.getMessage() for r in caplog.records if r.name == declared.__name__]
    assert len(messages) == 1
    assert entry_point in messages[0] and reason in messages[0], messages


def test_annotations_read_by_ours_are_of_every_kind():
    """What stands behind the name reads; the registry alone would also hold an empty class."""
    dataset = Dataset.import_from(str(ASSETS / "cvat_layout"), "open_images")
    kinds = {annotation.type for item in dataset for annotation in item.annotations}
    assert kinds == {AnnotationType.label, AnnotationType.bbox, AnnotationType.mask}
