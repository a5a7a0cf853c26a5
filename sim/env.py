# SPDX-License-Identifier: Apache-2.0
"""The gymnasium environment: one task on the tabletop, told in words."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from embodied.actions import ACTION_MODES, finite, from_skill_action
from embodied.errors import EmbodiedError, UnknownNameError, UnreachableError
from embodied.robots import PANDA, panda_chain
from embodied.skills import HOME, MAX_STEP_M, MAX_TURN_RAD, HandPose, waypoints
from embodied.trajectory import plan_motion
from embodied.types import SKILLS, Float, JointTrajectory, ObjectState, Observation, SkillCall
from sim.arm import SimArm
from sim.scene import CAMERAS
from sim.tasks import Episode, SceneState, Task, make_task
from sim.tasks.base import SPLITS
from sim.world import PHYSICS_HZ, World

MAX_STEPS: Mapping[str, int] = {"ee_delta": 300, "joint": 300, "skill": 2}
CONTROL_HZ = 10
HAND_LOWER_M = np.array([0.25, -0.40, 0.008])
HAND_UPPER_M = np.array([0.75, 0.40, 0.60])
"""Where `ee_delta` and `skill` actions may bring the tool centre point."""
_SETTLE_STEPS = 24
_STATE_BOUND = np.array([4.0] * 7 + [10.0] * 7 + [0.1] + [2.0] * 3 + [4.0])


class TabletopEnv(gymnasium.Env[dict[str, Any], Any]):
    """A Panda, blocks, bowls and zones, and an instruction.

    `action_mode`: "ee_delta" (10 Hz; dx, dy, dz in m, dyaw in rad, gripper from -1 closed to 1 open),
    "joint" (10 Hz; seven joint angles in rad and the width between the fingers in m) or "skill" (one
    step runs one motion primitive to its end). The observation holds a picture per camera, the
    `state` (7 joint angles, 7 joint velocities, gripper width, tool centre point x, y, z, yaw) and the
    instruction. The reward is 1.0 on success, which ends the episode, and 0.0 otherwise.

    `reset(options=...)` takes "split", "task" (another family), "episode" (an exact Episode) and "swap"
    (another command for the same scene; `info["original_success"]` then tells whether the first
    command was done).
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012, gymnasium's form

    def __init__(
        self,
        task: str = "put_in_bowl",
        *,
        action_mode: str = "ee_delta",
        split: str = "seen",
        cameras: Sequence[str] = ("front", "wrist"),
        picture_size_px: int = 224,
        render_mode: str | None = None,
        stock_visuals: bool = False,
    ) -> None:
        if action_mode not in ACTION_MODES:
            raise UnknownNameError("action mode", action_mode, ACTION_MODES)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UnknownNameError("render mode", str(render_mode), self.metadata["render_modes"])
        for camera in cameras:
            if camera not in CAMERAS:
                raise UnknownNameError("camera", camera, CAMERAS)
        self.action_mode = action_mode
        self.render_mode = render_mode
        self.split = _checked_split(split)
        self.task: Task = make_task(task)
        self._home_task = self.task
        self.world = World(gui=render_mode == "human", stock_visuals=stock_visuals)
        self.arm = SimArm(self.world, cameras, picture_size_px)
        self.observation_space = _observation_space(cameras, picture_size_px)
        self.action_space = action_space(action_mode)
        self._episode: Episode | None = None
        self._original: Episode | None = None
        self._steps = 0
        self._target = HOME
        self._chain = panda_chain()

    @property
    def episode(self) -> Episode:
        """The problem at hand. Raises EmbodiedError before the first reset."""
        if self._episode is None:
            raise EmbodiedError("the environment has no episode yet: call reset() first")
        return self._episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A new episode; equal seeds and options give equal episodes and pictures."""
        super().reset(seed=seed)
        options = dict(options or {})
        unknown = set(options) - {"split", "task", "episode", "swap"}
        if unknown:
            raise UnknownNameError("reset option", sorted(unknown)[0], ("split", "task", "episode", "swap"))
        self._seed = int(self.np_random.integers(2**31)) if seed is None else seed
        rng = np.random.default_rng(self._seed)
        given: Episode | None = options.get("episode")
        split = _checked_split(options.get("split", self.split))
        self._original = None
        if given is not None:
            self.task, self._episode = make_task(given.task), given
        else:
            self.task = make_task(options["task"]) if "task" in options else self._home_task
            if options.get("swap"):
                self._original, self._episode = self.task.sample_swapped(rng)
            else:
                self._episode = self.task.sample(rng, split)
        self.world.set_objects(self.episode.objects)
        self.arm.forget()
        self.arm.advance(_SETTLE_STEPS)
        self._steps = 0
        self._target = HandPose.from_matrix(self._chain.forward(PANDA.home_rad))
        return self._observation(), self._info()

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act and look. A motion out of reach moves nothing and is told in `info["refused"]`."""
        refused = None
        try:
            if self.action_mode == "skill":
                self.apply(from_skill_action(action))
            elif self.action_mode == "ee_delta":
                self._move_hand(finite(action, (5,)))
            else:
                self._move_joints(finite(action, (8,)))
        except UnreachableError as error:
            refused = str(error)
        self.world.note_touches()
        self._steps += 1
        info = self._info()
        if refused is not None:
            info["refused"] = refused
        success = bool(info["is_success"])
        truncated = not success and self._steps >= MAX_STEPS[self.action_mode]
        return self._observation(), float(success), success, truncated, info

    def apply(self, call: SkillCall) -> JointTrajectory:
        """Plan and run one motion primitive to its end; what skill mode does. Raises UnreachableError."""
        outside = np.maximum(HAND_LOWER_M - call.points_m, call.points_m - HAND_UPPER_M)
        if outside.max() > 1e-6:
            x, y, z = call.points_m[int(outside.max(axis=1).argmax())]
            raise UnreachableError(f"({x:.3f}, {y:.3f}, {z:.3f}) m is outside of the workspace of the hand")
        position, _, width = self.world.joint_state()
        start = HandPose.from_matrix(self._chain.forward(position))
        trajectory = plan_motion(self._chain, PANDA, position, width, waypoints(call, start))
        self.arm.send(trajectory)
        self.arm.finish()
        self.arm.advance(_SETTLE_STEPS)
        return trajectory

    def _move_hand(self, action: Float) -> None:
        move = np.clip(action[:4], [-MAX_STEP_M] * 3 + [-MAX_TURN_RAD], [MAX_STEP_M] * 3 + [MAX_TURN_RAD])
        position = np.clip(self._target.position_m + move[:3], HAND_LOWER_M, HAND_UPPER_M)
        target = HandPose(position_m=position, yaw_rad=float(self._target.yaw_rad + move[3]))
        start = self.arm.commanded_rad
        width = 0.5 * (float(np.clip(action[4], -1.0, 1.0)) + 1.0) * PANDA.max_gripper_width_m
        try:
            goal = self._chain.inverse(target.matrix(), start, rest_rad=PANDA.home_rad)
        except UnreachableError:
            # The fingers obey although the hand cannot go there.
            self.arm.glide(start, width, PHYSICS_HZ // CONTROL_HZ)
            raise
        if self.arm.glide(goal, width, PHYSICS_HZ // CONTROL_HZ):
            self._target = target
        else:
            self._target = HandPose.from_matrix(self._chain.forward(self.arm.commanded_rad))

    def _move_joints(self, action: Float) -> None:
        goal = np.clip(action[:7], PANDA.lower_rad, PANDA.upper_rad)
        self.arm.glide(goal, float(action[7]), PHYSICS_HZ // CONTROL_HZ)

    def observe(self) -> Observation:
        """Everything that a policy may see, with the privileged view that only oracles read."""
        return self.arm.observe(_Privileged(self))

    def scene_state(self) -> SceneState:
        """The truth about the table."""
        return SceneState(objects=self.world.objects(), held=self.world.held(), touched=self.world.touched())

    def render(self) -> Any:
        """The front camera's picture in mode "rgb_array"; None otherwise."""
        if self.render_mode != "rgb_array":
            return None
        return self.world.render("front", self.arm.picture_size_px).rgb

    def close(self) -> None:
        """Free the physics client; closing twice is fine."""
        self.world.close()

    def _observation(self) -> dict[str, Any]:
        seen = self.arm.observe()
        hand = HandPose.from_matrix(self._chain.forward(seen.joint_position_rad))
        state = [
            *seen.joint_position_rad,
            *seen.joint_velocity_rad_s,
            seen.gripper_width_m,
            *hand.position_m,
            hand.yaw_rad,
        ]
        # Copies: callers keep and change what they got, and a refused step shows the same frame again.
        pictures = {name: frame.rgb.copy() for name, frame in seen.cameras.items()}
        return {
            **pictures,
            "state": np.clip(np.array(state), -_STATE_BOUND, _STATE_BOUND).astype(np.float32),
            "instruction": self.episode.instruction,
        }

    def _info(self) -> dict[str, Any]:
        state = self.scene_state()
        info = {
            "is_success": bool(self.task.success(self.episode, state)),
            "score": float(self.task.score(self.episode, state)),
            "episode_seed": self._seed,
        }
        if self._original is not None:
            info["original_success"] = bool(self.task.success(self._original, state))
        return info


class _Privileged:
    """What an oracle may see of a running environment."""

    def __init__(self, env: TabletopEnv) -> None:
        self._env = env

    def objects(self) -> Mapping[str, ObjectState]:
        return self._env.world.objects()

    def oracle(self) -> SkillCall:
        return self._env.task.oracle(self._env.episode, self._env.scene_state())


def action_space(action_mode: str) -> spaces.Space[Any]:
    """The actions of a mode, in SI units."""
    if action_mode == "skill":
        points = np.tile(HAND_LOWER_M, (2, 1)), np.tile(HAND_UPPER_M, (2, 1))
        # Unused locations are zero, so zero belongs to the space.
        low = np.minimum(points[0], 0.0).astype(np.float32)
        return spaces.Dict(
            {
                "skill": spaces.Discrete(len(SKILLS)),
                "points_m": spaces.Box(low, points[1].astype(np.float32), dtype=np.float32),
            }
        )
    if action_mode == "ee_delta":
        high = np.array([MAX_STEP_M, MAX_STEP_M, MAX_STEP_M, MAX_TURN_RAD, 1.0], dtype=np.float32)
        return spaces.Box(-high, high, dtype=np.float32)
    low = np.append(PANDA.lower_rad, 0.0).astype(np.float32)
    high = np.append(PANDA.upper_rad, PANDA.max_gripper_width_m).astype(np.float32)
    return spaces.Box(low, high, dtype=np.float32)


def _checked_split(split: str) -> str:
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    return split


def _observation_space(cameras: Sequence[str], size_px: int) -> spaces.Dict:
    bound = _STATE_BOUND.astype(np.float32)
    picture = spaces.Box(0, 255, (size_px, size_px, 3), dtype=np.uint8)
    return spaces.Dict(
        {
            **dict.fromkeys(cameras, picture),
            "state": spaces.Box(-bound, bound, dtype=np.float32),
            "instruction": spaces.Text(max_length=500, min_length=0, charset=string.printable),
        }
    )
