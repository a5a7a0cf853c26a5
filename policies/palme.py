# SPDX-License-Identifier: Apache-2.0
"""The PaLM-E policy: the shipped checkpoint, or any other directory, behind the Policy contract."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from embodied.errors import EmbodiedError
from embodied.geometry import unproject
from embodied.inputs import POINTED_HEIGHT_M, prepare_picture, prepare_state
from embodied.language.verbs import CANNOT, Plan, abilities
from embodied.model.engine import Answer, Engine
from embodied.model.palme import Palme
from embodied.types import Decision, Instruction, Observation

SHIPPED = Path(__file__).parent / "checkpoint"


class PalmePolicy:
    """Reads the front picture, the joint state and the words; writes a plan; points; moves.

    The plan of a command is decoded once and kept until `reset`; later observations only point.

    Args:
        checkpoint: a directory written by `save_pretrained`; empty for the shipped one.
        device: "auto", "cpu" or a torch device such as "cuda".
        sure: least probability, in the model's own reading of the picture, that what it points at
            is what the plan names; below it the policy answers and does not move.
        no_vision: a control: the picture's tokens are zeroed inside of the model.

    Raises CheckpointError for a checkpoint that is missing, damaged or foreign.
    """

    def __init__(self, checkpoint: str = "", device: str = "auto", sure: float = 0.1, no_vision: bool = False) -> None:
        model = Palme.from_pretrained(checkpoint or SHIPPED)
        where = _device(device)
        self.engine = Engine(model.to(device=where, dtype=_dtype(where)))
        """The model at work, for measurements."""
        self._camera = model.config.picture
        self.needs: tuple[str, ...] = (self._camera,)
        self._abilities = abilities(model.config.verbs)
        self._sure, self._no_vision = sure, no_vision
        self._instruction = ""
        self._plan: Plan | None = None

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """Take a new command; the plan of the last one is forgotten."""
        self._instruction = " ".join(instruction.text.split())
        self._plan = None

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation. Raises EmbodiedError where the camera is missing."""
        if not self._instruction:
            text = f"I was told nothing. I can {self._abilities}."
            return Decision(text=text, motion=None, observation_stamp_s=observation.stamp_s, refused=True)
        start = time.perf_counter()
        frame = observation.picture(self._camera)
        size_px = self.engine.model.picture_size_px
        picture = torch.from_numpy(prepare_picture(frame.rgb, size_px).copy())
        state = self._state(observation)
        prepared = time.perf_counter()
        answer = self.engine.answer(picture, state, self._instruction, plan=self._plan, no_vision=self._no_vision)
        timings = {"prepare": 1e3 * (prepared - start), **answer.timings_ms}
        timings["total"] = 1e3 * (time.perf_counter() - start)
        refusal, motion = self._refusal(answer), None
        if refusal is None:
            self._plan = answer.plan
            # From pixels of the model's picture to those of the camera's.
            scale = np.array(frame.rgb.shape[1::-1]) / size_px
            points = np.array([sight.point_px for sight in answer.sights]) * scale - 0.5
            try:
                motion = answer.plan.ground(unproject(frame, points, POINTED_HEIGHT_M))
            except ValueError:  # a camera that looks level, or up
                refusal = f"what I point at for {answer.plan.text()!r} is not on the table"
        return Decision(
            text=refusal or answer.plan.text(),
            motion=motion,
            observation_stamp_s=observation.stamp_s,
            refused=refusal is not None,
            timings_ms=timings,
        )

    def _refusal(self, answer: Answer) -> str | None:
        seen = ", ".join(str(sight.noun) for sight in answer.visible) or "nothing that I know"
        if answer.plan.verb == CANNOT:
            return f"I cannot do that; I can {self._abilities}. I see: {seen}."
        if not self.engine.language.colours_said(self._instruction):
            # Any colour in the plan would be a guess.
            return f"I do not know which thing you mean; say its colour. I see: {seen}."
        for sight in answer.sights:
            if sight.probability < self._sure:
                return f"I see no {sight.noun}; I see: {seen}."
        return None

    def _state(self, observation: Observation) -> Tensor | None:
        """Proprioception as the model reads it; None for an arm with other than the trained number of joints.

        A missing sense is allowed: the sentence then has no such tokens. An observation does not name its
        arm, so that the angles of any arm with as many joints are read like those of the trained one.
        """
        state = prepare_state(observation.joints)
        return torch.from_numpy(state) if len(state) == self.engine.model.state_size else None


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise EmbodiedError(f"unknown device {name!r}; valid: auto, cpu, cuda, cuda:0 ...") from error


def _dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the machine multiplies it natively, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if native else torch.float32
