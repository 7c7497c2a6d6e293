"""From a dataset to a task: each image to its frame, each class to its label, each value to a type.

CVAT drops attributes that a label lacks, or in projects creates them, and refuses a whole import
for one value that does not fit. So values are made to fit here, and what cannot fit is told in one
message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datumaro_openimages_plugin._host import (
    AnnotationType,
    DatasetItem,
    ItemTransform,
    LabelCategories,
)
from datumaro_openimages_plugin.classes.classes import unique_display_names
from datumaro_openimages_plugin.cvat.labels import ATTRIBUTES, SHAPES, task_label
from datumaro_openimages_plugin.cvat.misfits import Misfits
from datumaro_openimages_plugin.cvat.server import Frame
from datumaro_openimages_plugin.cvat.specs import AttributeSpec, LabelSpec
from datumaro_openimages_plugin.cvat.values import fitted, is_storable
from datumaro_openimages_plugin.errors import MissingFileError
from datumaro_openimages_plugin.kinds._extra_column import kept_attributes

__all__ = ["NEGATIVES", "Landing", "TaskSpec"]

#: What becomes of labels that say that a class is not in an image: ``scored`` takes them as tags
#: where the label has a ``score`` that tells them from others, ``keep`` always, ``drop`` never.
NEGATIVES = ("scored", "keep", "drop")


#: How many characters CVAT's tables have for the name of an attribute.
_LONGEST_NAME = 64


@dataclass
class TaskSpec:
    """What a dataset is to fit.

    Attributes:
        labels: The labels by name.
        frames: The frames by the id that their image has; None where frames are made of the
            dataset's images.
        makes_labels: Whether labels are made of the dataset's classes, as in an empty project.
        makes_attributes: Whether attributes that a label lacks are created, as in projects.
        never_made: Attributes that are not created even then.
        negatives: One of `NEGATIVES`.
        misfits: Gathers what does not fit.
    """

    labels: Mapping[str, LabelSpec]
    frames: Mapping[str, Frame] | None
    makes_labels: bool = False
    makes_attributes: bool = False
    never_made: frozenset[str] = frozenset()
    negatives: str = "scored"
    misfits: Misfits = field(default_factory=Misfits)


class Landing(ItemTransform):  # type: ignore[misc]
    """Makes a dataset of ours fit a task.

    Args:
        extractor: The dataset, read with ``keep_attributes``, no kinds but `labels.ROWS`.
        task: What to fit; its misfits are gathered while items are made.
    """

    def __init__(self, extractor: Any, task: TaskSpec) -> None:
        super().__init__(extractor)
        self._task = task
        names = [category.name for category in extractor.categories()[AnnotationType.label]]
        self._names = names
        self._shown = _readable_names(extractor)
        self._labels = [
            name if task.makes_labels else task_label(name, self._shown, task.labels)
            for name in names
        ]
        #: Class -> index of its label among the categories.
        self._index: dict[int, int] = {}
        # The categories of a project become its labels, or must be: only what is used counts.
        used = set(range(len(names))) if task.frames is not None else self._used(extractor)
        self._categories = {AnnotationType.label: self._label_categories(used)}

    def _used(self, extractor: Any) -> set[int]:
        return {
            annotation.label
            for item in extractor
            for annotation in item.annotations
            if self._is_taken(annotation)
        }

    def _label_categories(self, used: set[int]) -> LabelCategories:
        categories = LabelCategories()
        for number in sorted(used):
            label = self._labels[number]
            if label is not None and categories.find(label)[0] is None:
                self._index[number] = categories.add(label)
        return categories

    def categories(self) -> dict[AnnotationType, LabelCategories]:
        """The task's labels that the dataset has."""
        return self._categories

    def transform_item(self, item: DatasetItem) -> DatasetItem | None:
        """The item as it lands; None for images that are or become no frame."""
        taken = [annotation for annotation in item.annotations if self._is_taken(annotation)]
        absent = len(item.annotations) - len(taken)
        self._task.misfits.left_out["labels of classes that are verified absent"] += absent
        frame = self._frame(item, bool(taken))
        if frame is None:
            return None
        landed = [self._landed(annotation) for annotation in taken]
        return item.wrap(
            annotations=[annotation for annotation in landed if annotation is not None], **frame
        )

    def _frame(self, item: DatasetItem, has_annotations: bool) -> dict[str, Any] | None:
        """The fields of an item by which CVAT finds its frame; None where there is none."""
        frames, misfits = self._task.frames, self._task.misfits
        if frames is None:
            # Frames are made of the pictures; for other images CVAT would fail in the end.
            if getattr(item.media, "has_data", False):
                return {"attributes": {}}
            missing, what = misfits.pictures, "images without annotations and picture"
        else:
            frame = frames.get(item.id)
            if frame is not None:
                # The number is asked for where the name is none of a frame.
                return {"id": frame.name, "attributes": {"frame": frame.number}}
            missing, what = misfits.images, "images without annotations that are no frames"
        if has_annotations:
            missing[item.id] = None
        else:
            misfits.left_out[what] += 1
        return None

    def _is_taken(self, annotation: Any) -> bool:
        if annotation.type is not AnnotationType.label or not _says_absent(annotation):
            return True
        spec = self._spec(annotation)
        has_score = spec is not None and "score" in spec.attributes
        task = self._task
        scored = has_score or (task.makes_attributes and "score" not in task.never_made)
        return task.negatives == "keep" or (task.negatives == "scored" and scored)

    def _spec(self, annotation: Any) -> LabelSpec | None:
        name = self._labels[annotation.label]
        return None if name is None else self._task.labels.get(name)

    def _landed(self, annotation: Any) -> Any:
        misfits = self._task.misfits
        label = self._index.get(annotation.label)
        if label is None:
            name = self._names[annotation.label]
            misfits.labels[name] = self._shown.get(name, name)
            return None
        if annotation.type is AnnotationType.mask:
            try:
                if not annotation.image.any():
                    misfits.left_out["masks without a pixel"] += 1
                    return None
            except MissingFileError as error:
                misfits.masks[error.file or ""] = None
                return None
        return annotation.wrap(label=label, attributes=self._attributes(annotation))

    def _attributes(self, annotation: Any) -> dict[str, Any]:
        spec = self._spec(annotation)
        known = {} if spec is None else spec.attributes
        created: frozenset[str] = frozenset()
        if self._task.makes_attributes:
            # Not what merely shows where a label is from.
            names = ATTRIBUTES[SHAPES[annotation.type.name]]
            kept = kept_attributes(annotation)
            storable = {name for name in kept if is_storable(name, _LONGEST_NAME)}
            created = (frozenset(names) | storable) - self._task.never_made
        found = {}
        for name, value in annotation.attributes.items():
            if value is None or (name not in known and name not in created and name != "occluded"):
                self._task.misfits.left_out[f"values of {name!r}, which a label lacks"] += (
                    value is not None and not (name == "score" and value == 1)
                )
                continue
            if name in known or name in created:
                # What CVAT creates are checkboxes for true and false, and else texts.
                attribute = known.get(name) or AttributeSpec(name, "text")
                value = self._fitted(value, attribute, self._labels[annotation.label])
            if value is not None:
                # A whole number is written as it was typed.
                is_whole = isinstance(value, float) and value == int(value)
                found[name] = int(value) if is_whole else value
        return found

    def _fitted(self, value: Any, attribute: AttributeSpec, label: str | None) -> Any:
        name = attribute.name
        try:
            return fitted(value, attribute)
        except ValueError:
            if name == "occluded" and isinstance(value, bool):
                # CVAT's switch, for which CVAT has no other place than an attribute of this name.
                what = "states of the switch occluded, whose attribute is no checkbox"
                self._task.misfits.left_out[what] += value
            # 1 is what no score means.
            elif not (name == "score" and value == 1) and label is not None:
                key = label, name, attribute.input_type
                self._task.misfits.values.setdefault(key, repr(value))
            return None


def _says_absent(annotation: Any) -> bool:
    """Whether a label says that its class is not in the image; scores may be kept as texts."""
    try:
        return float(annotation.attributes.get("score", 1)) == 0
    except (TypeError, ValueError, OverflowError):
        return False


def _readable_names(extractor: Any) -> Mapping[str, str]:
    """LabelName -> a readable name, from what the first item was read from."""
    for item in extractor:
        return unique_display_names(item.origin.dataset.classes)
    return {}
