"""What is in the sample datasets; all of it is made up."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any

GINGER, GREY, TAN = (60, 130, 220), (130, 130, 130), (110, 160, 205)
RED, BLUE, GREEN, YELLOW = (50, 50, 205), (190, 90, 40), (60, 120, 50), (40, 200, 235)


@dataclass(frozen=True)
class Mask:
    """A mask of some parts of a thing: ``parts`` is a slice's start and stop."""

    box_id: str
    iou: str = ""
    parts: tuple[int | None, int | None] = (None, None)

    def name(self, scene: Scene, thing: Thing) -> str:
        """``MaskPath``: image, label without what a file name cannot hold, box."""
        parts = [scene.id, thing.label]
        if scene.published:
            parts[1] = thing.label.replace("/", "")
        else:
            kept = [re.sub(r"[^\w\s-]", "", part).lower() for part in parts]
            parts = [re.sub(r"[-\s]+", "-", part) for part in kept]
        return f"{parts[0]}_{parts[1]}_{self.box_id}.png"


@dataclass(frozen=True)
class Thing:
    """A thing in a picture; without ``flags`` it has no box row.

    ``box`` is left, top, right, bottom in pixels of the annotators' grid; ``clicks`` the order in
    which the top, left, bottom and right ends were clicked, none for boxes drawn otherwise.
    """

    label: str
    shape: str
    box: tuple[float, float, float, float]
    colour: tuple[int, int, int]
    flags: str = "0 0 0 0 0"
    score: str = "1"
    source: str = "xclick"
    clicks: str = ""
    masks: tuple[Mask, ...] = ()

    def box_frac(self, grid: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in fractions of the picture."""
        left, top, right, bottom = self.box
        return left / grid[1], top / grid[0], right / grid[1], bottom / grid[0]


@dataclass(frozen=True)
class Scene:
    """A picture: sizes are (height, width); ``grid`` is what its annotators saw."""

    id: str
    subset: str
    size: tuple[int, int]
    grid: tuple[int, int]
    things: tuple[Thing, ...] = ()
    labels: tuple[tuple[str, str, str], ...] = ()  # source, label, confidence
    title: str = ""
    author: str = ""
    rotation: str = "0.0"
    listed_size: bool = True
    published: bool = False
    absent: bool = False
    machine_labels: tuple[tuple[str, str], ...] = ()  # label, confidence
    # Number of the subject, relationship, number of the object or id of an attribute.
    relationships: tuple[tuple[int, str, int | str], ...] = ()
    # Things that only relationships have; they are drawn and numbered after `things`.
    related_things: tuple[Thing, ...] = ()
    # x, y in pixels of the grid, label, answer, votes for yes, no and unsure, words of the label.
    # Words with their times, the trace's segments of x, y, t, and the annotator.
    narratives: tuple[tuple[tuple[tuple[str, float, float], ...], Any, int], ...] = ()
    # Number of the thing, how gender and age are perceived.
    people: tuple[tuple[int, str, str], ...] = ()
    points: tuple[tuple[float, float, str, str, str, str, str, str], ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns of the image list from OriginalURL on."""
        digest = hashlib.md5(self.id.encode(), usedforsecurity=False).digest()
        number = int(self.id[:6], 16)
        author = re.sub(r"[^a-z]", "", self.author.lower())
        site = "https://images.example"
        return [
            f"{site}/{number}/{self.id}_o.jpg",
            f"{site}/photos/{author}/{number}",
            f"{site}/licenses/by/2.0/",
            f"{site}/people/{author}/",
            self.author,
            self.title,
            str(100_000 + number % 900_000) if self.listed_size else "",
            base64.b64encode(digest).decode(),
            f"{site}/{number}/{self.id}_z.jpg" if self.listed_size else "",
            self.rotation,
        ]


# A task of CVAT: labels are words, the size that is annotated is the picture's own

CVAT_LABELS = ("Animal", "Cat", "Dog", "Person", "Car", "Ball", "Tree")
CVAT_HIERARCHY = {
    "LabelName": "/m/0",
    "Subcategory": [
        {"LabelName": "Animal", "Subcategory": [{"LabelName": "Cat"}, {"LabelName": "Dog"}]}
    ],
}


def task(id: str, subset: str, size: tuple[int, int], *things: Thing, **labels: str) -> Scene:
    tags = tuple(("", label, score) for label, score in labels.items())
    return Scene(id, subset, size, size, things, tags)


CVAT = (
    task(
        "cat, asleep", "train", (64, 96),
        # One box with two masks: head and body.
        Thing(
            "Cat", "cat", (20, 22, 70.5, 60), GINGER, "0 0 0 0 0", "1",
            masks=(Mask("00000000", "0.87654", (2, 7)), Mask("00000001", "0.9", (0, 2))),
        ),
        Cat="1", Dog="0", Animal="1",
    ),
    task(
        "park/walk", "train", (72, 108),
        Thing("Tree", "tree", (70, 4, 106, 60), GREEN, "1 1 0 0 0", "0.75"),
        Thing("Person", "person", (12, 12, 36, 68), BLUE, "1 0 -1 0 0", masks=(Mask("00000000"),)),
        Thing("Dog", "dog", (38.25, 42, 66, 70.5), TAN, "-1 -1 -1 -1 -1", "0.5",
              masks=(Mask("00000000", "1"),)),
        Person="1", Dog="0.5", Car="0",
    ),
    task(
        "balls", "train", (48, 64),
        Thing("Ball", "ball", (6, 20, 26, 40), RED, "0 -1 1 0 0"),
        Thing("Ball", "ball", (24, 26, 38, 40), YELLOW, "0 0 1 1 0", "0.25"),
        Thing("Ball", "ball", (0, 44, 4, 48), BLUE, "0 1 0 0 -1"),
    ),
    task("empty", "train", (48, 64)),
    task(
        "street", "validation", (60, 120),
        # Two boxes with a mask each; the second is drawn over the first.
        Thing("Car", "car", (8, 24, 60, 54), RED, "1 0 0 0 0", masks=(Mask("00000000", "0.66"),)),
        Thing("Person", "person", (50, 12, 70, 56), YELLOW, "0 0 0 0 0", "0.9",
              masks=(Mask("00000000", "0.5"),)),
        Thing("Car", "car", (90, 28, 120, 50), BLUE, "0 1 0 0 1"),
        Car="1", Tree="0",
    ),
    task(
        "garden", "validation", (80, 80),
        # A mask without a box.
        Thing("Tree", "tree", (10, 6, 52, 74), GREEN, "", masks=(Mask("0badcafe", "0.7"),)),
        Thing("Dog", "dog", (46, 48, 76, 76), GREY, "0 0 0 1 0", masks=(Mask("00000001"),)),
        Tree="1",
    ),
)  # fmt: skip

# The published layout: labels are ids, masks have another size than the pictures

V7_CLASSES = {
    "/m/0zz01": "Animal",
    "/m/0zz02": "Cat",
    "/m/0zz03": "Dog",
    "/m/0zz04": "Person",
    "/m/0zz05": "Vehicle",
    "/m/0zz06": "Car",
    "/m/0zz07": "Ball",
    "/m/0zz08": "Ball",
    "/m/0zz09": 'Kite, the "dragon" kind',
    "/m/0zz0a": "Café",
    "/m/0zz0b": "Tree",
    "/m/0zz0c": "Wheel",
    "/m/0zz0d": "Toy",
    "/m/0zz0e": "日本庭園",
}
ANIMAL, CAT, DOG, PERSON, VEHICLE, CAR, BALL, DANCE, KITE, CAFE, TREE, WHEEL, TOY, GARDEN = (
    V7_CLASSES
)
V7_BOXABLE = (ANIMAL, CAT, DOG, PERSON, VEHICLE, CAR, BALL, KITE, TREE, WHEEL, TOY)


def node(label: str, *children: dict[str, Any], parts: tuple[str, ...] = ()) -> dict[str, Any]:
    made: dict[str, Any] = {"LabelName": label}
    if children:
        made["Subcategory"] = list(children)
    if parts:
        made["Part"] = [node(part) for part in parts]
    return made


#: A car is a vehicle and a toy; a wheel is a part of both and stands by itself. The root is in no
#: class list.
V7_HIERARCHY = node(
    "/m/0zz00",
    node(ANIMAL, node(CAT), node(DOG)),
    node(PERSON),
    node(VEHICLE, node(CAR, parts=(WHEEL,)), parts=(WHEEL,)),
    node(TOY, node(BALL), node(KITE), node(CAR, parts=(WHEEL,))),
    node(TREE),
    node(WHEEL),
)
VERIFIED, CROWD = "verification", "crowdsource-verification"

#: Not in the class list, as three of the published attributes.
V7_ATTRIBUTES = {"/m/0zy01": "Wooden", "/m/0zy02": "Walk", "/m/0zy03": "(made of)Textile"}
WOODEN, WALK, TEXTILE = V7_ATTRIBUTES
V7_RELATIONSHIPS = {"at": "at", "holds": "holds", "interacts_with": "interacts with", "is": "is"}

V7 = (
    Scene(
        "0a1b2c3d4e5f6071", "train", (64, 96), (80, 120),
        (
            Thing(PERSON, "person", (20, 10, 48, 74), RED, "1 0 0 0 0", clicks="tlbr",
                  masks=(Mask("1a2b3c4d", "0.86864"),)),
            Thing(DOG, "dog", (50, 44, 98, 78), TAN, "0 0 0 0 0", clicks="ltrb",
                  masks=(Mask("5e6f7081", "0.8025"),)),
        ),
        ((VERIFIED, PERSON, "1"), (CROWD, DOG, "1"), (VERIFIED, CAT, "0"), (CROWD, CAFE, "0")),
        "Walking, the dog", "Ann Example",
        # The classifier is wrong about the cat; one class has no human label.
        machine_labels=((PERSON, "0.9"), (CAT, "0.6"), (GARDEN, "0.5")),
        # What the person holds is in no box file.
        relationships=(
            (0, "interacts_with", 1), (0, "is", WALK), (0, "holds", 2), (2, "is", TEXTILE)
        ),
        related_things=(Thing(TOY, "ball", (40, 30, 52, 42), YELLOW),),
        narratives=(
            (
                (("In this picture", 0.0, 0.9), ("a person walks a dog.", 1.2, 3.05)),
                (((0.2, 0.15, 0.02), (0.31, -0.0125, 0.5)), ((0.6, 0.7, 1.5), (1.001, 0.9, 2.75))),
                7,
            ),
            ((("Zwei gehen spazieren, schön.", 0.3, 2.0),), (((0.5, 0.5, 0.1),),), 12),
        ),
        people=((0, "Unknown", "Middle"),),
        points=(
            (34, 40, PERSON, "yes", "3", "0", "0", ""),
            (60.5, 50, DOG, "no", "1", "2", "0", "a dog's nose"),
            (110, 8, GARDEN, "unsure", "1", "1", "1", ""),
        ),
    ),
    Scene(
        "0badc0ffee123456", "train", (60, 80), (49, 65),
        (
            Thing(CAT, "cat", (5, 18, 37, 45), GINGER, "0 0 0 0 0", clicks="tlrb",
                  masks=(Mask("9c0ffee9", "0.91"),)),
            Thing(BALL, "ball", (44, 30, 58, 44), BLUE, "-1 -1 -1 -1 -1", source="activemil"),
            Thing(KITE, "kite", (48, 0, 65, 24), YELLOW, "0 1 0 0 0", clicks="rbtl"),
        ),
        ((VERIFIED, CAT, "1"), (VERIFIED, DANCE, "0"), (CROWD, BALL, "1")),
        'A cat, a "kite"', "Zoë Example", rotation="",
    ),
    # In the lists and in the annotations, but its picture was not downloaded.
    Scene(
        "1f2e3d4c5b6a7988", "train", (48, 72), (60, 90),
        (
            Thing(CAR, "car", (12, 16, 80, 52), GREEN, "0 0 0 1 0", clicks="blrt",
                  masks=(Mask("00f1e2d3", "0.77"),)),
        ),
        ((VERIFIED, CAR, "1"),),
        "Old car", "Bo, Example", rotation="90.0", absent=True,
    ),
    Scene(
        "2468ace013579bdf", "validation", (56, 84), (70, 105),
        (
            Thing(CAR, "car", (6, 24, 70, 62), BLUE, "0 0 0 0 0",
                  masks=(Mask("ab12cd34", "0"),)),
            Thing(WHEEL, "wheel", (14, 46, 28, 62), BLUE, "0 0 0 0 1"),
            Thing(PERSON, "person", (76, 20, 98, 66), YELLOW, "1 1 0 0 0", source="freeform",
                  masks=(Mask("ef567890", "0"),)),
        ),
        ((VERIFIED, CAR, "1"), (VERIFIED, WHEEL, "1"), (VERIFIED, TREE, "0")),
        "Parked", "Ann Example", rotation="", listed_size=False,
        machine_labels=((CAR, "1.0"), (VEHICLE, "0.8")),
        relationships=((2, "at", 0), (2, "is", WALK)),
        narratives=(((("A parked car.", 0.0, 1.0),), (), 7),),
        people=((2, "Predominantly Feminine", "Young"),),
        points=((50, 50, CAR, "yes", "2", "0", "0", ""), (3, 3, CAR, "no", "0", "3", "0", "")),
    ),
    Scene(
        "3c3c3c3c5a5a5a5a", "validation", (64, 64), (77, 77),
        (
            Thing(KITE, "kite", (4, 4, 30, 40), RED, "0 0 1 0 0"),
            Thing(KITE, "kite", (32.5, 9.25, 58, 50), YELLOW, "0 -1 0 -1 0",
                  masks=(Mask("0f0f0f0f", "0"),)),
        ),
        ((VERIFIED, KITE, "1"), (CROWD, GARDEN, "0")),
        "Kites", "Zoë Example", rotation="270.0",
    ),
    Scene(
        "8899aabbccddeeff", "test", (60, 90), (40, 60),
        (
            Thing(CAT, "cat", (8, 10, 50, 38), GREY, "0 0 0 1 0", masks=(Mask("76543210"),)),
            Thing(TREE, "tree", (46, 1, 60, 36), GREEN, "1 1 0 0 0"),
        ),
        relationships=((0, "is", WOODEN), (0, "at", 1)),
        labels=((VERIFIED, CAT, "1"), (VERIFIED, TREE, "1")),
        title="Stone cat", author="Ann Example",
    ),
    # Labels only, none of them present; then nothing at all.
    Scene(
        "bead5bead5bead50", "test", (48, 64), (48, 64),
        labels=((VERIFIED, PERSON, "0"), (CROWD, VEHICLE, "0")),
        title="Meadow", author="Bo, Example", machine_labels=((DANCE, "0.5"),),
        points=((24, 60.25, GARDEN, "yes", "5", "1", "0", ""),),
    ),
    Scene("fedcba9876543210", "test", (48, 64), (48, 64), title="Sky", author="Zoë Example"),
)  # fmt: skip
V7 = tuple(Scene(**{**scene.__dict__, "published": True}) for scene in V7)
