# SPDX-License-Identifier: Apache-2.0
"""One episode of a policy in an environment, and the controls that show what the policy relies on.

A control spoils one input of an ordinary `seen` episode:

- `no_language`: the words are replaced by words without content;
- `swapped`: another command for the same scene; success means that the words were followed;
- `no_vision`: the image tokens are zeroed inside of the model;
- `other_image`: the image tokens come from the picture of another scene.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from embodied.actions import to_skill_action
from embodied.agent import Agent
from embodied.config import ConfigError
from embodied.errors import EmbodiedError
from embodied.policy import Policy
from embodied.robots import panda_chain
from embodied.skills import HandPose, to_chunk
from embodied.types import ActionChunk, Decision, Observation, SkillCall

SPLITS = ("seen", "paraphrase", "pair")
CONTROLS = ("no_language", "swapped", "no_vision", "other_image")
MODEL_CONTROLS = ("no_vision", "other_image")
"""Controls that act inside of a model; the policy must have `set_control` for them."""

WORDS_WITHOUT_CONTENT = "do it"
OTHER_SCENE_OFFSET = 500_000
"""The other scene of `other_image` is that of the episode's seed plus this."""


@dataclass(frozen=True, kw_only=True)
class EpisodeResult:
    """What came of one episode."""

    task: str
    split: str
    seed: int
    instruction: str
    answer: str  # the last text of the policy
    success: bool
    score: float  # in [0, 1]
    steps: int
    decision_ms: list[float]
    original_success: bool | None = None  # swapped: whether the command that was not given was done


def check_controls(policy: Policy, name: str, splits: Sequence[str]) -> None:
    """Raises ConfigError when a split needs a control that the policy does not have."""
    needed = [split for split in splits if split in MODEL_CONTROLS]
    if needed and not hasattr(policy, "set_control"):
        raise ConfigError(
            f"split={','.join(needed)} acts inside of a model, and policy {name!r} has none to act in. "
            f"Policies with set_control (palme) support it; valid for every policy: "
            f"{', '.join([*SPLITS, 'no_language', 'swapped'])}."
        )


class Recorder(Protocol):
    """Something that keeps what happens in an episode."""

    def on_step(self, seen: Any, action: Any, info: Mapping[str, Any], *, over: bool) -> None:
        """Called after every step with what was seen before it and what came of it."""


def run_episode(
    env: Any, policy: Policy, *, task: str, split: str, seed: int, recorder: Recorder | None = None
) -> EpisodeResult:
    """Run the episode of `seed` until it ends, or until the policy answers without a motion."""
    seen, info = _reset(env, policy, split, seed)
    instruction = WORDS_WITHOUT_CONTENT if split == "no_language" else env.unwrapped.episode.instruction
    observation = env.unwrapped.observe()
    agent = Agent(policy, clock=lambda: observation.stamp_s)
    agent.instruct(instruction)
    steps, over, answer, decision_ms = 0, False, "", []
    while not over:
        start = time.perf_counter()
        decision = agent.step(observation)
        decision_ms.append(1e3 * (time.perf_counter() - start))
        assert decision is not None, "the agent has a command"
        answer = decision.text
        if decision.motion is None:
            break
        for action in actions_of(decision, observation, env.unwrapped.action_mode):
            before = seen
            seen, _, terminated, truncated, info = env.step(action)
            steps += 1
            over = terminated or truncated
            if recorder is not None:
                recorder.on_step(before, action, info, over=over)
            if over:
                break
        observation = env.unwrapped.observe()
    return EpisodeResult(
        task=task,
        split=split,
        seed=seed,
        instruction=instruction,
        answer=answer,
        success=bool(info["is_success"]),
        score=float(info["score"]),
        steps=steps,
        decision_ms=decision_ms,
        original_success=info.get("original_success"),
    )


def actions_of(decision: Decision, observation: Observation, action_mode: str) -> Sequence[Any]:
    """The environment actions of a decision that has a motion.

    A skill is one action in skill mode and a run of hand displacements in ee_delta mode. Raises
    EmbodiedError when the mode cannot take the motion.
    """
    motion = decision.motion
    if isinstance(motion, SkillCall) and action_mode == "skill":
        return [to_skill_action(motion)]
    if isinstance(motion, SkillCall) and action_mode == "ee_delta":
        start = HandPose.from_matrix(panda_chain().forward(observation.joint_position_rad))
        motion = to_chunk(motion, start)
    if isinstance(motion, ActionChunk) and action_mode == "ee_delta":
        return list(motion.ee_delta)
    raise EmbodiedError(
        f"the policy answers with a {type(motion).__name__}, which action_mode={action_mode} cannot take; "
        "valid: ee_delta, and skill for policies that answer with skills"
    )


def _reset(env: Any, policy: Any, split: str, seed: int) -> tuple[Any, Mapping[str, Any]]:
    if hasattr(policy, "set_seed"):
        policy.set_seed(seed)  # a policy that draws must not depend on which process ran what before
    if hasattr(policy, "set_control"):
        policy.set_control(split if split in MODEL_CONTROLS else None)
    if split == "other_image":
        env.reset(seed=seed + OTHER_SCENE_OFFSET, options={"split": "seen"})
        policy.set_other_observation(env.unwrapped.observe())
    options: dict[str, Any] = {"split": split if split in SPLITS else "seen"}
    if split == "swapped":
        options["swap"] = True
    seen, info = env.reset(seed=seed, options=options)
    return seen, info
