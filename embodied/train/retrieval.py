# SPDX-License-Identifier: Apache-2.0
"""What two towers are good for on scenes that they were not trained on: names of things without a classifier, captions
of pictures and pictures of captions. As controls all of it with the picture of another scene, and with a zeroed one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from embodied.data.sample import Seen
from embodied.errors import EmbodiedError
from embodied.model.towers import Towers, hardest
from embodied.report import Row, console, percent, wilson
from embodied.train import run
from embodied.train.captions import WHOLE, Caption, Window, Words, around, called, caption, crop, stands_alone
from embodied.train.grounding_data import GroundingData

OWN = "own"
PICTURES: Mapping[str, Callable[[Tensor], Tensor]] = {
    OWN: lambda pictures: pictures,
    "another scene's": lambda pictures: pictures.roll(1, dims=0),
    "zeroed": torch.zeros_like,
}
"""What is shown for the (N, S, S, 3) pictures of N scenes."""
AT = (1, 5)
AGAIN = 8
"""How many that are most similar are looked at again."""
_BATCH = 32


class Read(NamedTuple):
    """What a tower makes of N pictures or texts."""

    meant: Tensor  # (N, D) unit vectors
    states: Tensor  # (N, T, D)


def scores(model: Towers, words: Words, data: GroundingData) -> dict[str, Any]:
    """Rates with 95 % intervals as `rows`, and how often the things of each colour and kind were named right, `each`.

    Raises EmbodiedError for data that show nothing to measure.
    """
    scenes, alone, names = _asked(data)
    captions = _captions(scenes)
    same = torch.tensor([[one.meaning == other.meaning for other in captions] for one in captions])
    whole = data.picture(np.arange(len(data)))
    rows, each = list[Row](), dict[str, list[int]]()
    with torch.no_grad(), run.products():
        called_so = read_texts(model, words.ids([called(*name) for name in names]))
        ids = words.ids([each.text for each in captions])
        told = read_texts(model, ids)
        for shown, change in PICTURES.items():
            pictures = change(whole)
            seen = read_pictures(model, pictures, [(index, around(thing)) for index, thing in alone])
            right = named(seen.meant @ called_so.meant.T, names, [thing for _, thing in alone])
            if shown == OWN:
                each = counted(right, [thing for _, thing in alone])
            chances = {"colour": 1 / len(data.colours), "kind": 1 / len(data.kinds)}
            rows += [row(f"zero-shot {what}", shown, found, chances[what]) for what, found in right.items()]
            seen = read_pictures(model, pictures, [(index, WHOLE) for index in range(len(whole))])
            rows += retrieved(model, seen, told, ids, same, shown)
    return {"scenes": len(scenes), "rows": rows, "each": each}


def check_measurable(words: Words, data: GroundingData) -> None:
    """Raises EmbodiedError, before anything is trained, for what `scores` would refuse."""
    scenes, _, names = _asked(data)
    words.ids([called(*name) for name in names])
    words.ids([each.text for each in _captions(scenes)])


def _asked(
    data: GroundingData,
) -> tuple[Sequence[Sequence[Seen]], Sequence[tuple[int, Seen]], Sequence[tuple[str, str]]]:
    """The things of every scene, those that stand alone with the scene's number, and all names."""
    scenes = [data.things(index) for index in range(len(data))]
    alone = [
        (index, thing)
        for index, things in enumerate(scenes)
        for number, thing in enumerate(things)
        if stands_alone(number, things)
    ]
    if not alone or len(scenes) <= max(AT):
        raise EmbodiedError(f"{len(scenes)} scenes are too few to measure on; collect more, with another seed=")
    return scenes, alone, [(colour, kind) for colour in data.colours for kind in data.kinds]


def _captions(scenes: Sequence[Sequence[Seen]]) -> list[Caption]:
    rng = np.random.default_rng(0)
    return [caption(things, rng) for things in scenes]


def read_texts(model: Towers, ids: Tensor) -> Read:
    """What the model makes of (N, L) texts."""
    return Read(*model.texts(ids))


def read_pictures(model: Towers, pictures: Tensor, windows: Sequence[tuple[int, Window]]) -> Read:
    """What the model makes of windows of some `pictures` (N, S, S, 3)."""
    parts = list[Read]()
    for start in range(0, len(windows), _BATCH):
        which, where = zip(*windows[start : start + _BATCH], strict=True)
        parts.append(Read(*model.pictures(crop(pictures[list(which)], where))))
    return Read(*(torch.cat(each) for each in zip(*parts, strict=True)))


def named(similarity: Tensor, names: Sequence[tuple[str, str]], things: Sequence[Seen]) -> dict[str, Tensor]:
    """(N,) whether the most similar of the `names` has the right colour, and the right kind, by (N, K)."""
    said = [names[int(number)] for number in similarity.argmax(dim=1)]
    return {
        "colour": torch.tensor([colour == thing.colour for (colour, _), thing in zip(said, things, strict=True)]),
        "kind": torch.tensor([kind == thing.kind for (_, kind), thing in zip(said, things, strict=True)]),
    }


def counted(right: Mapping[str, Tensor], things: Sequence[Seen]) -> dict[str, list[int]]:
    """How many of each colour and kind were named right, of how many."""
    found = dict[str, list[int]]()
    for what, each in right.items():
        for good, thing in zip(each.tolist(), things, strict=True):
            count = found.setdefault(str(getattr(thing, what)), [0, 0])
            count[0], count[1] = count[0] + good, count[1] + 1
    return found


def rank(similarity: Tensor, same: Tensor) -> Tensor:
    """(N,) how many wrong ones are at least as similar, by (N, N), as the best of those that are right by `same`."""
    best = similarity.masked_fill(~same, -torch.inf).amax(dim=1, keepdim=True)
    return ((similarity >= best) & ~same).sum(dim=1)


def retrieved(model: Towers, seen: Read, told: Read, ids: Tensor, same: Tensor, shown: str) -> Iterator[Row]:
    """Rows of N whole pictures, what was `shown` for them, and their captions `told` with their `ids`."""
    count = len(same)

    def judged(pictures: Tensor, texts: Tensor) -> Tensor:
        """(K,) logits that picture and text belong together."""
        parts = zip(torch.split(pictures, _BATCH), torch.split(texts, _BATCH), strict=True)
        return torch.cat([model.matcher(seen.states[one], told.states[other], ids[other]) for one, other in parts])

    similarity = seen.meant @ told.meant.T
    for what, turned in (("picture to caption", False), ("caption to picture", True)):
        ranked = similarity.T if turned else similarity
        yield from (row(f"{what} R@{at}", shown, rank(ranked, same) < at, at / count) for at in AT)
        near = ranked.topk(min(AGAIN, count), dim=1).indices
        asked = torch.arange(count)[:, None].expand_as(near)
        pair = (near, asked) if turned else (asked, near)
        again = torch.full_like(ranked, -torch.inf)
        again[asked, near] = judged(*(each.flatten() for each in pair)).view_as(near).to(again.dtype)
        yield row(f"{what} R@1, best {AGAIN} matched", shown, rank(again, same) < 1, 1 / count)
    own, wrong = torch.arange(count), hardest(similarity, same)
    right = torch.cat([judged(own, own) > 0, judged(own, wrong) <= 0])
    yield row("matching, right and most similar wrong caption", shown, right, 0.5)


def row(score: str, picture: str, right: Tensor, chance: float) -> Row:
    """How many of (N,) are right, with the interval, and how many would be by chance."""
    count, n = int(right.sum()), len(right)
    known = {"right": count, "n": n, "share": count / n, "ci95": list(wilson(count, n)), "chance": chance}
    return {"score": score, "picture": picture, **known}


def print_scores(measured: Mapping[str, Any]) -> None:
    """The rows as a table on standard output: per cent, with 95 % intervals in brackets."""
    from rich.table import Table

    table = Table("score", "n", *(f"{shown} picture, %" for shown in PICTURES), "chance, %")
    table.title = f"{measured['scenes']} held-out scenes"
    found = {(row["score"], row["picture"]): row for row in measured["rows"]}
    for (score, shown), own in found.items():
        if shown == OWN:
            cells = [percent(found[score, each]["share"], found[score, each]["ci95"]) for each in PICTURES]
            table.add_row(score, str(own["n"]), *cells, f"{100 * own['chance']:.3g}")
    console().print(table)
