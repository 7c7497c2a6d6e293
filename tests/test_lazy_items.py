"""Items whose annotations may be made when they are asked for, as CVAT's newer builds have them."""

from __future__ import annotations

import subprocess
import sys

import oi_files

#: Puts such a class in the place of the host's before this package is imported.
PROGRAM = """
import copy, pickle, sys
import attr
from datumaro.components.annotation import Label
try:
    from datumaro.components import dataset_base as host
except ImportError:
    from datumaro.components import extractor as host


@attr.attrs(order=False, init=False, slots=True)
class DatasetItem:
    id = attr.ib()
    subset = attr.ib(default="default")
    media = attr.ib(default=None)
    _annotations = attr.ib(factory=list)
    attributes = attr.ib(factory=dict)

    def __init__(self, id, *, subset=None, media=None, annotations=None, attributes=None):
        self.__attrs_init__(id, subset, media, annotations or [], attributes or {})

    @property
    def annotations(self):
        if callable(self._annotations):
            self._annotations = self._annotations()
        return self._annotations

    def wrap(self, **changes):
        return attr.evolve(self, **changes)


host.DatasetItem = DatasetItem
from datumaro_openimages_plugin import _host, plugin
assert _host.DatasetItem is DatasetItem

# Names with a slash are made in another way.
items = list(plugin.OpenImagesExtractor(sys.argv[1]))
assert {item.id: len(item.annotations) for item in items} == {"a": 1, "x/b": 1}
for item in items:
    lazy = DatasetItem(item.id, subset=item.subset, annotations=lambda: list(item.annotations))
    assert item == lazy == item.wrap(attributes={}) == copy.copy(item)
    assert len(item.wrap(annotations=[]).annotations) == 0
    assert pickle.loads(pickle.dumps(item)).annotations == item.annotations


class Source:
    def __init__(self, source): self._source = source
    def __getattr__(self, name): return getattr(self._source, name)
    def __iter__(self):
        for item in self._source:
            yield DatasetItem(item.id, subset=item.subset,
                              annotations=lambda item=item: list(item.annotations))


plugin.OpenImagesExporter(Source(plugin.OpenImagesExtractor(sys.argv[1])), sys.argv[2]).apply()
again = {item.id: item.annotations for item in plugin.OpenImagesExtractor(sys.argv[2])}
assert again == {item.id: item.annotations for item in items}, again
"""


def test_items_that_make_their_annotations_when_asked(tmp_path):
    labels = oi_files.LABEL_HEADER + "a,verification,/m/1,1\nx/b,verification,/m/2,0\n"
    files = {
        "annotations/class-descriptions.csv": oi_files.CLASSES,
        "annotations/train-annotations-human-imagelabels.csv": labels,
    }
    oi_files.write(tmp_path / "in", files)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "in"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
