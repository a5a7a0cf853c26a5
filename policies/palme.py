# SPDX-License-Identifier: Apache-2.0
"""The PaLM-E policy: the shipped checkpoint, or any other directory, behind the Policy contract."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from embodied.errors import EmbodiedError, UnknownNameError
from embodied.geometry import unproject
from embodied.inputs import prepare_picture, prepare_state
from embodied.model.engine import Answer, Engine
from embodied.model.palme import Palme
from embodied.model.plan_tokens import colours_said
from embodied.plan import GRASP_HEIGHT_M, Plan, ground
from embodied.types import CameraFrame, Decision, Float, Instruction, Observation

SHIPPED = Path(__file__).parent / "checkpoint"
CONTROLS = ("no_vision", "other_image")
ABILITIES = "touch, pick up, put in a bowl, stack, place beside, and push onto a zone"


class PalmePolicy:
    """Reads the front picture, the joint state and the words; writes a plan; points; moves.

    The plan of a command is decoded once and kept until `reset`; later observations only point.

    Args:
        checkpoint: a directory written by `save_pretrained`; empty for the shipped one.
        device: "auto", "cpu" or a torch device such as "cuda".
        sure: least probability, in the model's own reading of the picture, that what it points at
            is what the plan names; below it the policy answers and does not move.

    Raises CheckpointError for a checkpoint that is missing, damaged or foreign.
    """

    def __init__(self, checkpoint: str = "", device: str = "auto", sure: float = 0.1) -> None:
        model = Palme.from_pretrained(checkpoint or SHIPPED)
        self._device = _device(device)
        self._engine = Engine(model.to(device=self._device, dtype=_dtype(self._device)))
        self._camera = model.config.picture
        self.cameras: tuple[str, ...] = (self._camera,)
        self._sure = sure
        self._instruction = ""
        self._plan: Plan | None = None
        self._control: str | None = None
        self._other: Observation | None = None

    @property
    def picture_size_px(self) -> int:
        """Side of the square picture that the model reads."""
        return self._engine.model.picture_size_px

    @property
    def engine(self) -> Engine:
        """The model at work, for measurements."""
        return self._engine

    def reset(self, instruction: Instruction) -> None:
        """Take a new command; the plan of the last one is forgotten."""
        self._instruction = " ".join(instruction.text.split())
        self._plan = None

    def set_control(self, control: str | None) -> None:
        """Evaluate a control: image tokens zeroed, or those of another scene; None switches it off."""
        if control is not None and control not in CONTROLS:
            raise UnknownNameError("control", control, CONTROLS)
        self._control = control

    def set_other_observation(self, observation: Observation) -> None:
        """The scene whose picture `other_image` shows."""
        self._other = observation

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation. Raises EmbodiedError where the camera is missing."""
        if not self._instruction:
            text = f"I was told nothing. I can {ABILITIES}."
            return Decision(text=text, motion=None, observation_stamp_s=observation.stamp_s, refused=True)
        start = time.perf_counter()
        frame = self._frame(observation)
        picture = self._picture(frame)
        state = prepare_state(observation.joint_position_rad, observation.gripper_width_m)
        prepared = time.perf_counter()
        answer = self._engine.answer(
            picture,
            torch.from_numpy(state),
            self._instruction,
            plan=self._plan,
            no_vision=self._control == "no_vision",
            other_picture=self._other_picture(),
        )
        timings = {"prepare": 1e3 * (prepared - start), **answer.timings_ms}
        timings["total"] = 1e3 * (time.perf_counter() - start)
        refusal = self._refusal(answer)
        if refusal is not None:
            return Decision(
                text=refusal,
                motion=None,
                observation_stamp_s=observation.stamp_s,
                refused=True,
                timings_ms=timings,
            )
        self._plan = answer.plan
        points = np.array([sight.point_px for sight in answer.sights])
        return Decision(
            text=answer.plan.text(),
            motion=ground(answer.plan, self._on_table(frame, points)),
            observation_stamp_s=observation.stamp_s,
            timings_ms=timings,
        )

    def _refusal(self, answer: Answer) -> str | None:
        seen = ", ".join(str(sight.thing) for sight in answer.visible) or "nothing that I know"
        if answer.plan.act == "cannot":
            return f"I cannot do that; I can {ABILITIES}. I see: {seen}."
        if not colours_said(self._instruction):
            # Any colour in the plan would be a guess.
            return f"I do not know which thing you mean; say its colour. I see: {seen}."
        for sight in answer.sights:
            if sight.probability < self._sure:
                return f"I see no {sight.thing}; I see: {seen}."
        return None

    def _on_table(self, frame: CameraFrame, points_px: Float) -> Float:
        """(N, 2) pixels of the model's picture to (N, 2) world x, y at the height of a block's centre."""
        height, width = frame.rgb.shape[:2]
        scale = np.array([width, height]) / self.picture_size_px
        return unproject(frame, points_px * scale - 0.5, GRASP_HEIGHT_M)

    def _frame(self, observation: Observation) -> CameraFrame:
        try:
            return observation.cameras[self._camera]
        except KeyError:
            raise EmbodiedError(
                f"the policy reads camera {self._camera!r}; "
                f"the observation has: {', '.join(observation.cameras)}"
            ) from None

    def _picture(self, frame: CameraFrame) -> Tensor:
        return torch.from_numpy(prepare_picture(frame.rgb, self.picture_size_px).copy())

    def _other_picture(self) -> Tensor | None:
        if self._control != "other_image":
            return None
        if self._other is None:
            raise EmbodiedError(
                "the control other_image needs another scene; call set_other_observation first"
            )
        return self._picture(self._frame(self._other))


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
