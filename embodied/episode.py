# SPDX-License-Identifier: Apache-2.0
"""One episode of a policy in an environment: the loop with a gymnasium environment as the arm."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied.arm import ArmModel, Outcome
from embodied.controls import OTHER_SCENE_OFFSET, WORDS_WITHOUT_CONTENT, Policies
from embodied.environments import SPLITS
from embodied.errors import EmbodiedError
from embodied.motion.actions import CHUNK_RATE_HZ, ActionChunk, to_chunk
from embodied.motion.hand import HandPose
from embodied.motion.path import TimedPath
from embodied.motion.raw import ACTION_LOWER, ACTION_UPPER, RawActions
from embodied.motion.skills import SkillCall
from embodied.noticing import Noticing, Step
from embodied.run import ATTEMPTS, Agent, Hooks
from embodied.types import Decision, JointTrajectory, Motion, Observation

UNTIL = ("success", "done")
"""What ends an episode before its attempts are used up: the simulator's word, or the policy's own."""


@dataclass(frozen=True, kw_only=True)
class EpisodeResult:
    """What came of one episode."""

    task: str
    split: str
    seed: int
    instruction: str
    answer: str  # the last text of the agent
    success: bool
    score: float  # in [0, 1]
    wrong: bool | None  # whether something was moved or is held that nobody asked for; None where nobody judges that
    refused: bool  # whether it ended with a refusal, or with the question what is meant
    steps: int
    decision_ms: list[float]
    earlier: str = ""  # what was said and done before
    original_success: bool | None = None  # swapped: whether the command that was not given was done
    early: bool | None = None  # whether it said that it was done, and was not; None where that was not asked
    late: bool | None = None  # whether it moved something where nothing was left to do; None as well
    noticed: list[Step] = field(default_factory=list)
    """Of its steps, as far as somebody can judge them."""


Recorder = Callable[[Any, Any, Mapping[str, Any], bool], None]
"""Keeps what happens in an episode. It is called after every step with what was seen before it, the action,
the info that came of it and whether the episode is over."""


class EnvironmentArm:
    """An arm behind the steps of a gymnasium environment in the mode `skill`, `ee_delta`, `joint` or `raw`.

    `ends_at_success`: whether a terminated episode is over; otherwise the agent decides when it is done. Where
    something is said before the instruction (`info["earlier"]`), or an answer counts, the agent decides as well.
    """

    def __init__(self, env: Any, *, recorder: Recorder | None = None, ends_at_success: bool = True) -> None:
        self.env = env
        self.model: ArmModel | None = env.unwrapped.model
        self._recorder, self._ends_at_success = recorder, ends_at_success
        self.steps = 0
        self._seen: Any = None
        self.info: Mapping[str, Any] = {}

    def reset(self, seed: int, options: Mapping[str, Any]) -> None:
        """A new episode."""
        self._seen, self.info = self.env.reset(seed=seed, options=dict(options))
        self.steps = 0
        self._ends_at_success &= not {"earlier", "answer"} & self.info.keys()

    def now_s(self) -> float:
        """Simulated seconds: time stands still while a policy thinks."""
        return float(self.env.unwrapped.time_s)

    def observe(self) -> Observation:
        """What there is to see; between steps the arm is at rest."""
        observation: Observation = self.env.unwrapped.observe()
        return observation

    def execute(self, motion: Motion, observation: Observation, on_tick: Callable[[], None] = lambda: None) -> Outcome:
        """Step through `motion`. Raises EmbodiedError for a motion that the action mode cannot take."""
        refused, over, narrowest_m, width_m = "", False, np.inf, None
        for action in self._actions(motion, observation):
            on_tick()
            before = self._seen
            self._seen, _, terminated, truncated, self.info = self.env.step(action)
            self.steps += 1
            over = truncated or (terminated and self._ends_at_success)
            narrowest_m = min(narrowest_m, self.info.get("narrowest_m", np.inf))
            width_m = self.info.get("told_width_m", width_m)
            refused = str(self.info.get("refused", refused))
            if self._recorder is not None:
                self._recorder(before, action, self.info, over)
            if over:
                break
        state = "refused" if refused else "done"
        return Outcome(state=state, reason=refused, narrowest_m=narrowest_m, width_m=width_m, over=over)

    def stop(self) -> None:
        """Between steps nothing moves."""

    def _actions(self, motion: Motion, observation: Observation) -> Any:
        mode, model = self.env.unwrapped.action_mode, self.model
        if model is None:
            if isinstance(motion, RawActions):
                return list(motion.rows)
            raise EmbodiedError(
                f"the policy answers with {type(motion).__name__}, and this environment knows no arm: it takes "
                f"RawActions, within the readings {ACTION_LOWER} and {ACTION_UPPER}"
            )
        joints = observation.joints
        if mode == "joint":
            return joint_rows(motion.plan(model, joints.position_rad, joints.gripper_width_m))
        if isinstance(motion, SkillCall) and mode == "skill":
            return [self.env.unwrapped.skills.encode(motion)]
        if isinstance(motion, SkillCall) and mode == "ee_delta":
            start = HandPose.from_matrix(model.chain.forward(joints.position_rad))
            motion = to_chunk(model, motion, start, joints.gripper_width_m)
        if isinstance(motion, ActionChunk) and mode == "ee_delta":
            return list(motion.ee_delta)
        raise EmbodiedError(
            f"the policy answers with {type(motion).__name__}, which action_mode={mode} cannot take; "
            "valid: joint, ee_delta for skills and chunks, and skill for policies that answer with skills"
        )


def joint_rows(trajectory: JointTrajectory) -> list[NDArray[np.float32]]:
    """A planned motion as actions (N + 1,) of the mode `joint`: where the arm should be at each step."""
    path = TimedPath(trajectory)
    # One row more: the arm lags behind its commands by a step, and comes to rest in it.
    count = int(np.ceil(path.duration_s * CHUNK_RATE_HZ - 1e-9)) + 1
    times = np.minimum(np.arange(1, count + 1) / CHUNK_RATE_HZ, path.duration_s)
    position, _ = path.sample(times)
    widths = [path.gripper_width_at(at) for at in times.tolist()]
    return list(np.column_stack([position, widths]).astype(np.float32))


def same_words(said: str, wanted: str) -> bool:
    """Whether two say the same, whatever their letters and full stops."""
    return said.strip(" .").casefold() == wanted.strip(" .").casefold()


def judged(info: Mapping[str, Any], said: str, motions: int) -> tuple[bool, float, bool | None]:
    """Success, score in [0, 1], and whether something went wrong, of what a simulator and a policy said at the end.

    Where `info` has the right `answer`, it has to be said; where it has to be `still`, no motion is right.
    """
    moved = bool(info.get("still")) and motions > 0
    answer, wrong = info.get("answer"), info.get("went_wrong")
    right = not moved and (answer is None or same_words(said, str(answer)))
    score = float(info["score"]) if right else 0.0
    return bool(info["is_success"]) and right, score, None if wrong is None else bool(wrong) or moved


def run_episode(
    env: Any,
    policies: Policies,
    *,
    task: str,
    split: str,
    seed: int,
    until: str = "success",
    recorder: Recorder | None = None,
    on_decision: Callable[[Decision], None] = lambda decision: None,
) -> EpisodeResult:
    """Run the episode of `seed`, and judge it when the agent has ended it; `on_decision` hears what is decided."""
    assert until in UNTIL, until
    arm = EnvironmentArm(env, recorder=recorder, ends_at_success=until == "success")
    other = None
    if split == "other_image":
        arm.reset(seed + OTHER_SCENE_OFFSET, {"split": "seen"})
        other = arm.observe()
    options = {"split": split if split in SPLITS else "seen"} | ({"swap": True} if split == "swapped" else {})
    arm.reset(seed, options)
    decisions, noticing = list[Decision](), Noticing(env)

    def decided(decision: Decision) -> None:
        noticing.hear(decision, succeeded=bool(arm.info.get("is_success")))
        decisions.append(decision)
        on_decision(decision)

    policy, earlier = policies.of(split, other), str(arm.info.get("earlier", ""))
    judge = (lambda: bool(arm.info["is_success"])) if until == "success" and "answer" not in arm.info else None
    agent = Agent(policy, arm, attempts=ATTEMPTS, judge=None if earlier else judge)
    instruction = env.unwrapped.episode.instruction
    if earlier:
        agent.do(earlier, seed=seed, hooks=Hooks(on_decision=on_decision))
    hooks = Hooks(on_decision=decided, on_state=lambda state, *_: noticing.begin() if state == "thinking" else None)
    result = agent.do(instruction, seed=seed, hooks=hooks)
    success, score, wrong = judged(arm.info, result.text, result.motions)
    ends_itself = until == "done" and "answer" not in arm.info
    return EpisodeResult(
        task=task,
        split=split,
        seed=seed,
        instruction=WORDS_WITHOUT_CONTENT if split == "no_language" else instruction,
        answer=result.text,
        success=success,
        score=score,
        wrong=wrong,
        refused=result.state == "refused",
        steps=arm.steps,
        decision_ms=[decision.timings_ms["decide"] for decision in decisions],
        earlier=earlier,
        original_success=arm.info.get("original_success"),
        early=result.state == "done" and not success if ends_itself else None,
        late=noticing.late if ends_itself else None,
        noticed=noticing.steps,
    )
