# SPDX-License-Identifier: Apache-2.0
"""A caption names what lies in its window, each thing once, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from embodied.data.sample import Seen
from embodied.errors import EmbodiedError
from embodied.train import captions
from embodied.train.captions import WHOLE, Window, Words, around, called, caption, crop, some_window, within

COLOURS, KINDS = ("red", "orange", "blue"), ("block", "bowl", "zone")
THINGS = (
    Seen(colour="red", kind="block", u=0.1, v=0.2),
    Seen(colour="blue", kind="bowl", u=0.5, v=0.4),
    Seen(colour="orange", kind="block", u=0.5, v=0.4, on=1),
    Seen(colour=None, kind="zone", u=0.9, v=0.8),
    Seen(colour="red", kind="block", u=0.8, v=0.2),
)


def test_what_lies_in_a_window_keeps_its_place_there_and_what_it_is_in() -> None:
    assert within(THINGS, WHOLE) == THINGS
    bowl, block = within(THINGS, Window(0.4, 0.2, 0.4))
    assert (bowl.kind, block.colour, block.on) == ("bowl", "orange", 0), "by its number in the window"
    assert (bowl.u, bowl.v) == pytest.approx((0.25, 0.5))
    (alone,) = within((THINGS[1], Seen(colour="red", kind="block", u=0.1, v=0.4, on=0)), Window(0.0, 0.2, 0.3))
    assert alone.on is None, "the bowl lies outside"


def test_a_caption_names_exactly_what_lies_within() -> None:
    rng = np.random.default_rng(0)
    for number in range(300):
        window = some_window(THINGS[number % len(THINGS)], rng)
        assert window.left >= 0 and window.top >= 0 and window.side <= 1
        assert max(window.left, window.top) + window.side <= 1 + 1e-9
        inside = within(THINGS, window)
        assert any(each.kind == THINGS[number % len(THINGS)].kind for each in inside), "what it was opened on"
        told = caption(inside, rng)
        assert Counter(" ".join(phrase.split()[:3]) for phrase in told.meaning) == Counter(
            " ".join(f"{called(each.colour, each.kind)} at".split()[:3])
            if each.on is None and len(inside) > 1 and each.colour is None
            else called(each.colour, each.kind)
            for each in inside
        )
        assert all(phrase in told.text for phrase in told.meaning)
        names = Counter(word for word in captions.split(told.text) if word in KINDS)
        in_another = sum(each.on is not None for each in inside)
        assert names.total() == len(inside) + in_another, "and what something is in once more"


def test_captions_that_mean_the_same_are_the_same_whatever_the_order_and_the_opening() -> None:
    told = [caption(THINGS, np.random.default_rng(seed)) for seed in range(20)]
    assert len({each.text for each in told}) > 10 and len({each.meaning for each in told}) == 1
    assert told[0].meaning == (
        "a blue bowl at the back middle",
        "a red block at the back left",
        "a red block at the back right",
        "a zone at the front right",
        "an orange block in the blue bowl",
    )
    assert caption(THINGS[1:2], np.random.default_rng(0)).meaning == ("a blue bowl",), "alone, its name is enough"
    assert (
        caption(THINGS[:2], np.random.default_rng(0)).meaning != caption(THINGS[:1], np.random.default_rng(0)).meaning
    )
    assert caption((), np.random.default_rng(0)).meaning == ("nothing",)


def test_a_wrong_caption_is_wrong_in_one_thing_or_in_two_places_and_of_words_that_are_said() -> None:
    rng, changes = np.random.default_rng(0), Counter[str]()
    for _ in range(200):
        told = captions.altered(THINGS, THINGS, rng)
        right, wrong = (Counter(captions.meaning(each)) for each in (THINGS, told))
        assert right != wrong and len(told) == len(THINGS)
        (changed,) = {
            "places"
            if (before.u, before.v) != (after.u, after.v)
            else "colour"
            if before.colour != after.colour
            else "kind"
            for before, after in zip(THINGS, told, strict=True)
            if before != after
        }
        changes[changed] += 1
        assert {each.colour for each in told} <= {each.colour for each in THINGS}
        assert {each.kind for each in told} <= set(KINDS)
    assert min(changes[each] for each in ("places", "colour", "kind")) > 10
    assert captions.altered(THINGS[:1], THINGS[:1], rng) == THINGS[:1], "there is nothing else to say"


def test_words_alone_do_not_give_a_wrong_caption_away() -> None:
    rng, right, wrong = np.random.default_rng(1), Counter[str | None](), Counter[str | None]()
    names = [(colour, kind) for colour in COLOURS for kind in KINDS]
    for _ in range(100):
        scenes = []
        for _ in range(4):
            chosen = rng.choice(len(names), 5, replace=False)
            places = rng.uniform(size=(5, 2))
            found = [
                Seen(colour=names[name][0], kind=names[name][1], u=u, v=v)
                for name, (u, v) in zip(chosen, places, strict=True)
            ]
            scenes.append((*found[:4], replace(found[4], u=found[0].u, v=found[0].v, on=0)))
        every = [thing for scene in scenes for thing in scene]
        for scene in scenes:
            told = captions.altered(scene, every, rng)
            assert len({(each.colour, each.kind) for each in told}) == 5, "no name is there twice"
            assert (told[0].kind, told[4].kind) == (scene[0].kind, scene[4].kind), "holders stay holders"
            right.update(word for each in scene for word in (each.colour, each.kind))
            wrong.update(word for each in told for word in (each.colour, each.kind))
    assert all(abs(wrong[word] - count) < 0.15 * count for word, count in right.items())


def test_every_word_of_a_caption_has_a_number_and_no_other() -> None:
    words = Words(COLOURS, KINDS)
    texts = [caption(THINGS, np.random.default_rng(seed)).text for seed in range(20)] + [called("red", "block")]
    ids = words.ids(texts)
    assert 0 < int(ids.max()) < len(words) and bool((ids[:-1, :9] > 0).all())
    assert (ids[-1] > 0).sum() == 3, "what is short is filled up with none"
    assert torch.equal(words.ids(["A red block"]), words.ids(["a  red block"]))
    assert "," in captions.split("a red block, a bowl")
    with pytest.raises(EmbodiedError, match="no caption of the training data has the word 'teapot'; it has: "):
        words.ids(["a red teapot"])


def test_a_window_is_cut_out_where_it_is() -> None:
    picture = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    picture[0, 8:16, 16:24] = torch.tensor([10, 20, 30], dtype=torch.uint8)
    cut = crop(picture.expand(2, -1, -1, -1), [Window(0.5, 0.25, 0.25), WHOLE])
    torch.testing.assert_close(cut[0, 4:-4, 4:-4], torch.tensor([10.0, 20.0, 30.0]).expand(24, 24, 3))
    torch.testing.assert_close(cut[1], picture[0].float(), atol=1e-3, rtol=0.0)


def test_a_window_around_one_thing_has_it_in_its_middle_as_far_as_the_picture_goes() -> None:
    assert around(THINGS[1], 0.2) == pytest.approx((0.4, 0.3, 0.2))
    assert around(THINGS[0], 0.4) == pytest.approx((0.0, 0.0, 0.4))
    assert around(THINGS[3], 0.4) == pytest.approx((0.6, 0.6, 0.4))
