# SPDX-License-Identifier: Apache-2.0
"""What is told of a scene is true or wrong as it says, and what is masked is said and seen nowhere."""

from __future__ import annotations

import numpy as np

from embodied.data.sample import Sample, Seen
from embodied.language.nouns import Noun
from embodied.train.captions import altered, around, meaning, stands_alone
from embodied.train.lessons import EACH, UNSAID, holed, told, without_word
from embodied.types import Observation, Picture

THINGS = (
    Seen(colour="red", kind="block", u=0.1, v=0.2),
    Seen(colour="blue", kind="bowl", u=0.5, v=0.4),
    Seen(colour="orange", kind="block", u=0.5, v=0.4, on=1),
    Seen(colour=None, kind="zone", u=0.9, v=0.8),
    Seen(colour="green", kind="tray", u=0.1, v=0.8),
    Seen(colour="blue", kind="block", u=0.3, v=0.8, on=4),
)


def sample(things: tuple[Seen, ...] | None = THINGS, seed: int = 0) -> Sample:
    rgb = np.random.default_rng(seed).integers(1, 256, (40, 40, 3), dtype=np.uint8)
    picture = Picture(rgb=rgb, intrinsics_px=np.eye(3), world_from_camera=np.eye(4), stamp_s=0.0)
    return Sample(observations=(Observation(readings={"front": picture}),) * 2, commands=(), things=things)


def test_what_is_masked_is_one_thing() -> None:
    assert [number for number in range(len(THINGS)) if stands_alone(number, THINGS)] == [0, 5]


def test_a_scene_is_told_whole_or_with_a_hole_and_all_of_it_is_known() -> None:
    rng, found = np.random.default_rng(0), list[type]()
    for _ in range(40):
        (each,) = told([sample()], "front", rng)
        assert each.told is not None and each.told.things is None and each.things == THINGS
        lessons = [command.lesson for command in each.told.commands]
        found.append(type(lessons[0]))
        if isinstance(lessons[0], Noun):
            assert lessons in ([Noun("red", "block")], [Noun("blue", "block")])
            before, after = (one.observations for one in (each, each.told))
            assert all(
                (a.picture("front").rgb != b.picture("front").rgb).any() for a, b in zip(before, after, strict=True)
            )
            continue
        assert each.told.observations == each.observations
        assert [type(lesson) for lesson in lessons] == [bool] * 2 * EACH + [str] * EACH
        assert lessons[:EACH] == [True] * EACH
        for command in each.told.commands:
            assert command.text is not None and (UNSAID in command.text) == isinstance(command.lesson, str)
    assert 10 < found.count(Noun) < 30


def test_a_caption_that_could_not_be_made_wrong_is_true() -> None:
    alone = (Seen(colour="red", kind="block", u=0.5, v=0.5),)
    rng = np.random.default_rng(0)
    every = [each for _ in range(20) for each in told([sample(alone)], "front", rng)]
    whole = [each.told for each in every if each.told is not None and len(each.told.commands) > 1]
    assert whole and all(command.lesson is True for each in whole for command in each.commands[: 2 * EACH])
    others = told([sample(alone), sample()] * 10, "front", rng)
    wrong = [each.told.commands[EACH].lesson for each in others[::2] if each.told and len(each.told.commands) > 1]
    assert False in wrong, "with words of another scene"
    assert meaning(altered(THINGS, THINGS, rng)) != meaning(THINGS)


def test_a_word_that_is_left_out_is_said_nowhere() -> None:
    """Two scenes that differ in it are told in the same words."""
    other = (Seen(colour="purple", kind="block", u=0.1, v=0.2), *THINGS[1:])
    for seed in range(10):
        one, two = (without_word(things, 0, np.random.default_rng(seed)) for things in (THINGS, other))
        assert meaning(one[0]) != meaning(THINGS)
        if one[1] == "red":
            assert two[1] == "purple" and meaning(one[0]) == meaning(two[0])


def test_a_hole_hides_a_window_and_no_more() -> None:
    seen = sample().observations[0]
    rgb, window = seen.picture("front").rgb.copy(), around(THINGS[0])
    hidden = holed(seen, "front", window).picture("front").rgb
    rows, columns = np.nonzero((hidden == 0).all(axis=2))
    assert len(rows) == 100 and (columns.min(), columns.max(), rows.min(), rows.max()) == (0, 9, 3, 12)
    assert np.array_equal(np.where(hidden == 0, rgb, hidden), rgb), "all else is as it was"
    assert np.array_equal(seen.picture("front").rgb, rgb), "of the picture itself nothing is lost"


def test_where_nobody_knows_what_is_there_nothing_is_told() -> None:
    assert [each.told for each in told([sample(None), sample(())], "front", np.random.default_rng(0))] == [None, None]
