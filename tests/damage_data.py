"""Every kind of file, whole, and every kind of damage done to it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass

from datumaro_openimages_plugin.images.images import IMAGE_COLUMNS
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME

ANNOTATIONS = "annotations/"


def _table(fields: tuple[str, ...], *rows: str) -> str:
    return ",".join(fields) + "\n" + "".join(f"{row}\n" for row in rows)


_FLAGS = "0,1,0,-1,0"
_BOX = "0.1,0.3,0.2,0.9"
#: Kind -> its rows; `b` is the image of the second row, which damage is done to.
ROWS = {
    "images": ("a,train,u,l,c,p,Ann,Title,1,m,t,0.0", "b,train,u,l,c,p,Bo,Title,1,m,t,0.0"),
    "labels": ("a,verification,/m/0,1", "b,verification,/m/1,0"),
    "machine_labels": ("a,machine,/m/0,0.5", "b,machine,/m/1,0.7"),
    "boxes": (f"a,xclick,/m/0,1,{_BOX},{_FLAGS}", f"b,xclick,/m/1,1,{_BOX},{_FLAGS}"),
    "people": (
        f"a,/m/0,1,{_BOX},{_FLAGS},Unknown,Young",
        f"b,/m/0,1,{_BOX},{_FLAGS},Unknown,Older",
    ),
    "masks": (f"a.png,a,/m/0,1a,{_BOX},0.8,", f"b.png,b,/m/1,1b,{_BOX},0.8,"),
    "points": ("a,0.1,0.2,/m/0,yes,s,1,0,0,", "b,0.1,0.2,/m/1,no,s,0,1,0,"),
    "relationships": (
        f"a,/m/0,/m/0,{_BOX},{_BOX},at",
        f"b,/m/1,/m/1,{_BOX},{_BOX},at",
    ),
}
FIELDS = {"images": IMAGE_COLUMNS, **{name: kind.fields for name, kind in KINDS_BY_NAME.items()}}
FILES = {
    "images": ANNOTATIONS + "train-image_ids_and_rotation.csv",
    **{
        name: ANNOTATIONS + kind.file_name.format(subset="train", val="train")
        for name, kind in KINDS_BY_NAME.items()
    },
}


def whole() -> dict[str, bytes]:
    """A dataset with two rows of every table."""
    made = {FILES[kind]: _table(FIELDS[kind], *rows) for kind, rows in ROWS.items()}
    made[FILES["narratives"]] = (
        '{"image_id": "a", "caption": "A"}\n{"image_id": "b", "caption": "B"}\n'
    )
    made[ANNOTATIONS + "class-descriptions.csv"] = "/m/0,Zero\n/m/1,One\n"
    made[ANNOTATIONS + "bbox_labels_600_hierarchy.json"] = '{"LabelName": "/m/r"}'
    made[ANNOTATIONS + "images.meta"] = "a 100 200\nb 100 200\n"
    return {name: text.encode() for name, text in made.items()}


@dataclass(frozen=True)
class Damage:
    """What is done to a table, and whether it loads, the file is refused, or a row is.

    Args:
        name: As the page on damaged files calls it.
        do: Gets the table's bytes and gives the damaged ones.
        outcome: ``loads``, ``file`` or ``row``.
        says: What the error's text contains.
        kinds: The tables that it is done to.
    """

    name: str
    do: Callable[[bytes], bytes]
    outcome: str
    says: str = ""
    kinds: tuple[str, ...] = tuple(ROWS)


def _header(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    """Changes the names of the columns."""

    def do(data: bytes) -> bytes:
        header, rest = data.split(b"\n", 1)
        return b",".join(change(header.split(b","))) + b"\n" + rest

    return do


def _columns(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    """Changes the fields of all rows, the header's too."""

    def do(data: bytes) -> bytes:
        return b"".join(b",".join(change(line.split(b","))) + b"\n" for line in data.splitlines())

    return do


def _second(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    """Changes the fields of the second row."""

    def do(data: bytes) -> bytes:
        lines = data.splitlines()
        lines[2] = b",".join(change(lines[2].split(b",")))
        return b"\n".join(lines) + b"\n"

    return do


def field(kind: str, column: str, text: str) -> Callable[[bytes], bytes]:
    """Puts a text into a column of the second row."""
    at = FIELDS[kind].index(column)
    return _second(lambda fields: [*fields[:at], text.encode(), *fields[at + 1 :]])


def _without(column: bytes) -> Callable[[bytes], bytes]:
    def do(data: bytes) -> bytes:
        names = [name.lower() for name in data.split(b"\n", 1)[0].split(b",")]
        at = names.index(column)
        return _columns(lambda fields: fields[:at] + fields[at + 1 :])(data)

    return do


def _misspelt(names: list[bytes]) -> list[bytes]:
    return [b"Imagge_ID" if name.lower() == b"imageid" else name for name in names]


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda data: b"\n".join(change(data.splitlines())) + b"\n"


DAMAGES = (
    Damage("a byte order mark", lambda data: b"\xef\xbb\xbf" + data, "loads"),
    Damage("CR LF at the ends of lines", lambda data: data.replace(b"\n", b"\r\n"), "loads"),
    Damage("CR CR LF at the ends of lines", lambda data: data.replace(b"\n", b"\r\r\n"), "loads"),
    Damage("no line end after the last row", lambda data: data[:-1], "loads"),
    Damage("empty lines", lambda data: data.replace(b"\n", b"\n\n"), "loads"),
    Damage(
        "all fields in quotes",
        _lines(lambda lines: [b'"' + line.replace(b",", b'","') + b'"' for line in lines]),
        "loads",
    ),
    Damage("columns in another order", _columns(lambda fields: fields[::-1]), "loads"),
    Damage("columns beyond the published ones", _columns(lambda fields: [*fields, b"x"]), "loads"),
    Damage("columns in another case", _header(lambda names: [n.upper() for n in names]), "loads"),
    Damage("a header and no rows", _lines(lambda lines: lines[:1]), "loads"),
    Damage("a column that is missing", _without(b"imageid"), "file", "ImageID"),
    Damage(
        "a column twice", _columns(lambda fields: [*fields, fields[0], fields[1]]), "file", "twice"
    ),
    Damage("a misspelt column", _header(_misspelt), "file", "Imagge_ID"),
    Damage("semicolons or tabs for commas", lambda d: d.replace(b",", b";"), "file", "commas"),
    Damage("UTF-16", lambda data: data.decode().encode("utf-16"), "file", "UTF-8"),
    Damage("gzip under the name .csv", gzip.compress, "file", ".csv.gz"),
    Damage("an empty file", lambda data: b"", "file", "is empty"),
    Damage("an empty line before the header", lambda data: b"\n" + data, "file", "empty line"),
    Damage("CR alone at the ends of lines", lambda d: d.replace(b"\n", b"\r"), "file", "CR alone"),
    Damage(
        "Latin-1", _second(lambda f: [b"\xe9", *f[1:]] if len(f[0]) < 9 else f), "file", "UTF-8"
    ),
    Damage("a quote that stays open", _second(lambda f: [b'"' + f[0], *f[1:]]), "file", "quote"),
    Damage("a row that is too long", _second(lambda f: [*f, b"x"]), "row", "fields"),
    Damage(
        "the header between the rows",
        _lines(lambda lines: [lines[0], lines[1], lines[0], *lines[2:]]),
        "row",
    ),
    Damage(
        "a row that stops early",
        _lines(lambda lines: [*lines[:2], lines[2].rsplit(b",", 1)[0]]),
        "loads",
        kinds=("images", "boxes", "people", "masks", "points"),
    ),
    Damage(
        "a row that stops before what it needs",
        _lines(lambda lines: [*lines[:2], b",".join(lines[2].split(b",")[:2])]),
        "row",
        kinds=("labels", "machine_labels", "boxes", "people", "points", "relationships"),
    ),
    Damage("a NUL", _second(lambda f: [f[0] + b"\0", *f[1:]]), "row", "NUL", kinds=("images",)),
    Damage(
        "an image twice in a list",
        _lines(lambda lines: [lines[0], lines[2], *lines[2:]]),
        "row",
        "twice",
        kinds=("images",),
    ),
)

_CORNERS = {"boxes": "X{}", "people": "X{}", "masks": "BoxX{}", "relationships": "X{}1"}
_FLAG = {"boxes": "IsGroupOf", "people": "IsInsideOf"}


def _fields() -> list[Damage]:
    """Damage to single fields."""
    made = []
    for kind, name in _CORNERS.items():
        low, high = name.format("Min"), name.format("Max")
        for text, says in (
            ("x", "number"),
            ("0_1", "number"),
            ("nan", "finite"),
            ("inf", "finite"),
        ):
            do = field(kind, low, text)
            made.append(
                Damage("a coordinate that is no number, NaN or inf", do, "row", says, (kind,))
            )
        do = field(kind, high, "0.05")
        made.append(Damage("corners that are swapped", do, "row", low, (kind,)))
        for text in ("120", "-3"):
            do = field(kind, low, text)
            made.append(Damage("coordinates in pixels", do, "row", "pixels", (kind,)))
        do = field(kind, low, "-0.05")
        made.append(Damage("a box that reaches out of its image", do, "loads", kinds=(kind,)))
        outcome = "loads" if kind == "masks" else "row"
        damage = "no corners" if kind == "masks" else "an empty coordinate"
        made.append(Damage(damage, field(kind, low, ""), outcome, kinds=(kind,)))
    for kind, column in _FLAG.items():
        for text in ("1.0", "True", "FALSE", ""):
            do = field(kind, column, text)
            made.append(Damage("a flag 1.0, True or empty", do, "loads", kinds=(kind,)))
        do = field(kind, column, "2")
        made.append(Damage("another flag", do, "row", column, (kind,)))
    for kind in ("labels", "machine_labels", "boxes", "people"):
        for text in ("7", "-1", "nan", "x"):
            do = field(kind, "Confidence", text)
            made.append(
                Damage("a confidence that is not from 0 to 1", do, "row", "0 to 1", (kind,))
            )
    for kind, column in {
        "labels": "LabelName",
        "machine_labels": "LabelName",
        "boxes": "LabelName",
        "people": "LabelName",
        "masks": "LabelName",
        "points": "Label",
        "relationships": "LabelName1",
    }.items():
        unknown, empty, padded = (field(kind, column, text) for text in ("/m/9", "", " /m/1 "))
        made.append(Damage("a label that no class list has", unknown, "loads", kinds=(kind,)))
        made.append(Damage("an empty label", empty, "row", column, (kind,)))
        made.append(Damage("spaces around a label", padded, "loads", kinds=(kind,)))
    images = ("images",)
    made.append(Damage("another subset", field("images", "Subset", "mine"), "loads", kinds=images))
    made.append(Damage("an empty id", field("images", "ImageID", ""), "row", "ImageID", images))
    return made


DAMAGES = (*DAMAGES, *_fields())
