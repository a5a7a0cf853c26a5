# SPDX-License-Identifier: Apache-2.0
"""Reading rendered scenes: pictures, what stands where in them, and commands with their plans."""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embodied.data.sample import Command, Sample, Seen
from embodied.errors import EmbodiedError
from embodied.language.verbs import parse_plan
from embodied.types import JOINTS, Joints, Observation, Picture

CAMERA = "front"
"""The camera that scenes are rendered from."""
PLANNED_EVERY = 4
"""Every fourth command stands without its words, as on the robot once its plan is known."""
_WORDS = ("verbs", "answers", "kinds", "colours", "other_colours")
_UNKNOWN = np.full((4, 4), np.nan)


class GroundingData:
    """A folder written by the simulator: `pictures.npy`, `scenes.jsonl`, `meta.json`."""

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        for name in ("pictures.npy", "scenes.jsonl", "meta.json"):
            if not (folder / name).is_file():
                recipe = f"embodied collect task=grounding out={folder}"
                raise EmbodiedError(f"no {name} in {folder}; make it with: {recipe}")
        self.pictures: NDArray[np.uint8] = np.load(folder / "pictures.npy", mmap_mode="r", allow_pickle=False)
        with (folder / "scenes.jsonl").open() as file:
            self.scenes = [json.loads(line) for line in file]
        meta = json.loads((folder / "meta.json").read_text())
        try:
            self.state = np.array(meta["state"], dtype=np.float64)
            self.seeds = range(meta["seed"], meta["seed"] + len(self.scenes))
            self.words = {key: tuple(meta[key]) for key in _WORDS} | {"looks": tuple(meta.get("looks", ()))}
        except KeyError as error:
            raise EmbodiedError(f"{folder / 'meta.json'} lacks {error}: it is of an older kind; render again") from None
        self.actions = None
        self.colours, self.kinds = self.words["colours"], self.words["kinds"]
        if len(self.scenes) != len(self.pictures):
            has = f"{len(self.scenes)} of {len(self.pictures)} scenes"
            raise EmbodiedError(f"{folder} is incomplete: {has}; render again")

    def __len__(self) -> int:
        return len(self.scenes)

    def picture(self, indices: NDArray[np.int64]) -> Tensor:
        """(B, S, S, 3) uint8."""
        return torch.from_numpy(self.pictures[np.sort(indices)][np.argsort(np.argsort(indices))])

    def things(self, index: int) -> tuple[Seen, ...]:
        """What stands in one picture."""
        size_px = self.pictures.shape[1]
        return tuple(
            Seen(
                colour=None if colour is None else self.colours[colour],
                kind=self.kinds[kind],
                u=u / size_px,
                v=v / size_px,
                place_m=(x_m, y_m),
                on=on,
            )
            for colour, kind, u, v, x_m, y_m, on in self.scenes[index]["objects"]
        )

    def sample(
        self, index: int, rng: np.random.Generator, *, commands: int, history: int, horizon: int, goal: bool = False
    ) -> Sample:
        """One scene with some of its commands; the arm is about at home, its fingers anywhere.

        A rendered scene shows neither what was before nor what comes, whatever `history`, `horizon` and `goal` say.
        """
        found = self.scenes[index]["commands"]
        chosen = [found[i] for i in rng.permutation(len(found))[:commands]]
        joints = Joints(
            position_rad=self.state[:-1] + 0.02 * rng.normal(size=len(self.state) - 1),
            velocity_rad_s=np.zeros(len(self.state) - 1),
            gripper_width_m=float(rng.uniform(0.0, 0.08)),
            stamp_s=0.0,
        )
        picture = Picture(
            rgb=self.pictures[index], intrinsics_px=_UNKNOWN[:3, :3], world_from_camera=_UNKNOWN, stamp_s=0.0
        )
        return Sample(
            observations=(Observation(readings={CAMERA: picture, JOINTS: joints}),),
            commands=tuple(
                Command(text=None if number % PLANNED_EVERY == 0 else text, plan=parse_plan(plan), looks=tuple(*looks))
                for number, (text, plan, *looks) in enumerate(chosen, start=1)
            ),
            things=self.things(index),
        )
