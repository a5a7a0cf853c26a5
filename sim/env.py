# SPDX-License-Identifier: Apache-2.0
"""The gymnasium environment: one task on the tabletop, told in words."""

import string
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from embodied.arm import DEFAULT_ARM, ArmModel, arm_model
from embodied.environments import check_split
from embodied.errors import EmbodiedError, UnreachableError, check_name
from embodied.motion.actions import ACTION_MODES, MAX_STEP_M, MAX_TURN_RAD, SKILL_LIST, SkillActions, finite, stepped
from embodied.motion.hand import HandPose
from embodied.types import Float, Motion, ObjectState, Observation
from sim.arm import SETTLE_STEPS, SimArm
from sim.scene import CAMERAS
from sim.tasks import Episode, SceneState, Task, make_task
from sim.world import PHYSICS_HZ, World

MAX_STEPS: Mapping[str, int] = {"ee_delta": 600, "joint": 600, "skill": 8}
"""By action mode. An agent that comes home in between uses several for one command."""
CONTROL_HZ = 10
RESET_OPTIONS = ("split", "task", "episode", "swap")
_LARGEST = np.array([MAX_STEP_M] * 3 + [MAX_TURN_RAD] * 3 + [1.0])
"""Of each number of an `ee_delta` action."""


class TabletopEnv(gymnasium.Env[dict[str, Any], Any]):
    """An arm of N joints, things on a table, and an instruction.

    `action_mode`: "ee_delta" (10 Hz; dx, dy, dz in m, a rotation vector rx, ry, rz in rad, and the gripper
    from -1 closed to 1 open), "joint" (10 Hz; N joint angles in rad and the width between the fingers in m)
    or "skill" (one step runs one of `skills`, a fixed list, to its end). The observation holds a picture per
    camera (by default all of the arm's), the `state` (N joint angles, N joint velocities, gripper width, tool
    centre point x, y, z, yaw) and the instruction. The reward is 1.0 on success, which ends the episode, and
    0.0 otherwise.

    `reset(options=...)` takes "split", "task" (another family), "episode" (an exact Episode) and "swap"
    (another command for the same scene; `info["original_success"]` then tells whether the first
    command was done).
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": CONTROL_HZ}  # noqa: RUF012, gymnasium's form

    def __init__(
        self,
        task: str = "put_in_bowl",
        *,
        arm: str = DEFAULT_ARM,
        action_mode: str = "ee_delta",
        split: str = "seen",
        cameras: Sequence[str] | None = None,
        picture_size_px: int = 224,
        skills: Sequence[str] = SKILL_LIST,
        render_mode: str | None = None,
        stock_visuals: bool = False,
    ) -> None:
        check_name("action mode", action_mode, ACTION_MODES)
        if render_mode is not None:
            check_name("render mode", render_mode, self.metadata["render_modes"])
        self.action_mode = action_mode
        self.render_mode = render_mode
        self.split = check_split(split)
        self.model = arm_model(arm)
        cameras = self.model.cameras if cameras is None else cameras
        for camera in cameras:
            check_name("camera", camera, CAMERAS)
        self.skills = SkillActions(tuple(skills))
        self.task: Task = make_task(task)
        self._home_task = self.task
        self.world = World(self.model, gui=render_mode == "human", stock_visuals=stock_visuals)
        self.arm = SimArm(self.world, cameras, picture_size_px)
        self.observation_space = _observation_space(self.model, cameras, picture_size_px)
        self.action_space = _action_space(self.model, action_mode, self.skills)
        self._episode: Episode | None = None
        self._steps = 0
        self._target = HandPose.from_matrix(self.model.home_pose)

    @property
    def time_s(self) -> float:
        """Simulated seconds since the scene began."""
        return self.world.time_s

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
        options = options or {}
        for key in options:
            check_name("reset option", key, RESET_OPTIONS)
        self._seed = int(self.np_random.integers(2**31)) if seed is None else seed
        rng = np.random.default_rng(self._seed)
        given: Episode | None = options.get("episode")
        split = check_split(options.get("split", self.split))
        self._original: Episode | None = None
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
        self.arm.advance(SETTLE_STEPS)
        self._steps = 0
        self._target = HandPose.from_matrix(self.model.home_pose)
        return self._observation(), self._info()

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act and look. A motion out of reach moves nothing and is told in `info["refused"]`."""
        refused = None
        try:
            if self.action_mode == "skill":
                self.arm.execute(self.skills.decode(action))
            elif self.action_mode == "ee_delta":
                self._move_hand(finite(action, (7,)))
            else:
                *goal_rad, width_m = finite(action, (self.model.joints + 1,))
                goal = np.clip(goal_rad, self.model.lower_rad, self.model.upper_rad)
                self.arm.glide(goal, float(width_m), PHYSICS_HZ // CONTROL_HZ)
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

    def _move_hand(self, action: Float) -> None:
        target, width = stepped(self.model, self._target, np.clip(action, -_LARGEST, _LARGEST))
        start = self.arm.commanded_rad
        try:
            goal = self.model.chain.inverse(target.matrix(), start, rest_rad=self.model.home_rad)
        except UnreachableError:
            # The fingers obey although the hand cannot go there.
            self.arm.glide(start, width, PHYSICS_HZ // CONTROL_HZ)
            raise
        if self.arm.glide(goal, width, PHYSICS_HZ // CONTROL_HZ):
            self._target = target
        else:
            self._target = HandPose.from_matrix(self.model.chain.forward(self.arm.commanded_rad))

    def observe(self) -> Observation:
        """Everything that a policy may see, with the privileged view that only oracles read."""
        return self.arm.observe(privileged=self)

    def objects(self) -> Mapping[str, ObjectState]:
        """Every object on the table, by name: for oracles only."""
        return self.world.objects()

    def oracle(self) -> Motion:
        """The motion that solves the task from the present state: for oracles only."""
        return self.task.oracle(self.episode, self.scene_state())

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
        hand = HandPose.from_matrix(self.model.chain.forward(seen.joints.position_rad))
        place = [seen.joints.gripper_width_m, *hand.position_m, hand.yaw_rad]
        state = np.concatenate([seen.joints.position_rad, seen.joints.velocity_rad_s, place])
        # Copies: callers keep and change what they got, and a refused step shows the same frame again.
        pictures = {name: seen.picture(name).rgb.copy() for name in self.arm.senses}
        bound = _state_bound(self.model)
        return {
            **pictures,
            "state": np.clip(state, -bound, bound).astype(np.float32),
            "instruction": self.episode.instruction,
        }

    def _info(self) -> dict[str, Any]:
        state = self.scene_state()
        info = {
            "is_success": bool(self.task.success(self.episode, state)),
            "score": float(self.task.score(self.episode, state)),
            "episode_seed": self._seed,
            "narrowest_m": self.arm.narrowest_m,
            "told_width_m": self.arm.told_width_m,
        }
        if self._original is not None:
            info["original_success"] = bool(self.task.success(self._original, state))
        return info


def _action_space(model: ArmModel, action_mode: str, skills: SkillActions) -> spaces.Space[Any]:
    """The actions of a mode, in SI units."""
    if action_mode == "skill":
        # Unused places are zero, so zero belongs to the space.
        low = np.tile(np.minimum(model.reach_lower_m, 0.0), (skills.points, 1)).astype(np.float32)
        high = np.tile(model.reach_upper_m, (skills.points, 1)).astype(np.float32)
        return spaces.Dict(
            {"skill": spaces.Discrete(len(skills.names)), "points_m": spaces.Box(low, high, dtype=np.float32)}
        )
    if action_mode == "ee_delta":
        low, high = -_LARGEST.astype(np.float32), _LARGEST.astype(np.float32)
        return spaces.Box(low, high, dtype=np.float32)
    low = np.append(model.lower_rad, 0.0).astype(np.float32)
    high = np.append(model.upper_rad, model.gripper_width_m).astype(np.float32)
    return spaces.Box(low, high, dtype=np.float32)


def _state_bound(model: ArmModel) -> Float:
    position = np.maximum(np.abs(model.lower_rad), np.abs(model.upper_rad)) + 1.0
    velocity = np.full(model.joints, 10.0)
    return np.concatenate([position, velocity, [0.1], [2.0] * 3, [4.0]])


def _observation_space(model: ArmModel, cameras: Sequence[str], size_px: int) -> spaces.Dict:
    bound = _state_bound(model).astype(np.float32)
    picture = spaces.Box(0, 255, (size_px, size_px, 3), dtype=np.uint8)
    return spaces.Dict(
        {
            **dict.fromkeys(cameras, picture),
            "state": spaces.Box(-bound, bound, dtype=np.float32),
            "instruction": spaces.Text(max_length=500, min_length=0, charset=string.printable),
        }
    )
