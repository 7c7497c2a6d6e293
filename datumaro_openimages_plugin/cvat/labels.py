"""Labels of a task that a dataset fits into: made from the dataset, or checked against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from datumaro_openimages_plugin.classes.classes import unique_display_names
from datumaro_openimages_plugin.cvat.specs import AttributeSpec, LabelSpec

__all__ = [
    "ATTRIBUTES",
    "ROWS",
    "SHAPES",
    "Problem",
    "Usage",
    "check_labels",
    "label_specs",
    "task_label",
    "usage_of",
]

_FLAGS = ("occluded", "truncated", "is_group_of", "is_depiction", "is_inside")

# What a score is when none is given is 1, in this format too. A predicted IoU may be missing, and
# CVAT cannot export a number attribute without a number: it is a text.
_SCORE = AttributeSpec("score", "number", ("0", "1", "0.01"), "1")
_RECTANGLE = (_SCORE, *(AttributeSpec(name, "checkbox", ("false",), "false") for name in _FLAGS))
_MASK = (AttributeSpec("box_id", "text"), AttributeSpec("predicted_iou", "text"))

#: Kind of annotation in CVAT -> the attributes that its labels need, by name.
ATTRIBUTES: Mapping[str, Mapping[str, AttributeSpec]] = {
    "tag": {"score": _SCORE},
    "rectangle": {spec.name: spec for spec in _RECTANGLE},
    "mask": {spec.name: spec for spec in _MASK},
}

#: Attribute -> the input types that take its values.
_FITTING = {
    **dict.fromkeys(("score", "predicted_iou"), ("number", "text")),
    **dict.fromkeys(_FLAGS, ("checkbox",)),
    "box_id": ("text",),
}

#: Kinds of rows that become annotations of a task; see `kinds.KINDS`.
ROWS = ("boxes", "labels", "machine_labels", "masks")

#: Type of Datumaro -> kind of annotation in CVAT.
SHAPES = {"label": "tag", "bbox": "rectangle", "mask": "mask"}
_WORDS = {"tag": "tags", "rectangle": "rectangles", "mask": "masks"}
_DRAWABLE = {"any": tuple(_WORDS), "polygon": ("mask",), "mask": ("mask",), "tag": ("tag",)}


@dataclass
class Usage:
    """What a dataset's annotations use.

    Attributes:
        names: LabelName of every class, in order.
        shown: LabelName -> a readable name that no other class has.
        counts: (LabelName, kind) -> how many annotations there are.
        values: (LabelName, kind, attribute) -> how many values an import would bring; scores of 1
            are not counted, since 1 is what no score means.
        absent: LabelName -> how many tags say that a class is not in the image.
    """

    names: tuple[str, ...]
    shown: Mapping[str, str]
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    values: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)

    @property
    def used(self) -> list[str]:
        """The LabelNames that some annotation has, in order."""
        found = {name for name, _ in self.counts}
        return [name for name in self.names if name in found]

    def kinds(self, name: str) -> list[str]:
        """The kinds of annotations that a class has."""
        return [kind for kind in ATTRIBUTES if (name, kind) in self.counts]


def usage_of(path: str) -> Usage:
    """Counts a dataset's annotations by class, kind and attribute; no picture is read.

    Raises:
        FormatError: Something of the dataset cannot be read.
    """
    from datumaro_openimages_plugin.plugin import OpenImagesExtractor

    dataset = OpenImagesExtractor(path, kinds=ROWS)
    (categories,) = dataset.categories().values()
    names = tuple(category.name for category in categories)
    usage = Usage(names, unique_display_names(dataset.reader().classes))
    for item in dataset:
        for annotation in item.annotations:
            kind = SHAPES.get(annotation.type.name)
            if kind is not None:
                _count(usage, names[annotation.label], kind, annotation.attributes)
    return usage


def _count(usage: Usage, name: str, kind: str, attributes: Mapping[str, Any]) -> None:
    usage.counts[name, kind] += 1
    for attribute, value in attributes.items():
        if attribute in ATTRIBUTES[kind] and (attribute != "score" or value != 1):
            usage.values[name, kind, attribute] += 1
    if kind == "tag" and attributes.get("score") == 0:
        usage.absent[name] += 1


def label_specs(usage: Usage, *, display: bool = False, every: bool = False) -> list[LabelSpec]:
    """The labels that a task needs to take a dataset.

    Args:
        usage: What the dataset uses.
        display: Whether labels are named by DisplayName rather than by LabelName; an import
            understands both.
        every: Whether classes without annotations are labels too.
    """
    specs = []
    for name in usage.names if every else usage.used:
        kinds = usage.kinds(name) or list(ATTRIBUTES)
        # Masks may be imported as polygons, so that no narrower type holds them.
        type_ = kinds[0] if len(kinds) == 1 and kinds != ["mask"] else "any"
        attributes = {a: spec for kind in kinds for a, spec in ATTRIBUTES[kind].items()}
        label = usage.shown.get(name, name) if display else name
        specs.append(LabelSpec(label, type_, attributes))
    return specs


@dataclass(frozen=True)
class Problem:
    """What does not fit, and what an import would do.

    Attributes:
        label: The label's name in the task, or the LabelName where the task lacks it.
        attribute: The attribute concerned, None for the label itself.
        message: What is wrong and what would be lost.
    """

    label: str
    attribute: str | None
    message: str

    def __str__(self) -> str:
        where = f"label {self.label!r}"
        if self.attribute is not None:
            where += f", attribute {self.attribute!r}"
        return f"{where}: {self.message}"


def task_label(name: str, shown: Mapping[str, str], specs: Mapping[str, Any]) -> str | None:
    """The task's label for a class: of its LabelName, else of its readable name; None for none."""
    if name in specs:
        return name
    readable = shown.get(name, name)
    # A label that is the LabelName of another class means that class.
    return readable if readable in specs and readable not in shown else None


def check_labels(usage: Usage, specs: Mapping[str, LabelSpec]) -> list[Problem]:
    """What of a dataset a task with these labels would refuse or lose.

    Args:
        usage: What the dataset uses.
        specs: The task's labels by name.
    """
    problems: list[Problem] = []
    for name in usage.used:
        label = task_label(name, usage.shown, specs)
        if label is None:
            readable = usage.shown.get(name, name)
            known = "" if readable == name else f" ({readable})"
            counts = _listed((usage.counts[name, kind], _WORDS[kind]) for kind in usage.kinds(name))
            message = f"is missing{known}; CVAT would refuse the whole import for its {counts}"
            problems.append(Problem(name, None, message))
            continue
        for kind in usage.kinds(name):
            problems += _check_kind(usage, name, kind, specs[label])
    return problems


def _check_kind(usage: Usage, name: str, kind: str, spec: LabelSpec) -> Iterator[Problem]:
    count, word = usage.counts[name, kind], _WORDS[kind]
    if kind not in _DRAWABLE.get(spec.type, (spec.type,)):
        message = f"is of type {spec.type!r}, which holds no {word}; {count} would not belong to it"
        yield Problem(spec.name, None, message)
    for attribute in ATTRIBUTES[kind]:
        values = usage.values[name, kind, attribute]
        known = spec.attributes.get(attribute)
        if known is None and values:
            message = f"is missing; {_listed([(values, 'values')])} of its {word} would be lost"
            if attribute == "score" and usage.absent[name] and kind == "tag":
                message += f", and {usage.absent[name]} tags of absent classes left out"
            yield Problem(spec.name, attribute, message)
        elif known is not None and known.input_type not in _FITTING[attribute]:
            wanted = " or ".join(_FITTING[attribute])
            message = f"is a {known.input_type}, not a {wanted}; {_effect(known, count, word)}"
            yield Problem(spec.name, attribute, message)


def _effect(known: AttributeSpec, count: int, word: str) -> str:
    if known.input_type == "checkbox":
        return f"CVAT would refuse the whole import for its {count} {word}"
    return f"the values of its {count} {word} would be none that CVAT offers there"


def _listed(counts: Any) -> str:
    return ", ".join(f"{count} {word}" for count, word in counts)
