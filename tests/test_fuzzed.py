"""What fuzzing found, mended since; see ``fuzz/``."""

from __future__ import annotations

import io
import zipfile

import damage_data
import pytest
from datumaro.components.dataset import Dataset
from rich_data import save

from datumaro_openimages_plugin.errors import AnnotationError, FormatError, UnsafePathError
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.plugin import OpenImagesExtractor
from datumaro_openimages_plugin.sources.zips import InnerZips, ZipMember


def put(root, files):
    made = {**damage_data.whole(), **files}
    del made[damage_data.FILES["masks"]]  # whose pictures are not there
    for name, data in made.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return OpenImagesExtractor(str(root), kinds=list(KINDS_BY_NAME), show_columns=True)


TABLES = [kind for kind in damage_data.ROWS if kind != "masks"]


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_columns_in_another_case_are_exported(kind, tmp_path):
    name = damage_data.FILES[kind]
    data = damage_data.whole()[name]
    header, rows = data.split(b"\n", 1)
    extractor = put(tmp_path / "in", {name: header.lower() + b"\n" + rows})
    out = save(Dataset.from_extractors(extractor), tmp_path / "out")
    assert (out / name).read_bytes().replace(b"ImageId", b"ImageID") == data.replace(
        b"ImageId", b"ImageID"
    )


def test_a_row_that_ends_in_a_comma_after_a_stray_quote(tmp_path):
    name = damage_data.FILES["machine_labels"]
    rows = b'"a","machine",c0","0.5"\n"b","machine","\n\n","0."\n,'
    with pytest.raises(FormatError, match=name):
        list(put(tmp_path, {name: b"ImageID,Source,LabelName,Confidence\n" + rows}))


def test_a_nul_in_a_licence_is_refused_at_export(tmp_path):
    name = damage_data.FILES["images"]
    extractor = put(tmp_path / "in", {name: damage_data.field("images", "License", "l\0")(
        damage_data.whole()[name])})  # fmt: skip
    with pytest.raises(AnnotationError, match="license with a NUL") as caught:
        save(Dataset.from_extractors(extractor), tmp_path / "out")
    assert caught.value.image_id == "b"


def packed(change) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", b"content")
    return change(file.getvalue())


def method(data: bytes) -> bytes:
    at = data.index(b"PK\1\2")
    return data[:8] + b"\x63\0" + data[10 : at + 10] + b"\x63\0" + data[at + 12 :]


def encrypted(data: bytes) -> bytes:
    at = data.index(b"PK\1\2")
    return data[:6] + b"\1" + data[7 : at + 8] + b"\1" + data[at + 9 :]


DAMAGED = {
    "content": lambda data: data.replace(b"content", b"contents"[1:]),
    "name": lambda data: data.replace(b"a.png", b"b.png", 1),
    "method": method,
    "encrypted": encrypted,
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_damaged_members_name_themselves(change, tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(packed(change))
    for reader in (ZipMember(str(path), "a.png"), InnerZips(((str(path), ""),), "a.png")):
        with pytest.raises(FormatError, match=r"a\.png: the packed file is damaged"):
            reader()


def test_a_member_without_a_name(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open(zipfile.ZipInfo(""), "w") as member:
        member.write(b"x")
    with pytest.raises(UnsafePathError, match=r"x\.zip"):
        OpenImagesExtractor(str(path))
