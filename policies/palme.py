# SPDX-License-Identifier: Apache-2.0
"""The PaLM-E policy: the shipped checkpoint, or any other directory, behind the Policy contract."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from embodied.errors import EmbodiedError
from embodied.geometry import unproject
from embodied.inputs import POINTED_HEIGHT_M
from embodied.language.dialogue import joined
from embodied.language.door import MOST_READ
from embodied.language.looks import LOOKS, Choice, read_on, result_of
from embodied.language.nouns import Noun
from embodied.language.seen import Entity
from embodied.language.verbs import ABSENT, CANNOT, DONE, FOREIGN, NOTHING, QUESTION, SAY, WHICH, Plan, abilities
from embodied.model.engine import Answer, Engine
from embodied.model.heads import Act
from embodied.model.heads.pointing import Sight
from embodied.model.palme import Palme
from embodied.model.precision import prepared
from embodied.types import JOINTS, Decision, Float, Instruction, Motion, Observation, Picture

MOST_ALIKE = 3
"""How often the same step is made, one time after the other: what it should lead to does not come about."""
MOST_LOOKS = 3
"""How often it looks, one time after the other, before it says what to do."""
SHIPPED = Path(__file__).parent / "checkpoint"


class PalmePolicy:
    """Reads the senses that its model has, and the words; writes a plan and points, or answers with actions.

    It asks back where words leave it open which thing is meant, and does nothing where it is not certain of the plan.
    Of several things of one name it takes the one for which it looked. The plan of a command is decoded once and kept
    until `reset` or until a step was made; later observations only point. A model that was taught to say "done" plans
    step by step, each from the picture and what was done, until it says so. A model whose heads give actions judges by
    its first decision whether it can do what was said, and then moves by these, a chunk a decision, until it says that
    nothing is left to do.

    Args:
        checkpoint: a directory written by `save_pretrained`; empty for the shipped one.
        device: "auto", "cpu" or a torch device such as "cuda".
        sure: least probability, in the model's own reading of the picture, that what it points at
            is what the plan names; below it the policy answers and does not move.
        certain: least probability of all of a plan's words together, so that longer plans must be surer in each;
            below it the policy says what it took the command for, and does not move. What it doubted in a look counts.
        goes_on: the same for a step that follows on another one: where several are left, none of them is certain.
        knows: least probability of the least sure word of an answer, and of the looks before it; below it the policy
            says that it is not sure.
        no_vision: a control: the picture's tokens are zeroed inside of the model.

    Raises CheckpointError for a checkpoint that is missing, damaged or foreign.
    """

    def __init__(
        self,
        checkpoint: str = "",
        device: str = "auto",
        sure: float = 0.1,
        certain: float = 0.65,
        goes_on: float = 0.3,
        knows: float = 0.6,
        no_vision: bool = False,
    ) -> None:
        model = Palme.from_pretrained(checkpoint or SHIPPED)
        where = _device(device)
        self.engine = Engine(prepared(model, where))
        """The model at work, for measurements."""
        readings = dict.fromkeys(model.config.reading_of(sense) for sense in model.config.senses)
        self.needs: tuple[str, ...] = tuple(name for name in readings if name != JOINTS)
        pointer = self.engine.pointer
        self._points_in = None if pointer is None else model.config.reading_of(pointer.picture)
        self._abilities = abilities(model.config.verbs)
        self._sure, self._certain, self._goes_on, self._knows = sure, certain, goes_on, knows
        self._no_vision = no_vision
        looks = (LOOKS.get(name) for name in model.config.looks if model.config.entities)
        self._tells_apart = any(isinstance(look, Choice) for look in looks)
        self._seen: deque[Observation] = deque(maxlen=model.history)
        self._in_steps, self._speaks = DONE in model.config.answers, SAY in model.config.answers
        self._instruction = Instruction(text="")
        self._made = 0  # steps, when the plan was decoded
        self._plan: Plan | None = None
        self._said = ""  # what led to the plan, with what was found on the way
        self._in_part = False  # whether it came of a part that was read alone
        self._choices: list[Plan] = []  # the looks on the way that tell one thing from others of its name

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """Take a new command, or what follows on the one before it: the model tells them apart.

        The plan of the last one and what was seen before are forgotten.
        """
        self._instruction = instruction
        self._plan = None
        self._seen.clear()

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation. Raises ObservationError without the picture to point in; the model can do without
        its other senses, though the loop asks for all that it `needs`."""
        if not self._instruction.text.strip():
            text = f"I was told nothing. I can {self._abilities}."
            return Decision(text=text, motion=None, observation_stamp_s=observation.stamp_s, refused=True)
        start = time.perf_counter()
        if self._points_in is not None:
            observation.picture(self._points_in)
        self._seen.append(observation)
        senses = self.engine.model.senses(tuple(self._seen))
        sensed = time.perf_counter()
        if len(observation.steps) != self._made:
            self._plan, self._made = None, len(observation.steps)
        if self._plan is None:  # what is there now may not be what was
            steps = observation.steps if self._in_steps else ()
            # One that plans no steps was not taught either what follows on a command that was carried out.
            earlier = self._instruction.earlier if self._in_steps or self._instruction.asked else ""
            self._said = " ".join(joined(earlier, self._instruction.text, steps).split())
            self._in_part, self._choices = False, []
        if len(self._said) > MOST_READ:
            text = f"With the steps that were made that is {len(self._said)} characters; I read at most {MOST_READ}."
            return Decision(
                text=f"{text} Say what is left to do.",
                motion=None,
                observation_stamp_s=observation.stamp_s,
                refused=True,
            )
        answer = self._answer(senses)
        timings = {"prepare": 1e3 * (sensed - start), **answer.timings_ms}
        timings["total"] = 1e3 * (time.perf_counter() - start)
        answer = replace(answer, sights=_told_apart(answer.sights, self._chosen(answer)))
        text, motion, done = self._decided(answer, observation)
        ends = answer.plan is not None and (answer.plan.verb == DONE or self._is_answered(answer))
        return Decision(
            text=text,
            motion=motion,
            observation_stamp_s=observation.stamp_s,
            refused=motion is None and not ends,
            asked=motion is None and (text, True) == self._question(answer),
            done=done,
            timings_ms=timings,
        )

    def _answer(self, senses: Mapping[str, Tensor]) -> Answer:
        """What the model answers. Where it looks first, what it answers to what it finds: a look is a step that takes
        no time, and the pictures are encoded once."""
        answer, said = self.engine.answer(senses, self._said, plan=self._plan, no_vision=self._no_vision), self._said
        for _ in range(MOST_LOOKS):
            if answer.plan is None or not answer.plan.looks:
                break
            look = LOOKS.get(answer.plan.verb)
            alone = look.alone
            if answer.things is None and not alone:
                break  # not to have looked is not to have seen nothing
            if alone and answer.confidence < self._certain:
                break  # what was not said is not to be answered either
            if isinstance(look, Choice):
                self._choices.append(answer.plan)
            said = read_on(said, answer.plan, result_of(answer.plan, answer.things or ()))
            if len(said) > MOST_READ:
                break  # and what was found would not be read
            self._in_part = self._in_part or alone
            if not self._in_part:  # heads that act go on to read all of it
                self._said = said
            after = self.engine.answer(senses, said, features=answer.features, no_vision=self._no_vision)
            if self._in_part and after.plan is not None and after.plan.verb == DONE:
                break  # of what is left to do nothing is done yet
            both_ms = {stage: ms + answer.timings_ms[stage] for stage, ms in after.timings_ms.items()}
            answer = replace(after, confidence=answer.confidence * after.confidence, timings_ms=both_ms)
        return answer

    def _decided(self, answer: Answer, observation: Observation) -> tuple[str, Motion | None, bool]:
        """Words, a motion or none where the command is refused, and whether nothing is left to do after it."""
        plan, begun = answer.plan, self._plan is not None
        act = next((each for each in answer.others.values() if isinstance(each, Act)), None)
        # One that acts is on its way, and its own hand may hide the things by which it judged whether to begin.
        # What is done of a part is as new as the first, and of what was said around it nothing was read.
        least = self._goes_on if observation.steps and not self._in_part else self._certain
        refusal = None if plan is None or (begun and act is not None) else self._refusal(plan, answer, least)
        if plan is not None and [step.text for step in observation.steps[-MOST_ALIKE:]] == [plan.text()] * MOST_ALIKE:
            refusal = f"I tried {MOST_ALIKE} times to {plan.text()}, in vain."
        if refusal is not None:
            return refusal, None, True
        text = f"working on: {self._instruction.text}" if plan is None else plan.text()
        self._plan = plan
        if act is not None:
            return text, act.motion, act.done
        if plan is None or self._points_in is None:
            return "I cannot move: my model has no head that points or acts.", None, True
        frame = observation.picture(self._points_in)
        points = [sight.point for sight in answer.sights]
        others = [sight.point for sight in answer.visible or () if sight.noun not in plan.nouns]
        chosen = {each.name for each in self._chosen(answer)}
        alike = [each.point for each in answer.things or () if each.name in chosen and each.point is not None]
        others += [point for point in alike if point not in points]
        try:
            return text, plan.ground(_places_m(frame, points), _places_m(frame, others)), not self._in_steps
        except ValueError:  # a camera that looks level, or up
            return f"what I point at for {plan.text()!r} is not on the table", None, True

    def _chosen(self, answer: Answer) -> list[Entity]:
        """Of things of one name those that the looks on the way single out, by the picture of now."""
        if any(isinstance(each, Act) for each in answer.others.values()):
            return []  # a head that acts was not told of it
        things = answer.things or ()
        looks = [(LOOKS.get(plan.verb), plan) for plan in self._choices]
        found = (look.chosen(plan, things) for look, plan in looks if isinstance(look, Choice))
        return [one for one in found if one is not None and sum(each.name == one.name for each in things) > 1]

    def _several(self, answer: Answer) -> Noun | None:
        """The name of which it is open what it means: the model asks that, or several things of the plan bear it."""
        plan, visible = answer.plan, answer.visible or ()
        if plan is not None and plan.verb == WHICH:
            return plan.target
        if plan is None or not plan.moves or not (self._plan is None or self._choices):
            return None
        chosen = {each.name for each in self._chosen(answer)}
        several = (each.noun for each in visible if each.several and each.noun in plan.nouns)
        return next((noun for noun in several if str(noun) not in chosen), None)

    def _question(self, answer: Answer) -> tuple[str, bool] | None:
        """What is asked where it is open which thing is meant, and whether an answer can settle it; else None."""
        noun = self._several(answer)
        if noun is None:
            return None
        if noun.colour and not self._tells_apart:
            several = f"There are several things that I would call a {noun}, and I cannot tell them apart"
            return f"{several}; take one away.", False
        return _which(noun, answer.visible or ()), True

    def _is_answered(self, answer: Answer) -> bool:
        plan = answer.plan
        return plan is not None and plan.verb == SAY and bool(plan.said) and answer.confidence >= self._knows

    def _answered(self, plan: Plan, visible: Sequence[Sight] | None) -> str:
        """What is said in place of a motion, but for a question."""
        if plan.verb == SAY:
            assert plan.said
            return f"{plan.said[0].upper()}{plan.said[1:]}."
        seen = _seen(visible)
        said = {
            CANNOT: f"I cannot do that; I can {self._abilities}.{seen}",
            ABSENT: _no(plan.target, visible),
            NOTHING: "All right, I do nothing.",
            QUESTION: f"I can {self._abilities}." if self._speaks else f"I cannot answer that yet.{seen}",
            DONE: "Done.",
            FOREIGN: "I understand plain English only: say it in English, please.",
        }
        return said[plan.verb]

    def _refusal(self, plan: Plan, answer: Answer, certain: float) -> str | None:
        """Why nothing is done; None where the plan is carried out."""
        question = self._question(answer)
        if plan.refused:
            if plan.verb == SAY and not self._is_answered(answer):
                return f"I am not sure; perhaps: {plan.said or 'nothing'}."
            return question[0] if question else self._answered(plan, answer.visible)
        if answer.confidence < certain or plan.looks:
            unsure = f"I took that for {plan.text()!r}, and am not sure. Say it in other words."
            return f"{unsure}{_seen(answer.visible)}"
        for sight in answer.sights:
            if sight.probability < self._sure:
                return _no(sight.noun, answer.visible)
        return question[0] if question else None


def _seen(visible: Sequence[Sight] | None) -> str:
    """A sentence that says what is seen; none where nobody looked."""
    return "" if visible is None else f" I see: {_names(visible)}."


def _no(noun: Noun | None, visible: Sequence[Sight] | None) -> str:
    """That something is not seen, and what is."""
    return f"I see no {noun}." if visible is None else f"I see no {noun}; I see: {_names(visible)}."


def _names(visible: Sequence[Sight]) -> str:
    return ", ".join(str(sight.noun) for sight in visible) or "nothing that I know"


def _which(asked: Noun, visible: Sequence[Sight]) -> str:
    """The question which one is meant, with those that there are; or why it cannot be asked."""
    if asked.colour:
        return f"Which {asked} do you mean? There are several; say where it is, as in: the left one."
    like = [sight.noun for sight in visible if sight.noun.kind == asked.kind]
    if len(like) < 2:
        return f"Which {asked} do you mean? Say its colour."
    *first, last = (f"the {noun.colour}" for noun in like)
    return f"Which {asked} do you mean: {', '.join(first)} or {last} one?"


def _told_apart(sights: Sequence[Sight], chosen: Sequence[Entity]) -> tuple[Sight, ...]:
    """Where to point at what a plan names: of several of one name, at the one that was chosen."""
    points = {each.name: each.point for each in chosen if each.point is not None}
    return tuple(replace(sight, point=points.get(str(sight.noun), sight.point)) for sight in sights)


def _places_m(frame: Picture, points: Sequence[tuple[float, float]]) -> Float:
    """(N, 2) world x, y of what stands at points of a picture. Raises ValueError where these see no table."""
    pixels = np.reshape(points, (-1, 2)) * frame.rgb.shape[1::-1] - 0.5
    return unproject(frame, pixels, POINTED_HEIGHT_M)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise EmbodiedError(f"unknown device {name!r}; valid: auto, cpu, cuda, cuda:0 ...") from error
