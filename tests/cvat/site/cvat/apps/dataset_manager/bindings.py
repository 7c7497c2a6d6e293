"""Stand-in of what CVAT has between its tables and Datumaro.

A task is its labels (CVAT's raw JSON), its frames, and what is annotated, as plain records; the
values of attributes are texts, as in CVAT's tables. Written from the contract, not from the code.
"""

from __future__ import annotations

import os
import random
from collections import Counter, namedtuple
from contextlib import contextmanager
from types import SimpleNamespace

import cv2
import numpy as np
from datumaro.components import annotation as annotations
from datumaro.components.annotation import (
    AnnotationType,
    Bbox,
    Label,
    LabelCategories,
    Mask,
    Points,
    Polygon,
    PolyLine,
)
from datumaro.components.environment import Environment

from datumaro_openimages_plugin._host import DatasetBase, DatasetItem, Image, image_from_bytes

#: Attributes that are never created; newer releases have ``source`` and ``score`` here, too.
CVAT_INTERNAL_ATTRIBUTES = {"occluded", "outside", "keyframe", "track_id", "rotation"}

#: Newer releases have a score of their own for shapes, and take it from an attribute of this name
#: before they read the others; and what they export is a stream, which is read once.
NEWER = False

#: What an attribute may say of where a shape is from.
SOURCES = {"auto", "semi-auto", "manual", "file"}

Frame = namedtuple("Frame", "path height width subset", defaults=("default",))


class Skeleton:
    """CVAT's fork has it, the published Datumaros do not."""

    type = SimpleNamespace(name="skeleton")

    def __init__(self, elements, *, label, attributes, group, z_order):
        self.elements = elements
        self.label, self.attributes = label, attributes
        self.id, self.group, self.z_order = 0, group, z_order


class CvatImportError(Exception):
    pass


class CvatDatasetNotFoundError(CvatImportError):
    pass


class TaskData:
    """A task, or with ``soft_attribute_import`` a project's task."""

    META_FIELD = "task"
    Attribute = namedtuple("Attribute", "name value")
    LabeledShape = namedtuple(
        "LabeledShape",
        "type frame label points occluded attributes source rotation group z_order score",
        defaults=("manual", 0, 0, 0, 1),
    )
    Tag = namedtuple("Tag", "frame label attributes source group", defaults=("manual", 0))

    def __init__(self, labels, frames, records=()):
        self.labels = [dict(label) for label in labels]
        self.frames = [Frame(*frame) for frame in frames]
        self.records = list(records)
        self.soft_attribute_import = False

    @property
    def meta(self):
        labels = [
            ("label", {**label, "attributes": [("attribute", a) for a in label["attributes"]]})
            for label in self.labels
        ]
        return {self.META_FIELD: {"mode": "annotation", "labels": labels}}

    @property
    def frame_info(self):
        return {
            number: {"path": frame.path, "height": frame.height, "width": frame.width}
            for number, frame in enumerate(self.frames)
        }

    def abs_frame_id(self, relative):
        return relative

    def _frame_mapping(self):
        return {os.path.splitext(f.path)[0]: number for number, f in enumerate(self.frames)}

    def match_frame(self, path, root_hint=None, *, path_has_ext=True):
        if path_has_ext:
            path = os.path.splitext(path)[0]
        found = self._frame_mapping().get(path)
        if not found and root_hint and not path.startswith(root_hint):
            found = self._frame_mapping().get(os.path.join(root_hint, path))
        return found

    def match_frame_fuzzy(self, path, *, path_has_ext=True):
        if path_has_ext:
            path = os.path.splitext(path)[0]
        parts = path.split("/")
        for name, number in self._frame_mapping().items():
            if name.split("/")[-len(parts) :] == parts:
                return number
        return None

    # Import

    def _label(self, name):
        for label in self.labels:
            if label["name"] == name:
                return label
        raise ValueError(f"Label {name!r} is not registered for this task")

    def _attributes(self, label, attributes):
        known = {a["name"]: a for a in label["attributes"]}
        landed = {}
        for name, value in attributes:
            if name not in known:
                if not self.soft_attribute_import or name in CVAT_INTERNAL_ATTRIBUTES:
                    continue
                kind = "checkbox" if value.lower() in ("true", "false") else "text"
                known[name] = attribute(name, kind, default="")
                label["attributes"].append(known[name])
            spec = known[name]
            if spec["input_type"] == "checkbox" and value != spec["default_value"]:
                value = value.lower()
                if value not in ("true", "false"):
                    raise ValueError(f"Failed to convert attribute {name!r}={value!r}")
            landed[name] = stored_text(value)
        return landed

    def add_tag(self, tag):
        label = self._label(tag.label)
        attributes = self._attributes(label, tag.attributes)
        self.records.append(record("tag", tag.label, tag.frame, attributes, group=tag.group))

    def add_shape(self, shape):
        label = self._label(shape.label)
        attributes = self._attributes(label, shape.attributes)
        if shape.type != "mask":
            # In place: some releases do so, and take nothing but lists.
            shape.points[:] = [float(value) for value in shape.points]
        if not 0 <= float(shape.rotation) <= 360 or not 0 <= float(shape.score) <= 1:
            raise ValueError("A field is out of its range")
        self.records.append(
            record(
                shape.type,
                shape.label,
                shape.frame,
                attributes,
                points=shape.points,
                occluded=shape.occluded,
                rotation=shape.rotation,
                group=shape.group,
                z_order=shape.z_order,
            )
        )


def stored_text(value):
    """A value as the tables keep it: checked, and without white space around it."""
    value.encode()
    if len(value) > 4096 or "\0" in value:
        raise ValueError("An attribute's value is too long, or has a null character")
    return value.strip()


class ProjectData:
    """A project that a dataset is imported into: every subset with pictures becomes a task."""

    META_FIELD = "project"

    def __init__(self, labels=()):
        self.labels = [dict(label) for label in labels]
        self.tasks = {}
        self.soft_attribute_import = True
        self.frame_info = {}

    meta = property(lambda self: TaskData.meta.fget(self))

    def load(self, dataset, project):
        """What CVAT gives to formats as ``load_data_callback``."""
        assert project is self
        names = [label.name for label in dataset.categories()[AnnotationType.label]]
        if not self.labels:
            self.labels += [{"name": n, "type": "any", "attributes": []} for n in names]
        lacking = set(names) - {label["name"] for label in self.labels}
        if lacking:
            raise CvatImportError(f"Target project does not have label with name {lacking}")
        for name, subset in dataset.subsets().items():
            pictures = [item for item in subset if item.media is not None and item.media.has_data]
            if not pictures:
                raise ValueError("No media data found")
            root = os.path.commonpath([p.media.path.rsplit(p.id, 1)[0] for p in pictures])
            frames = [
                (os.path.relpath(p.media.path, root), *p.media.size, name)
                for p in sorted(pictures, key=lambda item: item.media.path)
            ]
            task = self.tasks[name] = TaskData([], frames)
            task.labels, task.soft_attribute_import = self.labels, True


def attribute(name, input_type, values=(), default="", mutable=False):
    """An attribute as in CVAT's raw label JSON."""
    return {
        "name": name,
        "input_type": input_type,
        "mutable": mutable,
        "values": list(values),
        "default_value": default,
    }


def record(
    type,
    label,
    frame=0,
    attributes=None,
    *,
    points=(),
    occluded=False,
    rotation=0.0,
    group=0,
    z_order=0,
    track=None,
):
    """A tag or shape as CVAT keeps it; a mask's ``points`` are (image, left, top)."""
    return {
        "type": type,
        "label": label,
        "frame": frame,
        "attributes": dict(attributes or {}),
        "points": points,
        "occluded": occluded,
        "rotation": rotation,
        "group": group,
        "z_order": z_order,
        "track": track,
    }


# Export


@contextmanager
def GetCVATDataExtractor(instance_data, include_images=False, **_):  # noqa: N802 (CVAT's name)
    yield CvatTaskOrJobDataExtractor(instance_data, include_images)


class CvatTaskOrJobDataExtractor(DatasetBase):
    is_stream = True

    def __init__(self, instance, include_images):
        super().__init__(
            media_type=Image, subsets=list(dict.fromkeys(f.subset for f in instance.frames))
        )
        self._instance = instance
        self._include_images = include_images
        self._is_read = False

    def categories(self):
        labels = LabelCategories(attributes=["occluded"])
        for label in self._instance.labels:
            labels.add(label["name"], attributes={a["name"] for a in label["attributes"]})
        return {AnnotationType.label: labels}

    def __iter__(self):
        assert not (NEWER and self._is_read), "a stream is read once"
        self._is_read = True
        by_frame = {}
        for shape in self._instance.records:
            by_frame.setdefault(shape["frame"], []).append(shape)
        for number, frame in enumerate(self._instance.frames):
            shapes = by_frame.get(number, [])
            random.Random(number).shuffle(shapes)  # their order is undefined
            made = [self._annotation(shape, frame) for shape in shapes]
            yield DatasetItem(
                os.path.splitext(frame.path)[0],
                subset=frame.subset,
                media=self._media(frame),
                annotations=[annotation for annotation in made if annotation is not None],
                attributes={"frame": number},
            )

    def _media(self, frame):
        size = (frame.height, frame.width)
        if self._include_images:
            pixels = np.full((*size, 3), len(frame.path), np.uint8)
            ext = os.path.splitext(frame.path)[1]
            data = cv2.imencode(ext, pixels)[1].tobytes()
            return image_from_bytes(data, frame.path, size)
        from datumaro_openimages_plugin._host import image_from_file

        return image_from_file(frame.path, size)

    def _attributes(self, shape):
        found = {}
        for spec in self._instance._label(shape["label"])["attributes"]:
            value = shape["attributes"].get(spec["name"], spec["default_value"])
            if spec["input_type"] == "number":
                value = float(value)
            elif spec["input_type"] == "checkbox":
                value = value.lower() == "true"
            found[spec["name"]] = value
        if shape["type"] != "tag":
            found["occluded"] = shape["occluded"]
        if shape["type"] == "rectangle":
            found["rotation"] = shape["rotation"]
        if shape["track"] is not None:
            found["track_id"], found["keyframe"] = shape["track"], True
        return found

    def _annotation(self, shape, frame):
        names = [label["name"] for label in self._instance.labels]
        common = {
            "label": names.index(shape["label"]),
            "attributes": self._attributes(shape),
            "group": shape["group"],
        }
        kind, points = shape["type"], shape["points"]
        if kind == "tag":
            return Label(**common)
        common["z_order"] = shape["z_order"]
        if kind == "rectangle":
            x1, y1, x2, y2 = points
            return Bbox(x1, y1, x2 - x1, y2 - y1, **common)
        if kind == "polygon":
            return Polygon(points, **common)
        if kind == "polyline":
            return PolyLine(points, **common)
        if kind == "points":
            return Points(points, **common)
        if kind == "skeleton":
            return Skeleton([Points(points, label=common["label"])], **common)
        if kind == "ellipse":
            return self._ellipse(points, shape["rotation"], frame, common)
        assert kind == "mask", kind
        image, left, top = points
        full = np.zeros((frame.height, frame.width), bool)
        full[top : top + image.shape[0], left : left + image.shape[1]] = image
        return Mask(full, **common)

    @staticmethod
    def _ellipse(points, rotation, frame, common):
        common["attributes"]["rotation"] = rotation
        # Kept as the centre, the right end and the top.
        x, y, right, top = points
        corners = [2 * x - right, top, right, 2 * y - top]
        if hasattr(annotations, "Ellipse"):
            return annotations.Ellipse(*corners, **common)
        # Where Datumaro has no ellipses, CVAT gives masks.
        from .formats.transformations import EllipsesToMasks

        made = SimpleNamespace(points=corners, **common)
        return EllipsesToMasks._mask(made, (frame.height, frame.width))


# Import


def find_dataset_root(dataset, instance_data):
    longest = max((item.id for item in dataset), key=lambda name: name.count("/"), default=None)
    if longest is None:
        return None
    found = instance_data.match_frame_fuzzy(longest, path_has_ext=False)
    if found is None:
        return None
    folder = os.path.dirname(instance_data.frame_info[found]["path"])
    return folder[: len(folder) - len(os.path.dirname(longest))].rstrip("/")


def match_dm_item(item, instance_data, root_hint=None):
    number = None
    if item.media is not None and getattr(item.media, "path", ""):
        ext = os.path.splitext(item.media.path)[1]
        number = instance_data.match_frame(item.id + ext, root_hint)
    if number is None:
        number = instance_data.match_frame(item.id, root_hint, path_has_ext=False)
    if number is None:
        try:
            number = int(item.attributes.get("frame", item.id))
        except ValueError:
            number = None
    if number not in instance_data.frame_info:
        raise CvatImportError(f"Could not match item id: {item.id!r} with any task frame")
    return number


_SHAPES = {
    AnnotationType.bbox: "rectangle",
    AnnotationType.polygon: "polygon",
    AnnotationType.polyline: "polyline",
    AnnotationType.points: "points",
    AnnotationType.mask: "mask",
}


def import_dm_annotations(dm_dataset, instance_data):
    if len(dm_dataset) == 0:
        return
    if isinstance(instance_data, ProjectData):
        for name, task in instance_data.tasks.items():
            import_dm_annotations(dm_dataset.subsets()[name].as_dataset(), task)
        return
    labels = dm_dataset.categories()[AnnotationType.label]
    root_hint = find_dataset_root(dm_dataset, instance_data)
    for item in dm_dataset:
        number = instance_data.abs_frame_id(match_dm_item(item, instance_data, root_hint))
        shapes = [a for a in item.annotations if a.type in _SHAPES]
        counts = Counter(a.group for a in shapes if a.group)
        # Groups of one are no groups.
        groups = {
            group: n + 1 for n, group in enumerate(sorted(g for g in counts if counts[g] > 1))
        }
        for index, annotation in enumerate(item.annotations):
            try:
                _import(annotation, number, labels, groups, instance_data)
            except Exception as error:
                raise CvatImportError(
                    f"Image {item.id}: can't import annotation #{index} "
                    f"({annotation.type.name}): {error}"
                ) from error


def _import(annotation, number, labels, groups, instance):
    own_score = annotation.attributes.pop("score", None) if NEWER else None
    attributes = [instance.Attribute(n, str(v)) for n, v in annotation.attributes.items()]
    common = {
        "frame": number,
        "group": groups.get(annotation.group, 0),
        "attributes": attributes,
    }
    if annotation.type is AnnotationType.label:
        instance.add_tag(instance.Tag(label=labels[annotation.label].name, **common))
        return
    if annotation.type not in _SHAPES:
        return
    if annotation.type is AnnotationType.mask:
        image = np.asarray(annotation.image) == 1
        rows, columns = np.nonzero(image)
        top, left = int(rows.min()), int(columns.min())
        points = (image[top : rows.max() + 1, left : columns.max() + 1], left, top)
    else:
        points = annotation.points
    occluded = str(annotation.attributes.pop("occluded", None)).lower() in ("true", "1")
    is_source = annotation.attributes.get("source", "").lower() in SOURCES
    instance.add_shape(
        instance.LabeledShape(
            type=_SHAPES[annotation.type],
            label=labels[annotation.label].name,
            points=points,
            occluded=occluded,
            rotation=annotation.attributes.pop("rotation", 0.0),
            source=annotation.attributes.pop("source").lower() if is_source else "manual",
            score=1 if own_score is None else own_score,
            z_order=annotation.z_order,
            **common,
        )
    )


def detect_dataset(dataset_dir, format_name, importer):
    """Detection by one importer alone, in an environment of its own."""
    environment = Environment()
    registry = environment.importers
    items = registry.items if isinstance(registry.items, dict) else registry._items
    items.clear()
    getattr(registry, "extension_groups", {}).clear()
    registry.register(format_name, importer)
    reasons = []
    found = environment.detect_dataset(
        dataset_dir, depth=4, rejection_callback=lambda *reason: reasons.append(reason)
    )
    if not found:
        raise CvatDatasetNotFoundError(f"{format_name}: {reasons}")
