"""The page: what is on it, that nothing of a dataset is believed, and how a browser shows it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from datumaro.components.annotation import Bbox, Caption, Label, Mask, Points, Polygon
from datumaro.components.dataset import Dataset
from doc_examples import ROOT, commands, run_command

from datumaro_openimages_plugin import cli
from datumaro_openimages_plugin._host import DatasetItem, image_from_bytes, image_from_file
from datumaro_openimages_plugin.preview.preview import preview
from datumaro_openimages_plugin.preview.scene import color_of, readable
from datumaro_openimages_plugin.preview.statistics import survey

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
HOSTILE = [
    "<script>document.title='pwned'</script>",
    '"><img src=x onerror="document.title=\'pwned\'">',
    "</title></style></svg><svg onload=document.title='pwned'>",
    "' onmouseover='document.title=1",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;amp; <!-- ]]> -->",
    "a\x00b\u202egnp.exe\u2066\ud800\x1b[31m",
]


def picture(size=(60, 80), shade=200):
    done, data = cv2.imencode(".png", np.full((*size, 3), shade, np.uint8))
    assert done
    encoded = bytes(data.tobytes())
    return image_from_bytes(_Bytes(encoded), "a.png", size)


class _Bytes:
    def __init__(self, data):
        self.data = data

    def __call__(self, *_):
        return self.data


def item(name="one", annotations=(), media=None, subset="train", **attributes):
    return DatasetItem(
        name, subset=subset, media=media, annotations=list(annotations), attributes=attributes
    )


def page(*items, labels=("cat", "dog"), title="set", **options):
    dataset = Dataset.from_iterable(items, categories=list(labels))
    return preview(dataset, title, **options)


def box(label=0, corners=(10, 10, 40, 30), **attributes):
    x, y, x2, y2 = corners
    number = attributes.pop("id", 0)
    return Bbox(x, y, x2 - x, y2 - y, label=label, id=number, attributes=attributes)


class _Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts, self.stack = set(), [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "input", "br"):
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


OWN_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "section", "main", "article"),
    *("h1", "h2", "ul", "li", "b", "span", "figure", "p", "div", "blockquote", "input", "label"),
    *("svg", "g", "rect", "text", "line", "path", "circle", "image"),
}


def test_counts():
    first = item(
        "one",
        [
            box(0, is_group_of=True, occluded=False),
            box(1, (0, 0, 80, 60)),
            Label(0),
            Label(1, attributes={"score": 0.0}),
            Label(1, attributes={"score": 0.7, "source": "machine"}),
            Mask(image=np.ones((60, 80), bool), label=0),
        ],
        picture(),
        relationships=[[1, "at", 2]],
    )
    figures, shown = survey([first, item("two", subset="test")], 1)
    assert shown == [first]
    assert (figures.images, figures.pictures, figures.subsets["test"]) == (2, 1, 1)
    assert (figures.boxes, figures.present) == ({0: 1, 1: 1}, {0: 1})
    assert (figures.absent, figures.machine) == ({1: 1}, {1: 1})
    assert figures.boxes_per_image == {0: 1, 2: 1}
    assert figures.flags["is_group_of"] == [1, 0, 1]
    assert figures.flags["occluded"] == [0, 1, 1]
    # A box of 30 by 20 in 80 by 60 has an eighth, its root is 0.35; the other one has all.
    assert [at for at, count in enumerate(figures.sides) if count] == [7, 19]
    assert figures.annotations["relationships"] == 1


def test_rich_images_come_first_and_the_choice_is_the_same_each_time():
    poor = [item(f"poor{n}", [Label(0)], picture()) for n in range(5)]
    bare = item("bare", [box(), Label(0), Caption("a")])
    rich = item("rich", [box(), Label(0)], picture())
    names = [found.id for found in survey([*poor, bare, rich], 4)[1]]
    assert names[0] == "rich" and "bare" not in names
    assert [found.id for found in survey([rich, bare, *poor[::-1]], 4)[1]] == names
    others = [[i.id for i in survey(poor, 3, pick="random", seed=n)[1]] for n in range(8)]
    assert len({tuple(found) for found in others}) > 1


def test_everything_is_drawn():
    hole = np.ones((60, 80), bool)
    hole[20:40, 20:40] = False
    traces = [[{"x": 0.5, "y": -7, "t": 0}, {"x": 1, "y": 0.5, "t": 1}], [{"x": 1}], 5, [{}, {}]]
    annotations = [
        box(0, (10, 10, 40, 30), id=1, is_group_of=True),
        box(1, (50, 20, 70, 50), id=2, is_depiction=True),
        Mask(image=hole, label=1),
        Polygon([1, 1, 20, 1, 20, 20], label=0),
        Points([40, 30], label=0, attributes={"estimated_yes_no": "no"}),
        Label(0),
        Label(1, attributes={"score": 0.0}),
        Caption("A cat at a dog.", attributes={"traces": traces}),
    ]
    relationships = [[1, "interacts_with", 2], [1, "is", "/m/1"], [2, "at", 99], "odd"]
    found = page(item("one", annotations, picture(), relationships=relationships))
    (scene,) = found.scenes
    assert (scene.width, scene.height) == (640, 480)
    assert scene.boxes[0].corners == (80, 80, 320, 240)
    assert [box.marks for box in scene.boxes] == [("group",), ("depiction",)]
    assert len(scene.regions[0].rings) == 2
    assert scene.arrows[0].end == (480, 280)
    assert [trace.tolist() for trace in scene.traces] == [[[320, -48], [640, 240]]]
    assert scene.sentences == ["cat interacts with dog", "cat is /m/1", "dog at 99"]
    assert [(chip.text, chip.state) for chip in scene.chips] == [
        ("cat", "present"),
        ("dog", "absent"),
    ]
    tags = _Tags(found.to_html())
    assert tags.tags <= OWN_TAGS and not tags.stack
    assert "A cat at a dog." in tags.texts
    assert "cat · group" in tags.texts
    assert any(value == "10 5" for name, value in tags.attributes if name == "stroke-dasharray")


def test_names_and_credits_come_from_the_dataset(tmp_path):
    arguments = ["preview", str(ROOT / "assets/open_images_v7"), "-o", str(tmp_path / "page.html")]
    assert cli.main([*arguments, "-q", "--png", str(tmp_path / "png")]) == 0
    texts = _Tags((tmp_path / "page.html").read_text("utf-8")).texts
    assert "8 of 8 images" in texts and "no picture in the dataset" in texts
    assert any(text.startswith("Walking, the dog · Ann Example") for text in texts)
    assert "Person interacts with Dog" in texts
    drawn = sorted((tmp_path / "png").iterdir())
    assert len(drawn) == 8
    pixels = cv2.imread(str(drawn[0]))
    assert pixels.shape == (427, 640, 3)
    person = np.array([int(color_of(3)[at : at + 2], 16) for at in (5, 3, 1)])
    # The left edge of the person's box, at a sixth of the width.
    assert (np.abs(pixels[200, 104:110] - person).sum(axis=1) == 0).any()


def test_texts_are_never_markup():
    annotations = [box(at, (1 + at, 2, 30 + at, 40), id=at + 1) for at in range(len(HOSTILE))]
    annotations += [Caption(text) for text in HOSTILE]
    annotations += [Label(at) for at in range(len(HOSTILE))]
    relationships = [[1, text, 2] for text in HOSTILE] + [[1, "is", text] for text in HOSTILE]
    text = page(
        item(
            "id" + HOSTILE[1].replace("/", ""), annotations, picture(), relationships=relationships
        ),
        labels=HOSTILE,
        title=HOSTILE[2],
    ).to_html()
    tags = _Tags(text)
    assert tags.tags <= OWN_TAGS and not tags.stack
    for name, value in tags.attributes:
        assert not name.startswith("on") and name != "style"
        if name in ("href", "src"):
            assert value.startswith("data:image/jpeg;base64,")
    assert readable(HOSTILE[0]) in tags.texts
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)


def test_the_page_needs_nothing_else():
    text = page(item("one", [box()], picture())).to_html()
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in text
    assert "<script" not in text and "url(" not in text and "@import" not in text
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)
    assert "http:" not in text and "https:" not in text


def test_broken_things_are_said_not_hidden(tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 no picture")

    def gone():
        raise FileNotFoundError("gone")

    odd = [
        box(0, (1, 1, float("nan"), 2)),
        Mask(image=gone, label=1),
        Mask(image=np.zeros((0, 3), bool), label=1),
        box(0).wrap(label=None),
        box(0).wrap(label=77),
    ]
    found = page(
        item("one", odd, picture()), item("two", [box()], image_from_file(str(broken), (9, 9)))
    )
    first, second = sorted(found.scenes, key=lambda scene: scene.name)
    assert first.notes == [
        "a box of cat has no finite corners",
        "a mask of dog cannot be read: gone",
        "a mask of dog is no picture",
    ]
    assert [box.text for box in first.boxes] == ["no label", "no label"]
    assert second.problem == "the picture cannot be read"
    assert not _Tags(found.to_html()).stack
    for name in found.save_pngs(str(tmp_path / "png")):
        assert cv2.imread(name) is not None


def test_names_of_pngs_stay_in_their_folder(tmp_path):
    found = page(item("a/b.c", [box()], picture()), item("ab", [], picture()))
    names = found.save_pngs(str(tmp_path / "png"))
    assert sorted(map(os.path.basename, names)) == ["001_a-b-c.png", "002_ab.png"]


def test_an_empty_dataset():
    text = page().to_html()
    assert "<b>0</b> <span>images</span>" in text and not _Tags(text).stack


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\nlines", "two lines"),
        ("x" * 700, "x" * 600 + "…"),
        ("\u202eabc\x07", "\ufffdabc\ufffd"),
        ("é 日本 🐈", "é 日本 🐈"),
        (5, "5"),
    ],
)
def test_readable(text, expected):
    assert readable(text) == expected


# In a browser


def browse(folder, *arguments):
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [CHROMIUM, "--headless", *sandbox, "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=1000", *arguments]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    return done.stdout.decode("utf-8", "replace")


def screenshot(folder, text):
    (folder / "page.html").write_text(text, "utf-8")
    size = "--window-size=900,1000"
    browse(folder, f"--screenshot={folder / 'page.png'}", size, f"file://{folder / 'page.html'}")
    return cv2.imread(str(folder / "page.png")).astype(int)


def count(pixels, color):
    wanted = [int(color[at : at + 2], 16) for at in (5, 3, 1)]
    return int((np.abs(pixels - wanted).max(axis=2) <= 6).sum())


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_shows_the_page(tmp_path):
    color = color_of(0)
    annotations = [box(0, (5, 5, 75, 55)), *(Caption(text) for text in HOSTILE)]
    text = page(
        item("one", annotations, picture(shade=250)), labels=[HOSTILE[0], "dog"], title=HOSTILE[1]
    ).to_html()
    pixels = screenshot(tmp_path, text)
    assert pixels.shape[:2] == (1000, 900)
    with_boxes = count(pixels, color)
    assert with_boxes > 1500  # an edge of some hundred pixels on each side, and its tag
    assert count(pixels, "#fafafa") > 10_000  # the picture itself
    # Without their ticks, the layers are gone.
    off = re.sub(r'(id="show-(?:boxes|names)") checked', r"\1", text)
    assert off.count(" checked") == text.count(" checked") - 2
    without = count(screenshot(tmp_path, off), color)
    assert without < with_boxes - 1000


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_policy_stops_what_an_escape_would_let_through(tmp_path):
    """The second wall: scripts, foreign styles and addresses are refused by the page itself."""
    text = page(item("one", [box()], picture()), title=HOSTILE[1]).to_html()
    evil = "<script>document.title='pwned'</script><b style='position:fixed' onclick=1>x</b>"
    (tmp_path / "page.html").write_text(text.replace("</header>", evil + "</header>"), "utf-8")
    shown = browse(tmp_path, "--dump-dom", f"file://{tmp_path / 'page.html'}")
    title = re.search("<title>(.*?)</title>", shown, re.DOTALL)
    assert title is not None and title[1].startswith('"&gt;&lt;img src=x')
    assert "document.title='pwned'</script>" in shown


def test_the_examples_of_the_page(tmp_path, monkeypatch, capsys):
    found = commands("docs/preview.md", "preview")
    assert found
    for arguments in found:
        arguments = [str(tmp_path / a) if a.startswith("out/") else a for a in arguments]
        assert run_command(arguments, monkeypatch) == 0
    assert (tmp_path / "out/preview.html").stat().st_size > 10_000


def test_a_subset_that_is_not_there_is_refused(tmp_path, capsys):
    page = tmp_path / "page.html"
    arguments = ["preview", str(ROOT / "assets/cvat_layout"), "--subset", "val", "-o", str(page)]
    assert cli.main(arguments) == cli.UNUSABLE
    assert "no subset 'val'; there are: train, validation" in capsys.readouterr().err
    assert not page.exists()
