# SPDX-License-Identifier: Apache-2.0
"""The shipped policy on scenes from development seeds: it reads, it looks, it says no."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from embodied.controls import Policies
from embodied.environments import make_environment
from embodied.episode import run_episode
from embodied.errors import CheckpointError, EmbodiedError, UnknownNameError
from embodied.geometry import project
from embodied.inputs import POINTED_HEIGHT_M
from embodied.language.dialogue import joined
from embodied.language.nouns import Noun
from embodied.language.seen import Entity
from embodied.language.verbs import Plan, parse_plan
from embodied.model.engine import Answer
from embodied.model.heads.pointing import Sight
from embodied.motion.actions import every_skill
from embodied.motion.places import ROOM_M
from embodied.policy import make_policy
from embodied.types import Decision, Instruction, Observation, Step
from policies.palme import SHIPPED, PalmePolicy

SEED = 700_000
"""Neither training nor evaluation draws from here."""
MADE = (Step(text="go home"),)


@pytest.fixture(scope="module")
def policies() -> Policies:
    """The shipped policy, and itself without the picture: each loaded once."""
    return Policies("palme", {})


@pytest.fixture(scope="module")
def policy(policies: Policies) -> PalmePolicy:
    plain = policies.plain
    assert isinstance(plain, PalmePolicy)
    return plain


@pytest.fixture(scope="module")
def env():
    env = make_environment("put_in_bowl", action_mode="skill", senses=("front",), skills=every_skill())
    yield env
    env.close()


def look(env, seed: int = SEED) -> Observation:
    env.reset(seed=seed)
    return env.unwrapped.observe()


def run(env, policies: Policies, split: str, task: str, count: int) -> int:
    """How many of `count` episodes succeed."""
    episodes = [run_episode(env, policies, task=task, split=split, seed=SEED + i) for i in range(count)]
    return sum(episode.success for episode in episodes)


def test_it_does_what_it_is_told(env, policies: Policies):
    assert run(env, policies, "seen", "put_in_bowl", 10) >= 8


def test_it_follows_the_words_when_they_change(env, policies: Policies):
    assert run(env, policies, "swapped", "put_in_bowl", 8) >= 6


@pytest.mark.parametrize("control", ["no_vision", "other_image", "no_language"])
def test_without_picture_or_words_it_fails(env, policies: Policies, control: str):
    assert run(env, policies, control, "put_in_bowl", 5) <= 1


def test_a_thing_that_is_not_there_is_named_and_nothing_moves(env, policy: PalmePolicy):
    observation = look(env)
    here = {o.name for o in env.unwrapped.episode.objects}
    absent = next(name for c in ("red", "blue", "white", "black") if (name := f"{c} block") not in here)
    policy.reset(Instruction(text=f"pick up the {absent}"))
    decision = policy.decide(observation)
    assert decision.refused and decision.motion is None
    assert decision.text.startswith(f"I see no {absent}; I see: ")
    named = set(decision.text.partition("I see: ")[2].rstrip(".").split(", "))
    assert len(named & here) >= len(here) - 1


@pytest.mark.parametrize("text", ["", "   ", "make me a coffee", "sing a song"])
def test_what_it_cannot_do_is_answered_plainly(env, policy: PalmePolicy, text: str):
    policy.reset(Instruction(text=text))
    decision = policy.decide(look(env))
    assert decision.refused and decision.motion is None
    assert "I can" in decision.text


def decisions(env, policy: PalmePolicy, text: str, count: int = 6) -> list[Decision]:
    """What is decided on `text` in so many scenes; `{a}` in it is a block that is there, of which there is one."""
    found = []
    for seed in range(SEED, SEED + count):
        observation = look(env, seed)
        block = next(o.name for o in env.unwrapped.episode.objects if o.kind == "block")
        policy.reset(Instruction(text=text.format(a=f"the {block}")))
        found.append(policy.decide(observation))
    return found


@pytest.mark.parametrize("text", ["don't touch {a}", "never pick up {a}", "whistle a tune for {a}"])
def test_what_asks_for_no_motion_gets_none(env, policy: PalmePolicy, text: str):
    assert all(decision.refused and decision.motion is None for decision in decisions(env, policy, text))


def test_a_question_is_answered_and_moves_nothing(env, policy: PalmePolicy):
    found = decisions(env, policy, "WHERE IS {a}?")
    assert all(decision.motion is None for decision in found)
    assert sum(any(place in each.text for place in (" left", " right", " middle")) for each in found) >= 4


def test_capitals_and_typing_slips_mean_the_same(env, policy: PalmePolicy):
    plain, loud, slipped = (decisions(env, policy, text) for text in ("touch {a}", "TOUCH {a}!!", "tuch teh {a}"))
    assert sum(each.motion is not None and each.text.startswith("touch ") for each in plain) >= 5
    assert [each.text for each in plain] == [each.text for each in loud]
    assert sum(a.text == b.text for a, b in zip(plain, slipped, strict=True)) >= 5


def test_where_several_may_be_meant_it_is_asked_which(env, policy: PalmePolicy):
    """Each of these scenes has at least two blocks."""
    asked = decisions(env, policy, "lift the block")
    assert sum(each.asked and each.text.startswith("Which block do you mean") for each in asked) >= 4


def test_of_two_things_of_one_name_none_is_taken(policy: PalmePolicy):
    made = make_environment("one_of_two", action_mode="skill", senses=("front",))
    told = 0
    for seed in range(SEED, SEED + 6):
        made.reset(seed=seed)
        episode = made.unwrapped.episode
        policy.reset(Instruction(text=episode.instruction))
        decision = policy.decide(made.unwrapped.observe())
        told += decision.refused and decision.asked and f"Which {episode.plan.target} do you mean?" in decision.text
    made.close()
    assert told >= 4


def says(
    plan: Plan, sights: tuple[Sight, ...] = (), visible: tuple[Sight, ...] = (), confidence: float = 0.9
) -> Answer:
    return Answer(
        plan=plan,
        confidence=confidence,
        sights=sights,
        visible=visible,
        others={},
        things=(),
        features={},
        timings_ms={},
    )


@pytest.mark.parametrize(
    ("confidence", "several", "text"),
    [
        (0.9, (), "lift red block"),
        (0.66, (), "lift red block"),
        (0.64, (), "not sure"),
        (0.64, ("red block",), "not sure"),
        (0.9, ("red block",), "Which red block do you mean?"),
        (0.9, ("red block",), "I cannot tell them apart"),  # a model that knows no looks: no answer would settle it
        (0.9, ("blue bowl",), "lift red block"),
    ],
)
def test_what_is_in_doubt_is_said_and_not_done(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch, confidence: float, several: tuple[str, ...], text: str
):
    """In doubt is what it is not certain of, and which of several is meant, where the plan names these."""
    observation = look(env)
    seen = [Noun("red", "block"), Noun("blue", "bowl")]
    sights = tuple(Sight(noun=n, point=(0.5, 0.5), probability=0.9, several=str(n) in several) for n in seen)
    answer = says(Plan(verb="pick_up", target=seen[0]), sights[:1], sights, confidence)
    monkeypatch.setattr(policy.engine, "answer", lambda *_, **__: answer)
    monkeypatch.setattr(policy, "_tells_apart", text.startswith("Which"))
    policy.reset(Instruction(text="lift that one, with the thing"))
    decision = policy.decide(observation)
    assert text in decision.text
    assert decision.refused == (decision.motion is None) == (text != "lift red block")
    assert decision.asked == text.startswith("Which")


def test_what_else_it_sees_is_no_free_place(env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch):
    """In the middle of the table stands something that the plan does not name."""
    observation = look(env)
    frame = observation.picture("front")
    red, blue = Noun("red", "block"), Noun("blue", "block")
    pixels = project(frame, np.array([[0.6, 0.2, POINTED_HEIGHT_M], [0.5, 0.0, POINTED_HEIGHT_M]]))
    points = (pixels + 0.5) / frame.rgb.shape[1::-1]
    target, other = (
        Sight(noun=noun, point=(u, v), probability=0.9) for noun, (u, v) in zip((red, blue), points, strict=True)
    )
    plan = Plan(verb="put_at", target=red, relation="middle")
    for visible, expected in (((target,), (0.5, 0.0)), ((target, other), None)):
        answer = says(plan, sights=(target,), visible=visible)
        monkeypatch.setattr(policy.engine, "answer", lambda *_, answer=answer, **__: answer)
        policy.reset(Instruction(text="put the red block in the middle"))
        start, goal = policy.decide(observation).motion.points_m[:, :2]
        np.testing.assert_allclose(start, (0.6, 0.2), atol=1e-6)
        if expected is None:
            assert np.linalg.norm(goal - [0.5, 0.0]) >= ROOM_M - 1e-9
        else:
            np.testing.assert_allclose(goal, expected)


def test_words_without_a_thing_need_no_colour(env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch):
    answer = says(Plan(verb="go_home"))
    monkeypatch.setattr(policy.engine, "answer", lambda *_, **__: answer)
    policy.reset(Instruction(text="go home"))
    decision = policy.decide(look(env))
    assert not decision.refused and decision.motion.skill == "home"


def test_a_question_back_is_told_and_the_answer_is_read_with_the_command(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch
):
    read: list[str] = []

    def answer(_senses: object, text: str, **_: object) -> Answer:
        read.append(text)
        asks = Plan(verb="which", target=Noun("", "block"))
        return says(asks if " / " not in text else Plan(verb="go_home"))

    monkeypatch.setattr(policy.engine, "answer", answer)
    policy.reset(Instruction(text="touch the block"))
    decision = policy.decide(look(env))
    assert decision.refused and decision.asked and decision.text.startswith("Which block do you mean?")
    policy.reset(Instruction(text="the blue one", earlier="touch the block", asked=True))
    decision = policy.decide(look(env))
    assert not decision.refused and not decision.asked
    assert read == ["touch the block", joined("touch the block", "the blue one")]


@pytest.mark.parametrize(("surely", "text"), [(0.9, "A red block."), (0.2, "I am not sure; perhaps: a red block.")])
def test_an_answer_ends_the_command_and_doubt_is_told(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch, surely: float, text: str
):
    found = replace(says(Plan(verb="say", said="a red block")), confidence=surely)
    monkeypatch.setattr(policy.engine, "answer", lambda *_, **__: found)
    policy.reset(Instruction(text="what is this?"))
    decision = policy.decide(look(env))
    assert (decision.text, decision.motion, decision.done) == (text, None, True)
    assert decision.refused == (surely < 0.5) and not decision.asked


def test_what_was_begun_is_not_left_for_a_little_doubt(env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(policy, "_in_steps", True)
    observation = look(env)
    for surely, begins, goes_on in ((0.7, True, True), (0.4, False, True), (0.2, False, False)):
        doubtful = replace(says(Plan(verb="open_hand")), confidence=surely)
        monkeypatch.setattr(policy.engine, "answer", lambda *_, told=doubtful, **__: told)
        policy.reset(Instruction(text="go to rest, then let go"))
        assert (policy.decide(observation).motion is not None) == begins
        policy.reset(Instruction(text="go to rest, then let go"))
        assert (policy.decide(replace(observation, steps=MADE)).motion is not None) == goes_on


def test_what_was_tried_three_times_in_vain_is_given_up(env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(policy.engine, "answer", lambda *_, **__: says(Plan(verb="go_home")))
    monkeypatch.setattr(policy, "_in_steps", True)
    policy.reset(Instruction(text="go to rest"))
    observation = look(env)
    decisions = [policy.decide(replace(observation, steps=MADE * count)) for count in range(4)]
    assert [decision.refused for decision in decisions] == [False, False, False, True]
    assert "in vain" in decisions[-1].text


def test_what_was_done_before_is_read_by_one_that_was_taught_so(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch
):
    read: list[str] = []

    def answer(_senses: object, text: str, **_: object) -> Answer:
        read.append(text)
        return says(Plan(verb="go_home"))

    monkeypatch.setattr(policy.engine, "answer", answer)
    for taught in (False, True):
        monkeypatch.setattr(policy, "_in_steps", taught)
        policy.reset(Instruction(text="again", earlier="go to rest > go home"))
        policy.decide(look(env))
    assert read == ["again", "go to rest > go home / again"]


def test_one_that_was_taught_to_say_done_plans_step_by_step(env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch):
    """The steps stand in the sentence, the plan is written anew after each, and "done" is no refusal."""
    read: list[tuple[str, bool]] = []

    def answer(_senses: object, text: str, plan: Plan | None = None, **_: object) -> Answer:
        read.append((text, plan is not None))
        return says(plan or Plan(verb="done" if text.endswith("home") else "go_home"))

    monkeypatch.setattr(policy.engine, "answer", answer)
    monkeypatch.setattr(policy, "_in_steps", True)
    observation = look(env)
    policy.reset(Instruction(text="go to rest"))
    first, again = policy.decide(observation), policy.decide(observation)
    assert first.motion is not None and not first.done and not again.done
    last = policy.decide(replace(observation, steps=MADE))
    assert (last.text, last.motion, last.done, last.refused) == ("Done.", None, True, False)
    assert read == [("go to rest", False), ("go to rest", True), (joined("", "go to rest", MADE), False)]


def test_one_that_was_not_is_done_after_one_act(env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch):
    read: list[str] = []
    monkeypatch.setattr(policy.engine, "answer", lambda _, text, **__: read.append(text) or says(Plan(verb="go_home")))
    monkeypatch.setattr(policy, "_in_steps", False)
    policy.reset(Instruction(text="go to rest"))
    assert policy.decide(look(env)).done
    policy.decide(replace(look(env), steps=MADE))
    assert read == ["go to rest"] * 2, "it never read of steps"


def test_equal_inputs_give_equal_decisions_and_the_plan_is_kept(env, policy: PalmePolicy):
    observation = look(env)
    policy.reset(Instruction(text=env.unwrapped.episode.instruction))
    first = policy.decide(observation)
    again = policy.decide(observation)
    assert "decode" in first.timings_ms and "decode" not in again.timings_ms
    assert first.text == again.text
    np.testing.assert_allclose(first.motion.points_m, again.motion.points_m, atol=0.003)


def test_the_picture_may_have_another_size(env, policy: PalmePolicy):
    env.reset(seed=SEED)
    world = env.unwrapped.world
    observation = env.unwrapped.observe()
    policy.reset(Instruction(text=env.unwrapped.episode.instruction))
    small = policy.decide(observation).motion.points_m
    large = Observation(readings={**observation.readings, "front": world.render("front", 320)})
    policy.reset(Instruction(text=env.unwrapped.episode.instruction))
    np.testing.assert_allclose(policy.decide(large).motion.points_m, small, atol=0.01)


def test_wrong_options_say_what_is_valid(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'no_vision'"):
        make_policy("palme", {"no_visions": True})
    with pytest.raises(CheckpointError, match="no checkpoint directory"):
        PalmePolicy(checkpoint=str(tmp_path / "none"))
    with pytest.raises(EmbodiedError, match="unknown device"):
        PalmePolicy(device="abacus")


def test_the_checkpoint_is_small_and_carries_its_card():
    sizes = [path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(sizes) <= 96_000_000
    assert max(sizes) <= 64_000_000
    card = (SHIPPED / "README.md").read_text()
    assert "95 % intervals" in card and "seed" in card


def test_the_gpu_answers_as_the_cpu(env, policy: PalmePolicy):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    observation = look(env)
    answers = []
    for each in (policy, PalmePolicy(device="cuda")):
        each.reset(Instruction(text=env.unwrapped.episode.instruction))
        answers.append(each.decide(observation))
    assert answers[0].text == answers[1].text
    np.testing.assert_allclose(answers[0].motion.points_m, answers[1].motion.points_m, atol=0.005)


def test_a_camera_that_is_missing_is_named(env, policy: PalmePolicy):
    observation = look(env)
    policy.reset(Instruction(text="touch the red block"))
    assert policy.needs == ("front",)
    wrong = Observation(readings={"wrist": observation.picture("front")})
    with pytest.raises(EmbodiedError, match="no picture called 'front'; there are: wrist"):
        policy.decide(wrong)


def test_a_look_is_read_on_from_and_the_pictures_are_encoded_once(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch
):
    """Which block is the leftmost is found, not guessed; what is doubted on the way counts."""
    things = tuple(Entity(colour=c, kind="block", place_m=(0.5, y)) for c, y in (("blue", 0.1), ("red", -0.1)))
    asked = parse_plan("look for leftmost any block")
    read: list[tuple[str, object]] = []

    def answer(_senses: object, text: str, *, features: object = None, **_: object) -> Answer:
        read.append((text, features))
        if " > " not in text:
            return replace(says(asked, confidence=0.9), things=things, features={"front": torch.ones(1)})
        return says(Plan(verb="say", said="the red block"), confidence=0.8)

    monkeypatch.setattr(policy.engine, "answer", answer)
    for knows, refused in ((0.7, False), (0.75, True)):
        read.clear()
        monkeypatch.setattr(policy, "_knows", knows)
        policy.reset(Instruction(text="which block is the leftmost?"))
        decision = policy.decide(look(env))
        assert decision.motion is None and decision.refused == refused and "he red block." in decision.text
        (first, none), (second, kept) = read
        assert (first, none) == ("which block is the leftmost?", None)
        assert second == f"{first} > look for leftmost any block: the red block" and kept is not None


def test_of_several_of_one_name_that_is_taken_for_which_it_looked(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch
):
    """The pointer finds either, and the look says which; when it is no longer seen, it is asked and not guessed."""
    observation, red = look(env), Noun("red", "block")
    frame = observation.picture("front")
    places_m = ((0.6, -0.1), (0.6, 0.2))
    points = (project(frame, np.array([[*xy, POINTED_HEIGHT_M] for xy in places_m])) + 0.5) / frame.rgb.shape[1::-1]
    left, right = (
        Entity(colour="red", kind="block", place_m=xy, point=(u, v))
        for xy, (u, v) in zip(places_m, points, strict=True)
    )
    sight = Sight(noun=red, point=right.point or (0, 0), probability=1.0, several=True)
    seen = [(left, right)]

    def answer(_senses: object, text: str, **_: object) -> Answer:
        looked = " > " in text or policy._plan is not None
        plan = (
            Plan(verb="pick_up", target=red) if looked or "the" in text else parse_plan("look for leftmost red block")
        )
        return replace(says(plan, sights=(sight,), visible=(sight,)), things=seen[-1])

    monkeypatch.setattr(policy.engine, "answer", answer)
    monkeypatch.setattr(policy, "_tells_apart", True)
    policy.reset(Instruction(text="lift the red block"))
    decision = policy.decide(observation)
    assert decision.motion is None and decision.asked
    policy.reset(Instruction(text="lift leftmost red block"))
    for _ in range(2):  # also when the plan is known
        np.testing.assert_allclose(policy.decide(observation).motion.points_m[0, :2], places_m[0], atol=1e-6)
    for fewer in ((), (right,)):
        seen.append(fewer)
        assert policy.decide(observation).asked


def test_the_other_one_of_its_name_stands_in_the_way(env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch):
    observation, red = look(env), Noun("red", "block")
    frame = observation.picture("front")
    places_m = ((0.6, -0.15), (0.5, 0.0))  # the other is in the middle
    points = (project(frame, np.array([[*xy, POINTED_HEIGHT_M] for xy in places_m])) + 0.5) / frame.rgb.shape[1::-1]
    things = tuple(
        Entity(colour="red", kind="block", place_m=xy, point=(u, v))
        for xy, (u, v) in zip(places_m, points, strict=True)
    )
    sight = Sight(noun=red, point=things[1].point or (0, 0), probability=1.0, several=True)

    def answer(_senses: object, text: str, **_: object) -> Answer:
        plan = Plan(verb="put_at", target=red, relation="middle")
        plan = plan if " > " in text else parse_plan("look for leftmost red block")
        return replace(says(plan, sights=(sight,), visible=(sight,)), things=things)

    monkeypatch.setattr(policy.engine, "answer", answer)
    policy.reset(Instruction(text="put the left red block in the middle"))
    start, goal = policy.decide(observation).motion.points_m[:, :2]
    np.testing.assert_allclose(start, places_m[0], atol=1e-6)
    assert np.linalg.norm(goal - places_m[1]) >= ROOM_M - 1e-9


def test_a_part_of_what_was_said_is_read_by_itself_and_looks_of_its_own_come_after(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch
):
    """ "First this, then that": what is left is read with the steps, and the part that is next without anything."""
    parts, read = iter(["touch the block on the left", "go home"]), list[str]()

    def answer(_senses: object, text: str, **_: object) -> Answer:
        read.append(text)
        if ", then " in text:
            plan = Plan(verb="now", said=next(parts))
        elif text == "touch the block on the left":
            plan = parse_plan("look for leftmost any block")
        else:
            plan = parse_plan("touch red block" if " > " in text else "go home")
        sights = (Sight(noun=Noun("red", "block"), point=(0.5, 0.5), probability=1.0),) if plan.nouns else ()
        things = (Entity(colour="red", kind="block", place_m=(0.5, 0.0)),)
        return replace(says(plan, confidence=0.9), things=things, sights=sights)

    monkeypatch.setattr(policy.engine, "answer", answer)
    monkeypatch.setattr(policy, "_in_steps", True)
    said = "touch the block on the left, then go home"
    policy.reset(Instruction(text=said))
    assert policy.decide(look(env)).text == "touch red block"
    assert policy.decide(replace(look(env), steps=(Step(text="touch red block"),))).text == "go home"
    alone = "touch the block on the left"
    assert read == [
        *(said, alone, f"{alone} > look for leftmost any block: the red block"),
        *(f"{said} > touch red block", "go home"),
    ]


@pytest.mark.parametrize(("confidence", "refused"), [(0.6, True), (0.9, False)])
def test_a_part_must_be_as_sure_after_other_steps_as_at_first_and_needs_no_picture(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch, confidence: float, refused: bool
):
    """ "... but don't touch the blue one": who reads a part alone does not see what stands before it."""

    def answer(_senses: object, text: str, **_: object) -> Answer:
        part = Plan(verb="now", said="go to rest") if " > " in text else Plan(verb="go_home")
        return replace(says(part, confidence=1.0 if part.looks else confidence), things=None)

    monkeypatch.setattr(policy.engine, "answer", answer)
    monkeypatch.setattr(policy, "_in_steps", True)
    policy.reset(Instruction(text="touch it, go to rest"))
    decision = policy.decide(replace(look(env), steps=(Step(text="touch red block"),)))
    assert decision.refused == refused and (decision.motion is None) == refused


@pytest.mark.parametrize(("confidence", "verb"), [(0.0, "go_home"), (0.6, "nothing"), (1.0, "done")])
def test_what_was_not_said_is_not_read_and_a_part_is_not_done_before_it_is_begun(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch, confidence: float, verb: str
):
    read = list[str]()

    def answer(_senses: object, text: str, **_: object) -> Answer:
        read.append(text)
        part = Plan(verb="now", said="move it 3")
        return says(part, confidence=confidence) if " > " in text else says(Plan(verb=verb), confidence=1.0)

    monkeypatch.setattr(policy.engine, "answer", answer)
    monkeypatch.setattr(policy, "_in_steps", True)
    policy.reset(Instruction(text="touch it, then move it 3.5 cm"))
    decision = policy.decide(replace(look(env), steps=(Step(text="touch red block"),)))
    assert decision.refused and decision.motion is None and "'now move it 3', and am not sure" in decision.text
    assert len(read) == (2 if verb == "done" else 1)


def test_other_words_about_the_same_picture_need_no_encoder(env, policy: PalmePolicy):
    """What was encoded is given back, all of it: some of the tokens were left out when it was read."""
    engine = policy.engine
    senses = engine.model.senses([look(env)])
    first = engine.answer(senses, "what do you see?")
    again, anew = (
        engine.answer(senses, "touch the leftmost block", features=known) for known in (first.features, None)
    )
    assert again.things == anew.things and again.things
    assert (again.plan, again.sights) == (anew.plan, anew.sights)
    assert again.confidence == pytest.approx(anew.confidence, rel=1e-3)


def test_what_was_found_is_looked_for_anew_in_the_next_picture(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch
):
    asked, read = parse_plan("look for leftmost any block"), list[str]()
    tables = iter(["red", "red", "blue", "blue"])

    def answer(_senses: object, text: str, **_: object) -> Answer:
        read.append(text)
        things = (Entity(colour=next(tables), kind="block", place_m=(0.5, 0.0)),)
        told = Plan(verb="say", said="that one") if " > " in text else asked
        return replace(says(told), things=things)

    monkeypatch.setattr(policy.engine, "answer", answer)
    policy.reset(Instruction(text="which one is it?"))
    assert [policy.decide(look(env)).text for _ in range(2)] == ["That one."] * 2
    assert [text.rpartition(": ")[2] for text in read[1::2]] == ["the red block", "the blue block"]
    assert read[0] == read[2] == "which one is it?"


@pytest.mark.parametrize("things", [(), None])
def test_who_does_not_know_after_looking_or_cannot_look_does_nothing(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch, things: tuple[Entity, ...] | None
):
    """Without a picture "none" would be an answer about what nobody saw."""
    read = list[str]()

    def answer(_senses: object, text: str, **_: object) -> Answer:
        read.append(text)
        return replace(says(parse_plan("look around"), confidence=1.0), things=things)

    monkeypatch.setattr(policy.engine, "answer", answer)
    policy.reset(Instruction(text="is there anything?"))
    decision = policy.decide(look(env))
    assert decision.refused and decision.motion is None and "not sure" in decision.text
    assert len(read) == (1 if things is None else 4)


@pytest.mark.parametrize(("steps", "reads"), [(51, 1), (60, 0)])
def test_what_is_too_long_to_be_read_to_its_end_is_said_and_not_cut(
    env, policy: PalmePolicy, monkeypatch: pytest.MonkeyPatch, steps: int, reads: int
):
    """What was done last, and what a look found, stand at the end."""
    read = list[str]()

    def answer(_senses: object, text: str, **_: object) -> Answer:
        read.append(text)
        things = (Entity(colour="red", kind="block", place_m=(0.5, 0.0)),)
        return replace(says(parse_plan("look for any block"), confidence=1.0), things=things)

    monkeypatch.setattr(policy.engine, "answer", answer)
    monkeypatch.setattr(policy, "_in_steps", True)
    policy.reset(Instruction(text="touch red block again and again"))
    made = (Step(text="touch red block"), Step(text="touch green bowl")) * 30
    decision = policy.decide(replace(look(env), steps=made[:steps]))
    assert decision.refused and decision.motion is None and len(read) == reads
    assert ("not sure" if reads else "Say what is left to do") in decision.text
