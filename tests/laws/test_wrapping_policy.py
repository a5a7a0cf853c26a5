# SPDX-License-Identifier: Apache-2.0
"""Law: a policy may wrap a policy. This one makes a planner of two steps of any that can do one."""

import gymnasium
import numpy as np

import sim
from embodied.environments import environment_id
from embodied.episode import EnvironmentArm
from embodied.language.verbs import parse_plan
from embodied.motion.skills import SkillCall
from embodied.policy import make_policy
from embodied.run import Agent
from embodied.types import ObjectState
from sim.tasks import Episode

# --8<-- what a wrapping policy is
from dataclasses import replace

from embodied import Decision, Instruction, Observation, Policy


class OneByOne:
    """Says the parts of "A, then B" to the policy that it wraps, each when the one before is done."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.needs = policy.needs

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self._parts = [part.strip(" ,") for part in instruction.text.split(" then ")]
        self._part = -1

    def decide(self, observation: Observation) -> Decision:
        part = sum(not step.failed for step in observation.steps)
        if part != self._part:
            self._policy.reset(Instruction(text=self._parts[part]))
            self._part = part
        decision = self._policy.decide(replace(observation, steps=()))
        return replace(decision, done=decision.done and part == len(self._parts) - 1)


# --8<-- end


def block(colour: str, x: float, y: float) -> ObjectState:
    place = np.array([x, y, 0.02])
    return ObjectState(name=f"{colour} block", kind="block", colour=colour, position_m=place)


def test_two_steps_are_done_one_after_the_other() -> None:
    bowl = ObjectState(name="green bowl", kind="bowl", colour="green", position_m=np.array([0.56, 0.12, 0.0]))
    objects = (block("red", 0.42, -0.12), block("blue", 0.56, -0.1), bowl)
    words = "stack the red block on the blue block, then touch the green bowl"
    plan = parse_plan("stack red block on blue block")
    scene = Episode(task="stack", split="seen", objects=objects, instruction=words, plan=plan)
    env = gymnasium.make(environment_id("stack"), action_mode="skill", senses=("front",))
    arm = EnvironmentArm(env, ends_at_success=False)
    arm.reset(0, {"episode": scene})
    said: list[str] = []
    from embodied.run import Hooks

    agent = Agent(OneByOne(make_policy("colour_blob")), arm)
    result = agent.do(words, hooks=Hooks(on_decision=lambda decision: said.append(decision.text)))
    assert said == ["stack red block on blue block", "touch green bowl"]
    assert (result.state, result.motions, arm.steps) == ("done", 2, 2)
    assert arm.info["is_success"], "the stack stands"
    assert "green bowl" in env.unwrapped.scene_state().touched
    assert sim.TABLETOP
    env.close()


def test_what_the_wrapped_policy_refuses_is_refused() -> None:
    env = gymnasium.make(environment_id("stack"), action_mode="skill", senses=("front",))
    arm = EnvironmentArm(env)
    arm.reset(3, {})
    agent = Agent(OneByOne(make_policy("colour_blob")), arm)
    result = agent.do("dance with me then touch the green bowl")
    assert (result.state, arm.steps) == ("refused", 0)
    env.close()


def test_a_step_that_fails_is_not_passed_over() -> None:
    """The first block cannot be reached: the second step is not done in its place."""
    far, near = block("red", 0.85, 0.0), block("blue", 0.5, 0.1)
    plan = parse_plan("touch red block")
    scene = Episode(task="touch", split="seen", objects=(far, near), instruction="", plan=plan)
    env = gymnasium.make(environment_id("touch"), action_mode="skill", senses=("front",))
    arm = EnvironmentArm(env, ends_at_success=False)
    arm.reset(0, {"episode": scene})
    result = Agent(OneByOne(Unreachable()), arm).do("touch the red block then touch the blue block")
    assert result.state == "failed"
    assert env.unwrapped.scene_state().touched == frozenset()
    env.close()


class Unreachable:
    """Touches a place for each colour; the red one is out of reach."""

    needs = ()

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self.x_m = 0.85 if "red" in instruction.text else 0.5

    def decide(self, observation: Observation) -> Decision:
        call = SkillCall(skill="touch", points_m=np.array([[self.x_m, 0.1, 0.045]]))
        return Decision(text="touch", motion=call, observation_stamp_s=observation.stamp_s)
