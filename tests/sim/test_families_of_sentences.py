# SPDX-License-Identifier: Apache-2.0
"""Families of sentences: what is said means what is scored, and training never says what is held out."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from embodied.language.dialogue import joined
from embodied.language.looks import LOOKS, Choice
from embodied.language.nouns import Noun
from embodied.language.verbs import ANSWERS, WHICH
from sim.grounding import render_scene
from sim.phrases import spoken
from sim.phrases.slips import slip
from sim.phrases.talk import Talk, plural
from sim.tasks import LANGUAGE, SceneState, make_task
from sim.tasks.answered import OF_TWO
from sim.tasks.long import came_about
from sim.tasks.scenes import HELD_OUT_THINGS, entities_of, pair_is_held_out
from sim.tasks.which_one import look_that_finds, ways_to_call
from sim.world import World


@pytest.mark.parametrize("name", LANGUAGE)
def test_what_is_meant_is_what_succeeds(name: str) -> None:
    """Where something is to be done, the oracle does it; where nothing is, to touch nothing is right."""
    env = gymnasium.make(f"Embodied/{make_task(name).name.title().replace('_', '')}-v0", action_mode="skill").unwrapped
    try:
        for seed in range(4):
            env.reset(seed=seed, options={"split": ("seen", "paraphrase")[seed % 2]})
            still = env.task.success(env.episode, env.scene_state())
            assert still == env.episode.plan.refused
            assert not env.task.went_wrong(env.episode, env.scene_state())
            if not still:
                env.arm.execute(env.oracle())
                env.world.note_touches()
                state = env.scene_state()
                assert env.task.success(env.episode, state), env.episode
                assert env.task.score(env.episode, state) == 1.0
                assert not env.task.went_wrong(env.episode, state)
                wrong = replace(env.episode, plan=next(iter(_others(env))), meant=(), alternatives=())
                assert not env.task.success(wrong, state)
                assert env.task.score(wrong, state) in (0.0, 0.5)
    finally:
        env.close()


def _others(env):
    """Plans of the same verb about other things."""
    right = {env.episode.plan, *(each.plan for each in env.episode.alternatives)}
    targets = {plan.target for plan in right}
    nouns = [noun for noun in make_task("touch").nouns() if str(noun) in env.scene_state().objects]
    for plan in make_task(env.episode.plan.verb).plans_for(nouns):
        if plan not in right and plan.target not in targets:
            yield plan
    pytest.skip("the scene has no other thing of this sort")


@pytest.mark.parametrize("name", LANGUAGE)
def test_training_never_names_what_is_held_out(name: str) -> None:
    task, rng = make_task(name), np.random.default_rng(3)
    unseen = [word for table in ("nouns", "colours") for word in _held_out_words(table)]
    for _ in range(40):
        episode = task.sample(rng)
        assert HELD_OUT_THINGS.isdisjoint(episode.plan.nouns) and not pair_is_held_out(episode.plan)
        if name not in ("remark", "impossible", "other_language", "question"):
            assert not [word for word in unseen if re.search(rf"\b{re.escape(word)}\b", episode.instruction.lower())]


def _held_out_words(table: str) -> list[str]:
    """Words that training never says; those that are part of one that it says are not to be told from it."""
    names = spoken._read("held_out")[table]
    known = " ".join(word for name in names for word in spoken.words(table, name))
    return [word for name in names for word in spoken.words(table, name, held_out=True) if word not in known]


@pytest.mark.parametrize("name", LANGUAGE)
def test_a_seed_says_the_same_again(name: str) -> None:
    task = make_task(name)
    for split in task.splits:
        one, again, other = (task.sample(np.random.default_rng(seed), split) for seed in (5, 5, 6))
        assert one.instruction == again.instruction and one.plan == again.plan
        assert one.instruction != other.instruction


def test_what_one_is_called_by_its_place_is_true_of_no_other() -> None:
    found: set[str] = set()
    for seed in range(120):
        objects = make_task("put_in_bowl").sample(np.random.default_rng(seed)).objects
        for item in objects:
            for way, others in ways_to_call(item, objects):
                found.add(way)
                rivals = [o for o in objects if o.kind == item.kind and o is not item]
                assert rivals and all((way, others) not in ways_to_call(rival, objects) for rival in rivals)
    assert found >= {"leftmost", "nearest", "nearest to", "left of", "behind", "between"}


def test_two_of_one_name_are_asked_about() -> None:
    for seed in range(20):
        episode = make_task("one_of_two").sample(np.random.default_rng(seed))
        assert episode.plan.verb == WHICH and episode.plan.target is not None
        assert f"{episode.plan.target} 2" in {o.name for o in episode.objects}


def test_of_two_of_one_name_the_look_finds_that_which_is_meant() -> None:
    """And the same act on the other one is not it: swapped words mean the other, or something else."""
    others = touched = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        task = make_task("which_twin")
        episode = task.sample(rng)
        counts = Counter(Noun(o.colour, o.kind) for o in episode.objects)
        [(noun, _)] = counts.most_common(1)
        twins = [o for o in episode.objects if (o.colour, o.kind) == (noun.colour, noun.kind)]
        assert len(twins) == 2 and noun in episode.plan.nouns
        if (swapped := task.swap(episode, rng)) is not None:
            assert (swapped.plan, swapped.meant) != (episode.plan, episode.meant)
            others += swapped.plan == episode.plan
        for meant in twins:
            if episode.plan.verb == "touch":
                state = SceneState(objects={o.name: o for o in episode.objects}, held=None, touched={meant.name})
                done = meant.name in episode.meant
                assert task.success(episode, state) == came_about(episode.plan.text(), episode, state) == done
                touched += 1
            for way, named in ways_to_call(meant, episode.objects, by_name=True):
                look = look_that_finds(way, noun, named)
                finds = LOOKS.get(look.verb)
                chosen = finds.chosen(look, entities_of(episode.objects)) if isinstance(finds, Choice) else None
                assert chosen is not None and chosen.place_m == tuple(meant.position_m[:2])
    assert others > 0 and touched > 0


def test_an_answer_follows_on_the_command_that_it_settles() -> None:
    """What is done is what the command asks for, of one among several that it does not tell apart."""
    answers, commands, verbs = set(), set(), set()
    for seed in range(200):
        episode = make_task("answered").sample(np.random.default_rng(seed))
        command, _, answer = episode.instruction.partition(" / ")
        assert joined(command, answer) == episode.instruction and command and answer
        kinds = Counter(o.kind for o in episode.objects)
        assert max(kinds.values()) > 1
        verbs.add(episode.plan.verb)
        assert len({(o.colour, o.kind) for o in episode.objects}) == len(episode.objects)
        commands.add(command)
        answers.add(answer)
    assert len(commands) > 190 and len(answers) > 150
    # Somebody may also forbid it then, ask something, or say again what means several.
    assert {"nothing", "question", "absent", "which", "touch", "stack"} <= verbs


def test_answers_that_are_held_out_are_said_by_nobody_who_trains() -> None:
    held_out = {line for key in OF_TWO.values() for line in spoken.lines(key, held_out=True)}
    said = {}
    for split in ("seen", "paraphrase"):
        episodes = [make_task("answered").sample(np.random.default_rng(seed), split) for seed in range(200)]
        said[split] = {episode.instruction.partition(" / ")[2] for episode in episodes}
    assert not said["seen"] & held_out and said["paraphrase"] & held_out


def test_slips_leave_words_that_can_be_read() -> None:
    rng, said = np.random.default_rng(0), "put the purple block into the yellow bowl"
    for _ in range(200):
        slipped = slip(said, rng).lower()
        assert difflib.SequenceMatcher(None, said, slipped).ratio() > 0.7, slipped
    assert len({slip("pick up the red block", rng) for _ in range(50)}) > 20


def test_plurals() -> None:
    told = {"block": "blocks", "box": "boxes", "soup dish": "soup dishes", "toy": "toys", "berry": "berries"}
    assert {word: plural(word) for word in told} == told


def test_a_scene_is_spoken_about_as_it_is_seen() -> None:
    from embodied.arm import arm_model

    with World(arm_model("panda")) as world:
        said = [render_scene(world, seed, 64, LANGUAGE) for seed in range(12)]
    plans = [plan for scene in said for _, plan, _ in scene.commands]
    assert len(plans) > 12 * 16
    answers = [answer.split(" {")[0] for answer in ANSWERS.values()]
    assert 0.2 < np.mean([any(plan.startswith(answer) for answer in answers) for plan in plans]) < 0.7


def test_what_is_held_out_as_a_whole_is_said_by_nobody_who_trains() -> None:
    talk = Talk(np.random.default_rng(0))
    assert not [key for key in spoken.HELD_OUT_KEYS if talk.may_say(key)]
