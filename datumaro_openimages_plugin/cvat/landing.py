"""From a dataset to a task: each image to its frame, each class to its label, each value to a type.

CVAT turns every value into text. A checkbox takes only true and false and refuses the whole import
for anything else; numbers are not checked, and a text there breaks every later export; attributes
that a label lacks are dropped, or in projects created. So values are made to fit here, and what
cannot fit is told in one message.
"""

from __future__ import annotations

import math
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
from datumaro_openimages_plugin.cvat.specs import AttributeSpec, LabelSpec
from datumaro_openimages_plugin.errors import MissingFileError
from datumaro_openimages_plugin.kinds._extra_column import kept_attributes

__all__ = ["NEGATIVES", "Landing", "TaskSpec", "fitted"]

#: What becomes of labels that say that a class is not in an image: ``scored`` takes them as tags
#: where the label has a ``score`` that tells them from others, ``keep`` always, ``drop`` never.
NEGATIVES = ("scored", "keep", "drop")


@dataclass
class TaskSpec:
    """What a dataset is to fit.

    Attributes:
        labels: The labels by name.
        frames: (height, width) in pixels of each frame, by its name as an image id has it; None
            where frames are made of the dataset's images.
        makes_labels: Whether labels are made of the dataset's classes, as in an empty project.
        makes_attributes: Whether attributes that a label lacks are created, as in projects.
        negatives: One of `NEGATIVES`.
        misfits: Gathers what does not fit.
    """

    labels: Mapping[str, LabelSpec]
    frames: Mapping[str, tuple[int, int]] | None
    makes_labels: bool = False
    makes_attributes: bool = False
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
        """The item as it lands; None for images that are not in the task and have nothing."""
        task = self._task
        taken = [annotation for annotation in item.annotations if self._is_taken(annotation)]
        if task.frames is not None and item.id not in task.frames:
            if taken:
                task.misfits.images[item.id] = None
            else:
                task.misfits.left_out["images without annotations that are no frames"] += 1
            return None
        landed = [self._landed(annotation) for annotation in taken]
        return item.wrap(
            annotations=[annotation for annotation in landed if annotation is not None],
            attributes={},
        )

    def _is_taken(self, annotation: Any) -> bool:
        if annotation.type is not AnnotationType.label or not _says_absent(annotation):
            return True
        spec = self._spec(annotation)
        has_score = spec is not None and "score" in spec.attributes
        scored = has_score or self._task.makes_attributes
        return self._task.negatives == "keep" or (self._task.negatives == "scored" and scored)

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
            created = frozenset(names) | kept_attributes(annotation)
        found = {}
        for name, value in annotation.attributes.items():
            if value is None or (name not in known and name not in created and name != "occluded"):
                self._task.misfits.left_out[f"values of {name!r}, which a label lacks"] += (
                    value is not None and not (name == "score" and value == 1)
                )
                continue
            if name in known:
                value = self._fitted(name, value, known[name], spec)
            if value is not None:
                # A whole number is written as it was typed.
                is_whole = isinstance(value, float) and value == int(value)
                found[name] = int(value) if is_whole else value
        return found

    def _fitted(
        self, name: str, value: Any, attribute: AttributeSpec, spec: LabelSpec | None
    ) -> Any:
        try:
            return fitted(value, attribute)
        except ValueError:
            if name == "occluded" and isinstance(value, bool):
                # CVAT's switch, for which CVAT has no other place than an attribute of this name.
                what = "states of the switch occluded, whose attribute is no checkbox"
                self._task.misfits.left_out[what] += value
            # 1 is what no score means.
            elif not (name == "score" and value == 1) and spec is not None:
                key = spec.name, name, attribute.input_type
                self._task.misfits.values.setdefault(key, repr(value))
            return None


def _says_absent(annotation: Any) -> bool:
    """Whether a label says that its class is not in the image; scores may be kept as texts."""
    try:
        return float(annotation.attributes.get("score", 1)) == 0
    except (TypeError, ValueError):
        return False


def _readable_names(extractor: Any) -> Mapping[str, str]:
    """LabelName -> a readable name, from what the first item was read from."""
    for item in extractor:
        return unique_display_names(item.origin.dataset.classes)
    return {}


def fitted(value: Any, attribute: AttributeSpec) -> Any:
    """A value as an attribute of CVAT takes it once it is text; None for no value.

    Raises:
        ValueError: The attribute does not take it.
    """
    kind = attribute.input_type
    if kind == "checkbox":
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if isinstance(value, bool):
            return value
    elif kind == "number":
        if value == "":
            return None
        number = int(value) if isinstance(value, bool) else float(value)
        if math.isfinite(number):
            return number
    elif kind == "text" or not attribute.values:
        return value
    else:
        texts = [str(value), str(value).lower()]
        if isinstance(value, float) and value == int(value):
            texts.append(str(int(value)))
        for text in texts:
            if text in attribute.values:
                return text
    raise ValueError(f"{value!r} is no {kind}")
