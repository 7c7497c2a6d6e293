"""Class lists: bytes in, the same bytes or the changed rows out."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from datumaro.components.annotation import LabelCategories
from hypothesis import given, settings
from hypothesis import strategies as st

from datumaro_openimages_plugin.classes.classes import (
    ClassList,
    categories_from_classes,
    class_list_from_csv,
    class_list_to_csv,
    names_by_display,
    unique_display_names,
)
from datumaro_openimages_plugin.classes.hierarchy import hierarchy_from_json
from datumaro_openimages_plugin.errors import AnnotationError, FormatError

PLAIN = b"/m/1,Tortoise\n/m/2,Container\n"


def read(data: bytes) -> ClassList:
    return class_list_from_csv(data, file="classes.csv")


def pairs(data: bytes) -> list[tuple[str, str]]:
    return list(read(data).display_names.items())


def labels(*names: str) -> LabelCategories:
    return LabelCategories.from_iterable(names)


# Reading


@pytest.mark.parametrize(
    ("data", "has_header"),
    [
        (PLAIN, False),
        (b"LabelName,DisplayName\n" + PLAIN, True),
        (b"LabelName,DisplayName\r\n" + PLAIN.replace(b"\n", b"\r\n"), True),
        (b"id,name\n" + PLAIN, True),
        (b"\xef\xbb\xbfLabelName,DisplayName\n" + PLAIN, True),
        (b"\xef\xbb\xbf" + PLAIN, False),
        (b"DisplayName,Extra,LabelName\nTortoise,x,/m/1\nContainer,,/m/2", True),
        (b"/m/1,Tortoise\r\n\r\n/m/2,Container\n", False),
        (b"/m/1,Tortoise\r/m/2,Container", False),
        (b'"/m/1","Tortoise"\n"/m/2","Container",,\n', False),
    ],
)
def test_list_is_read_whatever_its_header_and_line_ends(data: bytes, has_header: bool) -> None:
    classes = read(data)
    assert classes.names == ("/m/1", "/m/2")
    assert classes.display_names == {"/m/1": "Tortoise", "/m/2": "Container"}
    assert classes.source_has_header is has_header
    assert classes.source == data


def quickly_and_slowly(function):
    """What a function gives, or that it raises, with and without the short cuts."""
    for patched in ({}, {"plain_class_list": lambda text: None, "plain_lines": lambda text: None}):
        with pytest.MonkeyPatch.context() as patch:
            for name, replacement in patched.items():
                patch.setattr(f"datumaro_openimages_plugin.classes.classes.{name}", replacement)
            try:
                yield function()
            except FormatError as error:
                yield str(error)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["", "LabelName,DisplayName\n", "LabelName\n", "id,name\r\n"]),
    st.text('ab,,\n\n\r"', max_size=12),
)
def test_short_cuts_give_the_same(header: str, text: str) -> None:
    data = (header + text).encode()
    quick, slow = quickly_and_slowly(lambda: read(data))
    assert quick == slow
    if isinstance(quick, ClassList) and quick.names:
        categories = labels(*quick.names)
        for wanted in (True, False):
            one, other = quickly_and_slowly(
                lambda wanted=wanted: class_list_to_csv(categories, quick, header=wanted)
            )
            assert one == other


def test_quotes_commas_and_other_alphabets() -> None:
    data = '/m/1,"Datsun 1500, 1600"\n/m/2,"Fiat ""topolino"""\n/m/3,Citroën\n/m/4,a "b"\n'
    shown = ["Datsun 1500, 1600", 'Fiat "topolino"', "Citroën", 'a "b"']
    assert [display for _, display in pairs(data.encode())] == shown


@pytest.mark.parametrize("data", [b"/m/1\n/m/2\n", b"LabelName\r\n/m/1\r\n/m/2"])
def test_list_of_ids_shows_the_ids(data: bytes) -> None:
    assert pairs(data) == [("/m/1", "/m/1"), ("/m/2", "/m/2")]


@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb\xbf", b"LabelName,DisplayName\n"])
def test_list_may_be_empty(data: bytes) -> None:
    assert read(data).names == ()


def test_first_class_is_no_header_for_looking_like_one() -> None:
    assert pairs(b"LabelName,LabelName\nid,id\n") == [("LabelName", "LabelName"), ("id", "id")]


def test_row_that_is_there_twice_counts_once() -> None:
    assert read(b"/m/1,A\n/m/2,B\n/m/1,A\n").names == ("/m/1", "/m/2")


@pytest.mark.parametrize(
    ("data", "row", "column", "value"),
    [
        (b"/m/1,A\n/m/2,B\n/m/1,C\n", 3, "DisplayName", "C"),
        (b"LabelName,DisplayName\n/m/1,A\n\n/m/1,B\n", 3, "DisplayName", "B"),
        (b"/m/1,A\n,B\n", 2, "LabelName", ""),
        (b"Extra,DisplayName,LabelName\nx,A\n", 1, "LabelName", ""),
        (b"/m/1,Datsun 1500, 1600\n", 1, None, "/m/1,Datsun 1500, 1600"),
        (b'id,name\n/m/1,A\n/m/2,"B\n/m/3,C\n', 2, None, None),
        (b'/m/1,"A"b\n', 1, None, None),
        (b'/m/1,A\n/m/2,"' + b"x" * 200_000 + b'"\n', 2, None, None),
        (b"/m/1,A\n/m/2,Citro\xebn\n", 2, None, None),
        (b"LabelName,DisplayName\r\n/m/1,Citro\xebn\n", 1, None, None),
        (b"\xff\xfeL\0a\0", 1, None, None),
        (b"/m/1,A\n/m/2,\0\n", 2, None, None),
    ],
)
def test_damage_has_an_address(
    data: bytes, row: int, column: str | None, value: str | None
) -> None:
    with pytest.raises(FormatError) as caught:
        read(data)
    error = caught.value
    assert (error.file, error.row, error.column, error.value) == ("classes.csv", row, column, value)


# Writing


@pytest.mark.parametrize(
    "data",
    [
        b"/m/1,Tortoise\r\n/m/2,Container\n",
        b'\xef\xbb\xbf"/m/1","A"\n/m/2,B',
        b"LabelName,DisplayName\n/m/1,A\n/m/1,A\n\n",
        b"/m/1\r\n/m/2",
        b"",
    ],
)
def test_unchanged_list_comes_back_byte_for_byte(data: bytes) -> None:
    classes = read(data)
    categories = categories_from_classes(classes)
    assert class_list_to_csv(categories, classes, header=classes.source_has_header) == data


@pytest.mark.parametrize(
    ("without", "with_"),
    [
        (b"/m/1,A\r\n/m/2,B\n", b"LabelName,DisplayName\r\n/m/1,A\r\n/m/2,B\n"),
        (b'/m/1,"A"', b'LabelName,DisplayName\n/m/1,"A"'),
        (b"/m/1\n", b"LabelName\n/m/1\n"),
        (b"", b"LabelName,DisplayName\n"),
    ],
)
def test_header_comes_and_goes_and_rows_stay(without: bytes, with_: bytes) -> None:
    for data, other in ((without, with_), (with_, without)):
        classes = read(data)
        written = class_list_to_csv(
            categories_from_classes(classes), classes, header=not classes.source_has_header
        )
        assert written == other


def test_header_in_another_order_cannot_just_be_cut_off() -> None:
    classes = read(b"DisplayName,LabelName\nA,/m/1\n")
    assert class_list_to_csv(labels("/m/1"), classes, header=False) == b"/m/1,A\n"


@pytest.mark.parametrize("header", [True, False])
def test_class_that_reads_like_a_header_stays_a_class(header: bool) -> None:
    classes = read(b"LabelName,DisplayName\nid,name\n/m/1,A\n")
    categories = categories_from_classes(classes)
    assert read(class_list_to_csv(categories, classes, header=header)).names == ("id", "/m/1")


def test_changed_list_keeps_names_and_line_ends_and_follows_the_labels() -> None:
    classes = read(b'/m/1,A\r\n/m/2,"B, b"\r\n/m/3,C\n')
    written = class_list_to_csv(labels("/m/3", "new, one", "/m/2"), classes, header=False)
    assert written == b'/m/3,C\r\n"new, one","new, one"\r\n/m/2,"B, b"\r\n'


def test_list_without_a_file_is_that_of_the_built_in() -> None:
    assert class_list_to_csv(labels("b", "a"), None, header=False) == b"b,b\na,a\n"
    written = class_list_to_csv(labels("b"), None, header=True)
    assert written == b"LabelName,DisplayName\nb,b\n"


@pytest.mark.parametrize("name", ["a\0b", "a\ud800"])
def test_name_that_is_no_text_is_refused(name: str) -> None:
    with pytest.raises(AnnotationError):
        class_list_to_csv(labels(name), None, header=False)


@settings(deadline=None, database=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
            st.text(st.characters(codec="utf-8", exclude_characters="\0")),
        ),
        unique_by=lambda pair: pair[0],
    ),
    st.booleans(),
)
def test_any_names_come_back(classes: list[tuple[str, str]], header: bool) -> None:
    carried = ClassList(tuple(name for name, _ in classes), dict(classes))
    written = class_list_to_csv(labels(*carried.names), carried, header=header)
    assert pairs(written) == classes


# Categories and readable names

TREE = b"""{"LabelName": "/m/root", "Subcategory": [
    {"LabelName": "/m/2", "Subcategory": [{"LabelName": "/m/1"}]}]}"""


def test_categories_are_named_by_id_and_have_parents() -> None:
    classes = replace(read(PLAIN), hierarchy=hierarchy_from_json(TREE, file="h.json"))
    assert categories_from_classes(classes) == LabelCategories.from_iterable(
        [("/m/1", "/m/2"), ("/m/2", "")]
    )


def test_class_that_is_only_named_somewhere_is_no_parent() -> None:
    classes = replace(
        read(PLAIN), names=("/m/1",), hierarchy=hierarchy_from_json(TREE, file="h.json")
    )
    assert categories_from_classes(classes) == labels("/m/1")


def test_readable_names_go_there_and_back() -> None:
    data = b"/m/1,Ball\n/m/2,Wave\n/m/3,Ball\n/m/4,\n"
    classes = read(data)
    shown = unique_display_names(classes)
    assert shown == {"/m/1": "Ball (/m/1)", "/m/2": "Wave", "/m/3": "Ball (/m/3)", "/m/4": "/m/4"}
    categories = categories_from_classes(classes, shown=shown)
    assert [category.name for category in categories] == list(shown.values())
    back = {label: name for name, label in shown.items()}
    assert class_list_to_csv(categories, classes, header=False, label_names=back) == data


@pytest.mark.parametrize(
    "data",
    [
        b"/m/1,A\n/m/2,A\n/m/3,A (/m/1)\n",
        b"/m/1,A\n/m/2,A\n/m/3,A (/m/1)\n/m/4,A (/m/1) (/m/3)\n",
        b"/m/1,/m/2\n/m/2,\n",
        b"/m/1,/m/2\n/m/2,/m/1\n/m/3,/m/2\n",
    ],
)
def test_readable_names_are_unique_whatever_the_names_are(data: bytes) -> None:
    classes = read(data)
    shown = unique_display_names(classes)
    assert list(shown) == list(classes.names)
    assert len(set(shown.values())) == len(shown)


def test_name_that_looks_like_another_in_brackets_gives_way_alone() -> None:
    shown = unique_display_names(read(b"/m/1,A\n/m/2,A\n/m/3,A (/m/1)\n/m/4,B\n"))
    assert list(shown.values()) == ["/m/1", "A (/m/2)", "/m/3", "B"]


def test_shown_names_that_coincide_are_refused() -> None:
    with pytest.raises(FormatError, match="A"):
        categories_from_classes(read(PLAIN), shown={"/m/1": "A", "/m/2": "A"})


def test_two_labels_of_one_id_are_refused() -> None:
    with pytest.raises(AnnotationError, match="/m/1"):
        class_list_to_csv(labels("A", "/m/1"), None, header=False, label_names={"A": "/m/1"})


def test_ids_by_name_prefer_what_is_asked() -> None:
    classes = read(b"/m/1,Ball\n/m/2,Ball\n/m/3,/m/1\n/m/4,Wave\n")
    assert names_by_display(classes) == {"Ball": "/m/1", "Wave": "/m/4"}
    assert names_by_display(classes, ["/m/2"])["Ball"] == "/m/2"


def test_class_list_survives_pickling() -> None:
    classes = replace(read(PLAIN), hierarchy=hierarchy_from_json(TREE, file="h.json"))
    assert classes.hierarchy is not None
    classes.hierarchy.ancestors("/m/1")  # fills a cache
    assert pickle.loads(pickle.dumps(classes)) == classes
