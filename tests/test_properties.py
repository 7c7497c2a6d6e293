"""Generated datasets of all kinds: what is exported is what is imported again."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from compare import assert_same
from damage_data import FIELDS, FILES
from datumaro.components.annotation import AnnotationType, Bbox, Caption, Label, Mask, Points
from datumaro.components.dataset import Dataset
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich_data import save

from datumaro_openimages_plugin._host import DatasetItem, Image
from datumaro_openimages_plugin.files.layout import NAMES
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.plugin import OpenImagesExtractor

RUNS = settings(
    max_examples=12, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
LABELS = ["/m/0", "/m/1", "Ünïcödé, 箱", "with space"]
SUBSETS = ["train", "validation", "my set"]

ids = st.sampled_from(
    ["0a1b", "a b", "com,ma", 'quo"te', "it's", "a/b", "日本/語", "#hash", "-dash", "a.b",
     "007", "nan", "a;b", "100%", "{x}", "~", "A", "[x]", "=1+1", "e\u0301"]
)  # fmt: skip
labels = st.sampled_from(LABELS)
flags = st.sampled_from(["0", "1", "-1"])
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8)
numbers = st.one_of(
    st.integers(0, 10**6).map(lambda n: f"{n / 10**6:.6f}"),
    st.sampled_from(["0", "1", "0.5", "1.0", "0.30000000000000004", "1e-3"]),
)
confidences = st.sampled_from(["1", "0", "0.5", "0.7", "1.0"])


@st.composite
def corners(draw) -> list[str]:
    """XMin, XMax, YMin, YMax as texts."""
    made = []
    for _ in range(2):
        made += sorted([draw(numbers), draw(numbers)], key=float)
    return made


def _row(draw, kind: str, image: str, number: int) -> list[str]:
    """The fields of one row."""
    label = draw(labels)
    if kind == "labels":
        return [image, draw(st.sampled_from(["verification", "", "x,y"])), label, draw(confidences)]
    if kind == "machine_labels":
        return [image, "machine", label, draw(confidences)]
    if kind == "boxes":
        made = [image, draw(texts.map(str.strip)), label, draw(confidences), *draw(corners())]
        return made + [draw(flags) for _ in range(5)]
    if kind == "people":
        made = [image, label, draw(confidences), *draw(corners())]
        made += [draw(flags) for _ in range(5)]
        return [*made, draw(st.sampled_from(["Unknown", "Predominantly Feminine"])), "Young"]
    if kind == "masks":
        return [
            f"m{number}.png",
            image,
            label,
            f"{number:08x}",
            *draw(corners()),
            draw(numbers),
            "",
        ]
    if kind == "points":
        vote = draw(st.sampled_from(["yes", "no", "unsure"]))
        counts = [str(draw(st.integers(0, 9))) for _ in range(3)]
        return [image, draw(numbers), draw(numbers), label, vote, "ih", *counts, ""]
    box = draw(corners())
    return [image, label, draw(labels), *box, *draw(corners()), draw(st.sampled_from(["at", "on"]))]


@st.composite
def datasets(draw) -> dict[str, bytes]:
    """The files of a dataset with any of the kinds."""
    split = {
        subset: draw(st.lists(ids, min_size=1, max_size=3, unique_by=str.casefold))
        for subset in draw(st.lists(st.sampled_from(SUBSETS), min_size=1, max_size=2, unique=True))
    }
    made: dict[str, bytes] = {"annotations/class-descriptions.csv": _csv([[n, n] for n in LABELS])}
    sized = {image: draw(st.integers(1, 300)) for some in split.values() for image in some}
    made["annotations/images.meta"] = "".join(
        f"{_shell(image)} {side} {side + 3}\n" for image, side in sized.items()
    ).encode()
    for subset, images in split.items():
        rows = [[i, subset, *(draw(texts) for _ in range(9)), "0.0"] for i in images]
        made[_file("images", subset)] = _csv([FIELDS["images"], *rows])
        of_kind = st.sampled_from(images)
        for kind in draw(st.lists(st.sampled_from(sorted(KINDS_BY_NAME)), unique=True)):
            count = draw(st.integers(1, 4))
            drawn = [draw(of_kind) for _ in range(count)]
            if kind == "narratives":
                lines = [
                    json.dumps(
                        {"dataset_id": "x", "image_id": image, "caption": draw(texts) or "c"}
                    )
                    for image in drawn
                ]
                made[_file(kind, subset)] = "".join(f"{line}\n" for line in lines).encode()
                continue
            body = [_row(draw, kind, image, number) for number, image in enumerate(drawn)]
            made[_file(kind, subset)] = _csv([FIELDS[kind], *body])
            if kind == "masks":
                for number in range(count):
                    made[f"masks/{subset}/m{number}.png"] = _png(number)
    return made


def _file(kind: str, subset: str) -> str:
    if kind == "images":
        return FILES["images"].replace("train", subset)
    name = KINDS_BY_NAME[kind].file_name
    return "annotations/" + name.format(subset=subset, val=subset)


def _csv(rows) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _shell(name: str) -> str:
    return "'" + name.replace("'", "'\"'\"'") + "'"


def _png(number: int) -> bytes:
    pixels = np.zeros((9, 11 + number), np.uint8)
    pixels[number : number + 3, 2:7] = 255
    return bytes(cv2.imencode(".png", pixels)[1])


def read(path: Path) -> Dataset:
    return Dataset.from_extractors(OpenImagesExtractor(str(path), kinds=list(KINDS_BY_NAME)))


@pytest.mark.parametrize("names", NAMES)
@RUNS
@given(files=datasets(), zipped=st.booleans())
def test_datasets_there_and_back(names, files, zipped):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, data in files.items():
            (root / "in" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "in" / name).write_bytes(data)
        dataset = read(root / "in")
        out = save(dataset, root / "out", names=names, zip=zipped)
        assert_same(read(out / "out.zip" if zipped else out), dataset)


# Datasets made in Python

pixels = st.integers(0, 4000).map(lambda n: n / 100)


@st.composite
def annotations(draw, size: tuple[int, int]) -> list:
    """Annotations of one item."""
    made: list = []
    for _ in range(draw(st.integers(0, 4))):
        label = draw(st.integers(0, len(LABELS) - 1))
        kind = draw(st.sampled_from(["label", "bbox", "mask", "points", "caption"]))
        if kind == "label":
            made.append(Label(label, attributes={"score": draw(st.sampled_from([0.0, 0.5, 1.0]))}))
        elif kind == "bbox":
            left, top = draw(st.floats(0, size[1] - 1)), draw(st.floats(0, size[0] - 1))
            attributes = {
                name: draw(st.booleans())
                for name in draw(st.sets(st.sampled_from(["occluded", "is_group_of", "is_inside"])))
            }
            made.append(Bbox(left, top, 0.5, 0.75, label=label, attributes=attributes))
        elif kind == "mask":
            image = np.zeros(size, bool)
            image[: draw(st.integers(1, size[0])), : draw(st.integers(1, size[1]))] = True
            made.append(Mask(image, label=label))
        elif kind == "points":
            place = [draw(st.floats(0, size[1])), draw(st.floats(0, size[0]))]
            made.append(Points(place, label=label))
        else:
            made.append(Caption(draw(texts) or "c"))
    return made


@st.composite
def made_in_python(draw) -> Dataset:
    """A dataset that no file had before."""
    items = []
    for subset in draw(st.lists(st.sampled_from(SUBSETS), min_size=1, max_size=2, unique=True)):
        for name in draw(st.lists(ids, min_size=1, max_size=3, unique_by=str.casefold)):
            size = (draw(st.integers(1, 40)), draw(st.integers(1, 40)))
            media = _media(size)
            found = draw(annotations(size))
            items.append(DatasetItem(name, subset=subset, media=media, annotations=found))
    return Dataset.from_iterable(items, categories=LABELS, media_type=Image)


def _media(size: tuple[int, int]) -> Image:
    data = np.full((*size, 3), 90, np.uint8)
    return Image.from_numpy(data=data) if hasattr(Image, "from_numpy") else Image(data=data)


def _described(annotation) -> tuple:
    """What must come back, with numbers that are nearly so left out."""
    if annotation.type is AnnotationType.caption:
        return ("caption", annotation.caption)
    told = (annotation.type.name, annotation.label)
    if annotation.type is AnnotationType.mask:
        return (*told, annotation.image.astype(bool).tobytes())
    if annotation.type is AnnotationType.label:
        return (*told, annotation.attributes.get("score"))
    if annotation.type is AnnotationType.bbox:
        known = {name: value for name, value in annotation.attributes.items() if name != "score"}
        return (*told, tuple(sorted(known.items())), tuple(round(v) for v in _near(annotation)))
    return (*told, tuple(round(v) for v in _near(annotation)))


def _near(annotation) -> list[float]:
    # Hundredths are what Datumaro keeps; halves are moved so that these do not decide.
    return [round(float(value), 2) + 0.26 for value in annotation.points]


@pytest.mark.parametrize("names", NAMES)
@RUNS
@given(dataset=made_in_python(), zipped=st.booleans())
def test_datasets_made_in_python(names, dataset, zipped):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        out = save(dataset, root / "out", names=names, zip=zipped)
        back = read(out / "out.zip" if zipped else out)
        for subset in dataset.subsets():
            for item in dataset.get_subset(subset):
                found = back.get(item.id, subset)
                assert found.media.size == item.media.size
                expected = sorted(map(_described, item.annotations), key=repr)
                assert sorted(map(_described, found.annotations), key=repr) == expected
        assert len(back) == len(dataset)
        again = save(back, root / "again", names=names)
        assert_same(read(again), back)
