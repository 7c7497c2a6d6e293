"""Labels as CVAT specifies them: from its raw JSON, its XML and its running tasks, and to JSON.

A label has a type, which says what may be drawn with it, and attributes, each with an input type:
``checkbox``, ``number``, ``text``, ``select`` or ``radio``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from datumaro_openimages_plugin.errors import FormatError

__all__ = [
    "INPUT_TYPES",
    "AttributeSpec",
    "LabelSpec",
    "specs_from_file",
    "specs_from_json",
    "specs_from_records",
    "specs_from_xml",
    "specs_to_json",
]

#: The input types that CVAT has.
INPUT_TYPES = frozenset(("checkbox", "number", "text", "select", "radio"))


@dataclass(frozen=True)
class AttributeSpec:
    """One attribute of a label.

    Attributes:
        name: Its name.
        input_type: One of `INPUT_TYPES`.
        values: What may be chosen; of a number its least and greatest value and its step.
        default_value: What a new annotation has, as text.
        mutable: Whether it changes within a track.
    """

    name: str
    input_type: str
    values: tuple[str, ...] = ()
    default_value: str = ""
    mutable: bool = False


@dataclass(frozen=True)
class LabelSpec:
    """One label.

    Attributes:
        name: Its name.
        type: What may be drawn with it: ``any``, ``tag``, ``rectangle``, ``mask``, …
        attributes: Its attributes by name.
    """

    name: str
    type: str = "any"
    attributes: Mapping[str, AttributeSpec] = field(default_factory=dict)


def specs_from_file(data: bytes, *, file: str) -> dict[str, LabelSpec]:
    """Labels by name, from CVAT's raw JSON or from a "CVAT for images" XML.

    Args:
        data: The whole file.
        file: Its name, for messages.

    Raises:
        FormatError: It is neither, or a label lacks what a label needs.
    """
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return specs_from_xml(data, file=file)
    return specs_from_json(data, file=file)


def specs_from_json(data: bytes, *, file: str) -> dict[str, LabelSpec]:
    """Labels by name, from what CVAT's label editor shows as raw, or from an answer of its API.

    Args:
        data: The whole file: a list of labels, or an object with ``labels`` or ``results``.
        file: Its name, for messages.

    Raises:
        FormatError: It is no such JSON.
    """
    try:
        records = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"is no JSON: {error}", file=file) from None
    if isinstance(records, dict):
        records = records.get("labels", records.get("results"))
    if not isinstance(records, list):
        raise FormatError("is no list of labels; copy CVAT's raw labels into it", file=file)
    return specs_from_records(records, file=file)


def specs_to_json(specs: Iterable[LabelSpec]) -> list[dict[str, Any]]:
    """Labels as CVAT's label editor takes them in its raw view."""
    return [
        {
            "name": spec.name,
            "type": spec.type,
            "attributes": [
                {
                    "name": attribute.name,
                    "input_type": attribute.input_type,
                    "mutable": attribute.mutable,
                    "values": list(attribute.values),
                    "default_value": attribute.default_value,
                }
                for attribute in spec.attributes.values()
            ],
        }
        for spec in specs
    ]


def specs_from_xml(data: bytes, *, file: str) -> dict[str, LabelSpec]:
    """Labels by name, from the ``meta`` part of a "CVAT for images" or "for video" XML.

    Args:
        data: The whole file. Document types and entities are refused: CVAT writes none.
        file: Its name, for messages.

    Raises:
        FormatError: It is no such XML.
    """
    from defusedxml import DefusedXmlException, ElementTree

    try:
        root = ElementTree.fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        message = "has a document type or entities, which CVAT does not write; it may be an attack"
        raise FormatError(message, file=file, value=type(error).__name__) from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise FormatError(f"is no XML: {error}", file=file) from None
    labels = next((found for found in root.iterfind("meta/*/labels")), None)
    if root.tag != "annotations" or labels is None:
        message = "has no labels under annotations/meta; export the task as CVAT for images 1.1"
        raise FormatError(message, file=file)
    return specs_from_records(map(_record_from_xml, labels.iterfind("label")), file=file)


def _record_from_xml(label: Any) -> dict[str, Any]:
    def texts(element: Any) -> dict[str, Any]:
        return {child.tag: child.text or "" for child in element if len(child) == 0}

    attributes = [texts(attribute) for attribute in label.iterfind("attributes/attribute")]
    return {**texts(label), "attributes": attributes}


def specs_from_records(records: Iterable[Any], *, file: str) -> dict[str, LabelSpec]:
    """Labels by name, from records of CVAT's fields; parts of skeletons are left out.

    Args:
        records: A mapping for each label.
        file: Where they are from, for messages.

    Raises:
        FormatError: A record lacks what a label needs, or two have one name.
    """
    specs: dict[str, LabelSpec] = {}
    for record in records:
        if not isinstance(record, Mapping) or not _is_text(record.get("name")):
            raise FormatError("a label has no name", file=file, value=record)
        if record.get("parent"):
            continue
        name = record["name"]
        if name in specs:
            raise FormatError("two labels have one name", file=file, value=name)
        attributes = record.get("attributes") or []
        if not isinstance(attributes, list):
            raise FormatError("a label's attributes are no list", file=file, value=name)
        found = {a.name: a for a in _attributes(attributes, f"of label {name!r}", file)}
        specs[name] = LabelSpec(name, str(record.get("type") or "any"), found)
    return specs


def _attributes(records: list[Any], of_label: str, file: str) -> Iterator[AttributeSpec]:
    for record in records:
        # CVAT's running tasks have pairs of the word "attribute" and the record.
        if isinstance(record, tuple) and len(record) == 2:
            record = record[1]
        if not isinstance(record, Mapping) or not _is_text(record.get("name")):
            raise FormatError(f"an attribute {of_label} has no name", file=file, value=record)
        input_type = record.get("input_type")
        if input_type not in INPUT_TYPES:
            message = f"attribute {record['name']!r} {of_label} has no input_type of CVAT's"
            raise FormatError(message, file=file, value=input_type)
        values = record.get("values") or []
        if isinstance(values, str):
            values = values.split("\n")
        yield AttributeSpec(
            name=record["name"],
            input_type=input_type,
            values=tuple(map(str, values)) if isinstance(values, (list, tuple)) else (),
            default_value=str(record.get("default_value") or ""),
            mutable=str(record.get("mutable", False)).lower() == "true",
        )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
