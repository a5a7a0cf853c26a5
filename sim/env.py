# SPDX-License-Identifier: Apache-2.0
"""The gymnasium environment: one task on the tabletop, told in words."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import gymnasium
import numpy as np
from gymnasium import spaces

from embodied.arm import DEFAULT_ARM, arm_model
from embodied.environments import check_picture_size, check_split
from embodied.errors import EmbodiedError, UnreachableError, check_name
from embodied.motion.actions import ACTION_MODES, SKILL_LIST, SkillActions, finite, stepped
from embodied.motion.hand import HandPose
from embodied.types import Float, Motion, ObjectState, Observation
from sim.appearance import parse_appearance
from sim.arm import SETTLE_STEPS, SimArm
from sim.disturbance import DISTURBANCES, disturbed
from sim.spaces import LARGEST, Words, action_space, observed, shown, state_bound
from sim.state import state_of, verdict
from sim.studio import Studio
from sim.tasks import Episode, SceneState, Task, make_task
from sim.tasks.long import came_about
from sim.world import PHYSICS_HZ, World

CONTROL_HZ = 10
RESET_OPTIONS = ("split", "task", "episode", "swap", "appearance")
REWARD_TYPES = ("sparse", "dense")


class _Past(NamedTuple):
    """What has been done in an episode: physics repeats, so that is all of its state."""

    seed: int
    options: dict[str, Any]
    actions: list[Any]


class TabletopEnv(gymnasium.Env[dict[str, Any], Any]):
    """An arm of N joints, things on a table, and an instruction.

    `action_mode`: "ee_delta" (10 Hz; dx, dy, dz in m, a rotation vector rx, ry, rz in rad, and the gripper
    from -1 closed to 1 open), "joint" (10 Hz; N joint angles in rad and the width between the fingers in m)
    or "skill" (one step runs one of `skills`, a fixed list, to its end). The observation holds the `senses` by
    name (by default the arm's cameras; see `sim.senses`): a picture (S, S, 3), a depth (S, S) in m, a few
    numbers; the `state` (N joint angles, N joint velocities, gripper width, tool centre point x, y, z, yaw);
    and the instruction.

    Success ends the episode. `reward_type`: "sparse" (1.0 on success and 0.0 otherwise) or "dense" (10.0 on
    success, and before it from -10 to 0, the nearer the better: see `Task.dense_reward`).

    `appearance`, as "table:wood,light:dim,clutter", changes pictures and not the problem: see `sim.appearance`.

    `disturbance`: "moved" or "slips", what goes wrong on purpose after the first skill: see `sim.disturbance`.

    `reset(options=...)` takes "split", "task" (another family), "episode" (an exact Episode), "swap"
    (another command for the same scene; `info["original_success"]` then tells whether the first
    command was done) and "appearance".

    A copy, by `copy.deepcopy` or `pickle`, has a world of its own, which the steps so far bring to the same
    state; what was done there by other ways than `reset` and `step` is not in it.
    """

    metadata = {  # noqa: RUF012, gymnasium's form
        "render_modes": ["human", "rgb_array", "depth_array"],
        "render_fps": CONTROL_HZ,
    }
    _made_with: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        """Kept, so that a copy of any subclass is made as the original was."""
        made = super().__new__(cls)
        made._made_with = (arguments, options)
        return made

    def __init__(
        self,
        task: str = "put_in_bowl",
        *,
        arm: str = DEFAULT_ARM,
        action_mode: str = "ee_delta",
        reward_type: str = "sparse",
        split: str = "seen",
        appearance: str = "",
        disturbance: str = "",
        senses: Sequence[str] | None = None,
        picture_size_px: int = 224,
        skills: Sequence[str] = SKILL_LIST,
        render_mode: str | None = None,
        detailed: bool = False,
    ) -> None:
        check_name("action mode", action_mode, ACTION_MODES)
        check_name("reward type", reward_type, REWARD_TYPES)
        if render_mode is not None:
            check_name("render mode", render_mode, self.metadata["render_modes"])
        self.action_mode, self.reward_type = action_mode, reward_type
        self.render_mode = render_mode
        self.split = check_split(split)
        parse_appearance(appearance, seed=0)
        self.appearance = appearance
        if disturbance:
            check_name("disturbance", disturbance, DISTURBANCES)
            if action_mode != "skill":
                raise EmbodiedError(f"disturbance={disturbance} comes after a whole motion: take action_mode=skill")
        self.disturbance = disturbance
        self.model = arm_model(arm)
        senses = self.model.cameras if senses is None else senses
        check_picture_size(picture_size_px)
        seen = observed(self.model, senses, picture_size_px)
        if not skills:
            raise EmbodiedError(f"skills=() leaves nothing to do: name at least one, as in skills={SKILL_LIST!r}")
        self.skills = SkillActions(tuple(skills))
        self.task: Task = make_task(task)
        self._home_task = self.task
        self.world = World(self.model, gui=render_mode == "human", detailed=detailed)
        self.arm = SimArm(self.world, senses, picture_size_px)
        self._closed = False
        self.observation_space = spaces.Dict({**seen, "instruction": Words()})
        self.action_space = action_space(self.model, action_mode, self.skills)
        self._episode: Episode | None = None
        self._past: _Past | None = None
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
        """A new episode; equal seeds and options give equal episodes and pictures.

        Raises EmbodiedError in an environment that was closed.
        """
        self._check_open()
        super().reset(seed=seed)
        options = options or {}
        for key in options:
            check_name("reset option", key, RESET_OPTIONS)
        self._seed = int(self.np_random.integers(2**31)) if seed is None else seed
        rng = np.random.default_rng(self._seed)
        given: Episode | None = options.get("episode")
        split = check_split(options.get("split", self.split))
        appearance = parse_appearance(options.get("appearance", self.appearance), self._seed)
        self._original: Episode | None = None
        if given is not None:
            self.task, self._episode = make_task(given.task), given
        else:
            self.task = make_task(options["task"]) if "task" in options else self._home_task
            if options.get("swap"):
                self._original, self._episode = self.task.sample_swapped(rng)
            else:
                self._episode = self.task.sample(rng, split)
        self.world.set_objects(self.episode.objects, appearance)
        self.arm.forget()
        self.arm.advance(SETTLE_STEPS)
        if self.episode.before is not None:
            self.arm.execute(self.episode.before)
        self._past = _Past(self._seed, options, [])
        self._is_disturbed = not self.disturbance
        self._target = HandPose.from_matrix(self.model.chain.forward(self.arm.commanded_rad))
        return self._observation(), self._info()

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act and look. A motion out of reach moves nothing and is told in `info["refused"]`.

        Raises EmbodiedError before the first reset and after the end, UnsafeCommandError for no finite action.
        """
        self._check_open()
        refused = self._act(action)
        info = self._info()
        if refused is not None:
            info["refused"] = refused
        success = bool(info["is_success"])
        return self._observation(), self._reward(success), success, False, info

    def _act(self, action: Any) -> str | None:
        """Move; why the motion was refused, or None."""
        if self._past is None:
            raise EmbodiedError("the environment has no episode yet: call reset() before step()")
        refused, before = None, None if self._is_disturbed else self.scene_state()
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
        if before is not None:
            self._disturb(before)
        self._past.actions.append(copy.deepcopy(action))
        return refused

    def _disturb(self, before: SceneState) -> None:
        """Once, after an action that did something."""
        rng = np.random.default_rng([self._seed, len(DISTURBANCES)])
        put = disturbed(self.disturbance, self.episode, before, self.scene_state(), rng)
        if put is not None:
            self.world.move(put.name, put)
            self.arm.advance(SETTLE_STEPS)
            self._is_disturbed = True

    def _reward(self, success: bool) -> float:
        if self.reward_type == "sparse":
            return float(success)
        return self.task.dense_reward(self.episode, self.scene_state(), self._hand().position_m)

    def _hand(self) -> HandPose:
        """Where the tool centre point is measured."""
        position_rad, _, _ = self.world.joint_state()
        return HandPose.from_matrix(self.model.chain.forward(position_rad))

    def _move_hand(self, action: Float) -> None:
        target, width = stepped(self.model, self._target, np.clip(action, -LARGEST, LARGEST))
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

    def steps_left(self) -> int:
        """How many motions the task takes from the present state: for oracles only."""
        return self.task.steps_left(self.episode, self.scene_state())

    def came_about(self, step: str) -> bool | None:
        """Whether a step, as a plan in words, was carried out by now: for measurements only.

        None where nobody can say that: of words that are no plan, or name what is not there.
        """
        return came_about(step, self.episode, self.scene_state())

    def scene_state(self) -> SceneState:
        """The truth about the table."""
        return state_of(self.world)

    def render(self) -> Any:
        """What the front camera sees: its picture (S, S, 3) in mode "rgb_array", float32 metres (S, S) in mode
        "depth_array"; None otherwise.
        """
        self._check_open()
        if self.render_mode == "rgb_array":
            return self.world.render("front", self.arm.picture_size_px).rgb
        if self.render_mode == "depth_array":
            return self.world.depth("front", self.arm.picture_size_px).depth_m
        return None

    def studio(self) -> Studio:
        """Pictures of this world that are made to be looked at; whoever asks closes it."""
        return Studio(self.world)

    def close(self) -> None:
        """Free the physics client; closing twice is fine."""
        self._closed = True
        self.world.close()

    def _check_open(self) -> None:
        if self._closed:
            raise EmbodiedError("the environment is closed: make another with gymnasium.make()")

    def __reduce__(self) -> tuple[Any, ...]:
        kept = ("spec", "action_space", "observation_space", "_np_random", "_np_random_seed")
        state = {name: value for name, value in vars(self).items() if name in kept}
        return _copied, (type(self), *self._made_with, self._past), state

    def _observation(self) -> dict[str, Any]:
        seen = self.arm.observe()
        joints, hand = seen.joints, self._hand()
        place = [joints.gripper_width_m, *hand.position_m, hand.yaw_rad]
        state = np.concatenate([joints.position_rad, joints.velocity_rad_s, place])
        bound = state_bound(self.model)
        return {
            **{name: shown(seen.readings[name]) for name in self.arm.senses},
            "state": np.clip(state, -bound, bound).astype(np.float32),
            **self._command(),
        }

    def _command(self) -> dict[str, Any]:
        """What the observation tells of the command."""
        return {"instruction": self.episode.instruction}

    def _info(self) -> dict[str, Any]:
        state = self.scene_state()
        info = verdict(self.task, self.episode, state) | {
            "episode_seed": self._seed,
            "narrowest_m": self.arm.narrowest_m,
            "told_width_m": self.arm.told_width_m,
        }
        if self.episode.earlier:
            info["earlier"] = self.episode.earlier
        if self._original is not None:
            info["original_success"] = bool(self.task.success(self._original, state))
        return info


def _copied(
    kind: type[TabletopEnv], arguments: tuple[Any, ...], options: dict[str, Any], past: _Past | None
) -> TabletopEnv:
    """An environment with a world of its own in which the same has been done."""
    env = kind(*arguments, **options)
    if past is not None:
        env.reset(seed=past.seed, options=past.options)
        for action in past.actions:
            env._act(action)
    return env
