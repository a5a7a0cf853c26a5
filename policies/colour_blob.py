# SPDX-License-Identifier: Apache-2.0
"""A classical baseline that learned nothing: colours, blobs and a few verbs, in numpy.

It shows how far plain engineering gets on a clean table, and it lets the graph be tested without a
model. It reads one verb, at most one relation, and things named by colour and noun.
"""

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from embodied.geometry import unproject
from embodied.language.nouns import Noun
from embodied.language.verbs import Plan, parse_plan
from embodied.language.vocabulary import COLOURS, OTHER_COLOURS
from embodied.types import Decision, Float, Instruction, Observation, Picture

_NOUNS: Mapping[str, str] = {
    "block": "block", "cube": "block", "brick": "block", "piece": "block",
    "bowl": "bowl", "dish": "bowl", "cup": "bowl", "basin": "bowl", "container": "bowl", "pot": "bowl",
    "zone": "zone", "square": "zone", "area": "zone", "patch": "zone", "pad": "zone", "region": "zone",
}  # fmt: skip
_THING = re.compile(
    r"\b(?:(?P<colour>{colours})(?: colou?red)?(?: (?:toy|square|building|wooden|round))? (?P<noun>{nouns})"
    r"|(?P<noun2>{nouns}) (?:that|which) is (?P<colour2>{colours}))\b".format(
        colours="|".join((*COLOURS, *OTHER_COLOURS)), nouns="|".join(_NOUNS)
    )
)
_RELATION = re.compile(r"\b(left of|right of|in front of|behind)\b")
_VERBS: Mapping[str, str] = {
    "push_to": r"push|slide|shove",
    "touch": r"touch|tap|poke",
    "stack": r"stack",
    "put_in_bowl": r"(put|place|drop|move|set)\b.*\b(in|into|inside)\b",
    "on": r"(put|place|drop|move|set)\b.*\b(on|onto)\b",
    "pick_up": r"lift|pick|grab|take|raise|hold",
}

_NO_COMMAND = re.compile(
    r"\b(?:not|don'?t|never|avoid|except|instead|rather|but|other than|neither|none)\b"
    r"|^(?:what|where|which|who|why|when|how|is|are|was|were|did|does|do you|have|has)\b"
)
"""Words that turn a command round, and what a question begins with: its few rules would act on them all the same."""

_HUES_DEG: Mapping[str, float] = {
    "red": 0.0, "orange": 28.0, "yellow": 54.0, "green": 131.0, "blue": 225.0, "purple": 283.0,
}  # fmt: skip
_SMALLEST_BLOB_PX = 12
_TABLE_LOW_M, _TABLE_HIGH_M = (0.28, -0.4), (0.75, 0.4)
_BLOCK_WIDEST_M = 0.078
_FLAT_LEVELS, _FLAT_SHARE = 1.0, 0.8
_HEIGHT_M: Mapping[str, float] = {"block": 0.02, "bowl": 0.0265, "zone": 0.0}
"""Height at which the middle of a blob lies on its thing."""


class ColourBlobPolicy:
    """Finds coloured blobs in the front picture and does what one verb says about them."""

    needs: tuple[str, ...] = ("front",)

    def __init__(self) -> None:
        self._text = ""

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """Start a new command."""
        self._text = instruction.text

    def decide(self, observation: Observation) -> Decision:
        """The motion that the words ask for, or a refusal that says what is on the table."""
        seen = find_things(observation.picture("front"))
        things = ", ".join(sorted(map(str, seen))) or "nothing"
        plan, motion = parse_words(self._text), None
        if plan is None:
            text = f"I cannot do that. I see: {things}."
        elif absent := [str(thing) for thing in plan.nouns if thing not in seen]:
            text = f"I see no {' and no '.join(absent)}; I see: {things}."
        else:
            text = plan.text()
            motion = plan.ground(np.stack([seen[thing] for thing in plan.nouns]))
        return Decision(text=text, motion=motion, observation_stamp_s=observation.stamp_s, refused=motion is None)


def parse_words(text: str) -> Plan | None:
    """The plan that a sentence asks for, or None where the few rules find none."""
    words = " ".join(text.lower().split())
    if _NO_COMMAND.search(words):
        return None
    things = tuple(
        Noun(match["colour"] or match["colour2"], _NOUNS[match["noun"] or match["noun2"]])
        for match in _THING.finditer(words)
    )
    relation = _RELATION.search(words)
    # The words between the things hold the verb; "green square" must not be read as a place.
    plain = _THING.sub("it", words)
    if relation and len(things) == 2:
        plan = Plan(verb="place_relative", target=things[0], relation=relation[1], reference=things[1])
    else:
        act = next((act for act, verb in _VERBS.items() if re.search(rf"\b(?:{verb})\b", plain)), None)
        if act == "on":
            act = "push_to" if things and things[-1].kind == "zone" else "stack"
        if act is None or len(things) != (1 if act in ("touch", "pick_up") else 2):
            return None
        plan = Plan(verb=act, target=things[0], reference=things[1] if len(things) == 2 else None)
    try:
        return parse_plan(plan.text())
    except ValueError:
        return None


def find_things(frame: Picture) -> dict[Noun, Float]:
    """Every thing that the picture shows, and where it stands: world x, y (2,)."""
    names, labels = _colour_labels(frame.rgb)
    found: dict[Noun, tuple[int, Float]] = {}
    for index, colour in enumerate(names):
        for rows, columns in _blobs(labels == index):
            if rows.size < _SMALLEST_BLOB_PX:
                continue
            pixels = np.column_stack([columns, rows]).astype(np.float64)
            kind = _kind(frame, pixels)
            place = unproject(frame, pixels.mean(axis=0)[None], _HEIGHT_M[kind])[0]
            on_table = (place > _TABLE_LOW_M).all() and (place < _TABLE_HIGH_M).all()
            thing = Noun(colour, kind)
            # Of two blobs of one name the larger is the thing, the other a part of it.
            if on_table and rows.size > found.get(thing, (0, place))[0]:
                found[thing] = (rows.size, place)
    return {thing: place for thing, (_, place) in found.items()}


def _colour_labels(rgb: NDArray[np.uint8]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Names, and for each pixel the index of its name; -1 for the table, which fills most of the picture."""
    values = rgb.astype(np.int64)
    table = np.median(values.reshape(-1, 3), axis=0)
    high, low = values.max(axis=2), values.min(axis=2)
    chroma = high - low
    hue = _hue_deg(values, chroma)
    names = tuple(_HUES_DEG)
    away = np.abs((hue[..., None] - np.array([_HUES_DEG[name] for name in names]) + 180) % 360 - 180)
    labels = away.argmin(axis=2)
    grey = chroma < 0.12 * high
    labels[grey] = len(names)
    labels[high < 40] = len(names) + 1
    labels[np.abs(values - table).sum(axis=2) < 20] = -1
    return (*names, "white", "black"), labels


def _hue_deg(values: NDArray[np.int64], chroma: NDArray[np.int64]) -> Float:
    red, green, blue = np.moveaxis(values, 2, 0)
    ahead = np.stack([green - blue, blue - red, red - green]) / np.maximum(chroma, 1)
    # The brightest of red, green and blue says from where the hue is counted; the first of equals.
    brightest = values.argmax(axis=2)
    return 60.0 * (2.0 * brightest + np.take_along_axis(ahead, brightest[None], axis=0)[0])


def _blobs(mask: NDArray[np.bool_]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows and columns of each 8-connected region of `mask`."""
    todo = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    blobs = []
    while todo:
        stack = [todo.pop()]
        blob = list(stack)
        while stack:
            row, column = stack.pop()
            for near in [(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                if near in todo:
                    todo.remove(near)
                    stack.append(near)
                    blob.append(near)
        rows, columns = np.array(blob, dtype=np.int64).T
        blobs.append((rows, columns))
    return blobs


def _kind(frame: Picture, pixels: Float) -> str:
    """What a blob is, by its width on the table and whether it fills a flat square."""
    on_table = unproject(frame, pixels, 0.0)
    if np.ptp(on_table[:, 1]) < _BLOCK_WIDEST_M:
        return "block"
    # Light falls on a flat square everywhere alike, and on the inside of a bowl everywhere differently.
    columns, rows = pixels.astype(np.int64).T
    light = frame.rgb[rows, columns].max(axis=1).astype(np.float64)
    flat = np.abs(light - np.median(light)) <= _FLAT_LEVELS
    return "zone" if flat.mean() > _FLAT_SHARE else "bowl"
