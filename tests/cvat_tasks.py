"""Running exports and imports as CVAT's server does, against the stand-in."""

from __future__ import annotations

import zipfile
from collections import Counter

import numpy as np
from datumaro.components.errors import DatasetError, DatasetImportError

from datumaro_openimages_plugin.cvat import labels, specs

STOCK = "Open Images V6 1.0"
OURS = "Open Images V7 1.0"
FLAGS = ("occluded", "truncated", "is_group_of", "is_depiction", "is_inside")
HEIGHT, WIDTH = 30, 44


def full_label(b, name, *more):
    """A label with everything that the format has, and more attributes."""
    made = labels.ATTRIBUTES
    spec = specs.LabelSpec(name, "any", {**made["tag"], **made["rectangle"], **made["mask"]})
    (record,) = specs.specs_to_json([spec])
    return {**record, "attributes": [*record["attributes"], *more]}


def run_export(cvat, task, tmp_path, name=STOCK, **options):
    folder = tmp_path / "export"
    folder.mkdir()
    target = tmp_path / "out.zip"
    cvat.registry.make_exporter(name)(str(target), str(folder), task, **options)
    return target


def run_import(cvat, task, archive, tmp_path, name=STOCK, **options):
    folder = tmp_path / f"import{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    options.setdefault("conv_mask_to_poly", False)
    with open(archive, "rb") as file:
        cvat.registry.make_importer(name)(file, str(folder), task, **options)
    return task


def packed(files: dict[str, str], path, top=""):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(top + name, text)
    return path


def answer(cvat, task, archive, tmp_path, **options):
    """(status, message) of an import, as CVAT's server gives them."""
    try:
        run_import(cvat, task, archive, tmp_path, OURS, **options)
    except (DatasetError, DatasetImportError, cvat.bindings.CvatImportError) as error:
        return 400, str(error)
    except Exception as error:
        return 500, repr(error)
    return 200, ""


def there_and_back(cvat, task, tmp_path, **options):
    """The records of an empty task of the same labels and frames after export and import."""
    archive = run_export(cvat, task, tmp_path, OURS)
    empty = cvat.bindings.TaskData(task.labels, task.frames)
    return run_import(cvat, empty, archive, tmp_path, OURS, **options).records


def texts(task, record):
    """A record's attributes as its task has them, numbers as numbers, defaults filled in."""
    found = {}
    for spec in task._label(record["label"])["attributes"]:
        text = record["attributes"].get(spec["name"], spec["default_value"])
        kind = spec["input_type"]
        found[spec["name"]] = (
            float(text) if kind == "number" else text.lower() if kind == "checkbox" else text
        )
    return found


def pixels(record):
    image, left, top = record["points"]
    full = np.zeros((HEIGHT, WIDTH), bool)
    full[top : top + image.shape[0], left : left + image.shape[1]] = image
    return full


def comparable(task, record):
    """What must be equal of a record, groups aside."""
    attributes = texts(task, record)
    if record["type"] == "mask":
        where = pixels(record).tobytes()
    else:
        where = tuple(round(float(value), 1) for value in record["points"])
    occluded = record["occluded"]
    if "occluded" in attributes and record["type"] != "tag":
        attributes["occluded"] = str(occluded).lower()  # the switch overwrites it
    return (
        record["type"],
        record["label"],
        task.frames[record["frame"]].path,
        where,
        tuple(sorted(attributes.items(), key=str)),
        occluded,
        record["z_order"],
    )


def groups(task, records):
    """The groups of shapes, each as the set of its members."""
    found = {}
    for record in records:
        if record["group"] and record["type"] != "tag":
            key = record["frame"], record["group"]
            found.setdefault(key, []).append(comparable(task, record))
    return sorted(sorted(members, key=str) for members in found.values() if len(members) > 1)


def assert_same(task, found):
    """Holds records to be those of a task, up to order and numbering of groups."""
    expected = Counter(comparable(task, record) for record in task.records)
    assert Counter(comparable(task, record) for record in found) == expected
    assert groups(task, found) == groups(task, task.records)
