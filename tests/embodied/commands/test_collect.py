# SPDX-License-Identifier: Apache-2.0
"""Collected demonstrations: they are what happened, and evaluation seeds stay out of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("av")

from embodied.commands.collect import CollectOptions, main, plan_jobs
from embodied.config import ConfigError, parse
from embodied.data import layout
from embodied.data.layout import DatasetError
from embodied.data.reader import Dataset, RecordedEpisode
from embodied.environments import make_environment
from embodied.errors import UnknownNameError
from embodied.inputs import prepare_state, state_names
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.motion.hand import HandPose
from embodied.motion.skills import Route, Skill, SkillCall
from embodied.motion.skills import register as register_skill
from embodied.types import Float
from sim.tasks import Episode, SceneState, Task
from sim.tasks import register as register_task


def options(*arguments: str) -> CollectOptions:
    return parse(CollectOptions, arguments, command="embodied collect")


def replay(env: Any, episode: RecordedEpisode) -> bool:
    """Play the actions in the scene that `env` was reset to; whether it ends in success.

    The states on the way are the recorded ones, bit for bit, and those that a policy would read.
    """
    info = {"is_success": False}
    for state, action in zip(episode.frames[layout.STATE], episode.frames[layout.ACTION], strict=True):
        seen = env.unwrapped.observe()
        np.testing.assert_array_equal(state, prepare_state(seen.joints))
        _, _, _, _, info = env.step(action)
    return bool(info["is_success"])


def test_recorded_actions_lead_where_the_recording_says(tmp_path: Path) -> None:
    """Playing the actions back in the same scene gives the same states and the same success."""
    out = tmp_path / "set"
    arguments = ["task=pick_up", "seed=5", f"out={out}", "picture_size_px=64", "workers=1"]
    assert main([*arguments, "episodes=1"]) == 0
    assert main([*arguments, "episodes=2", "resume=true"]) == 0
    with pytest.raises(DatasetError, match="holds 2 episodes already"):
        main([*arguments, "episodes=2"])
    dataset = Dataset(out)
    assert len(dataset) == 2
    env = make_environment("pick_up", action_mode="ee_delta", senses=("front",), picture_size_px=64)
    episode = dataset.episode(1)
    seen, _ = env.reset(seed=6, options={"split": "seen"})
    assert episode.task == seen["instruction"]
    assert episode.extra == {"task": "pick_up", "seed": 6, "plan": env.unwrapped.episode.plan.text()}
    assert episode.frames[layout.IMAGES + "front"].shape == (len(episode), 64, 64, 3)
    error = np.abs(episode.frames[layout.IMAGES + "front"][0].astype(int) - seen["front"].astype(int))
    assert error.mean() < 6, "video is lossy, but it is this picture"
    assert replay(env, episode)
    env.close()
    assert episode.frames[layout.SUCCESS].tolist() == [False] * (len(episode) - 1) + [True]
    assert bool(episode.frames[layout.DONE][-1])


def test_every_task_gets_its_episodes_with_training_seeds() -> None:
    jobs = plan_jobs(options("task=touch,stack", "episodes=3", "seed=7"))
    assert [(job.task, job.seed) for job in jobs] == [(task, seed) for task in ("touch", "stack") for seed in (7, 8, 9)]


def test_seeds_of_the_evaluation_are_refused() -> None:
    assert plan_jobs(options("seed=999999", "episodes=1"))
    for arguments in (("seed=999999", "episodes=2"), ("seed=1000000", "episodes=1")):
        with pytest.raises(ConfigError, match="for evaluation and never for training"):
            plan_jobs(options(*arguments))


def test_wrong_names_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="put_in_bowl"):
        plan_jobs(options("task=put_in_bowel"))
    with pytest.raises(UnknownNameError, match="paraphrase"):
        plan_jobs(options("split=swapped"))


@pytest.mark.parametrize("size_px", [0, -4, 5000])
def test_pictures_of_no_size_are_refused_before_anything_is_made(tmp_path: Path, size_px: int) -> None:
    out = tmp_path / "set"
    with pytest.raises(ConfigError, match=rf"picture_size_px={size_px}: .* 1 to 4096"):
        main(["task=touch", "episodes=1", f"out={out}", f"picture_size_px={size_px}"])
    assert not out.exists()


@register_skill
class Tip(Skill):
    """Over point 0 the hand is tilted by half a radian about the world's x, and is laid on it again."""

    name = "tip"
    points = 1

    def move(self, route: Route, points_m: Float) -> None:
        route.begin(0.0)
        high = HandPose.down(points_m[0] + np.array([0.0, 0.0, 0.15]))
        for pose in (high, high.turned(np.array([1.0, 0.0, 0.0]), 0.5), high, HandPose.down(points_m[0])):
            route.add(pose, dwell_s=0.05)


@register_task
class TipTask(Task):
    """Success: what was tipped over is touched."""

    name = "tip"
    verb = "touch"
    templates = ("tip over {a}",)

    def oracle(self, episode: Episode, state: SceneState) -> SkillCall:
        return SkillCall(skill="tip", points_m=np.array([state.places_m(episode)[0]]))

    def success(self, episode: Episode, state: SceneState) -> bool:
        return episode.name_of("target") in state.touched


def test_turns_are_recorded_as_the_hand_was_told_them(tmp_path: Path) -> None:
    out = tmp_path / "set"
    assert main(["task=tip", "seed=3", "episodes=1", f"out={out}", "picture_size_px=32", "workers=1"]) == 0
    episode = Dataset(out).episode(0)
    actions = episode.frames[layout.ACTION]
    assert Dataset(out).info.features[layout.ACTION].names == EE_DELTA_NAMES
    turned = actions[:, EE_DELTA_NAMES.index("rx_rad")]
    assert turned[turned > 0].sum() == pytest.approx(0.5, abs=1e-3)
    assert turned.sum() == pytest.approx(0.0, abs=1e-3), "and back"
    env = make_environment("tip", action_mode="ee_delta", senses=())
    env.reset(seed=3, options={"split": "seen"})
    assert replay(env, episode)
    env.close()


def test_skills_are_recorded_with_their_places_and_lead_to_the_same_end(tmp_path: Path) -> None:
    out = tmp_path / "set"
    arguments = ["task=touch", "seed=4", "episodes=2", f"out={out}", "picture_size_px=32", "workers=1"]
    assert main([*arguments, "action_mode=skill"]) == 0
    dataset = Dataset(out)
    made_with = json.loads((out / layout.OWN).read_text())["made_with"]
    names = dataset.info.features[layout.ACTION].names
    assert names is not None and names[:4] == ("skill", "x0_m", "y0_m", "z0_m")
    env = make_environment("touch", action_mode="skill", senses=(), skills=made_with["skills"])
    for episode in dataset:
        env.reset(seed=int(episode.extra["seed"]), options={"split": "seen"})
        for action in episode.frames[layout.ACTION]:
            assert made_with["skills"][int(action[0])] == "touch"
            _, _, _, _, info = env.step({"skill": int(action[0]), "points_m": action[1:].reshape(-1, 3)})
        assert info["is_success"]
    env.close()


def test_a_dataset_goes_on_with_what_it_was_made_with(tmp_path: Path) -> None:
    out = tmp_path / "set"
    arguments = ["task=touch", "episodes=1", f"out={out}", "picture_size_px=32", "workers=1", "resume=true"]
    assert main(arguments) == 0
    changes = {
        "split=paraphrase": "split: paraphrase here, seen in the dataset",
        "arm=ur5e": "arm: ur5e here, panda in the dataset",
        "seed=7": "seed: 7 here, 0 in the dataset",
        "senses=front,touch": "senses: front,touch here, front in the dataset",
        "picture_size_px=64": "picture_size_px: 64 here, 32 in the dataset",
        "action_mode=skill": "action_mode: skill here, ee_delta in the dataset",
        "task=stack": "task: stack here, touch in the dataset",
    }
    for change, difference in changes.items():
        with pytest.raises(DatasetError, match=difference):
            main([*arguments, change])
    assert len(Dataset(out)) == 1
    assert main([*arguments, "episodes=2", "episodes_per_file=1"]) == 0
    assert [episode.extra["seed"] for episode in Dataset(out)] == [0, 1]


def test_every_sense_is_recorded_as_it_was(tmp_path: Path) -> None:
    out, senses = tmp_path / "set", ("front", "wrist", "front_depth", "touch", "force")
    arguments = ["task=pick_up", "seed=5", "episodes=1", f"out={out}", "picture_size_px=32", "workers=1"]
    assert main([*arguments, f"senses={','.join(senses)}"]) == 0
    [episode] = Dataset(out)
    features = Dataset(out).info.features
    assert features[layout.DEPTH + "front"].shape == (32, 32)
    assert features["observation.touch"].names == ("left_finger_N", "right_finger_N")
    assert features[layout.IMAGES + "wrist"].is_video
    env = make_environment("pick_up", action_mode="ee_delta", senses=senses, picture_size_px=32)
    env.reset(seed=5, options={"split": "seen"})
    assert features[layout.STATE].names == state_names(env.unwrapped.model.joint_names)
    for step, action in enumerate(episode.frames[layout.ACTION]):
        seen = env.unwrapped.observe().readings
        np.testing.assert_array_equal(episode.frames[layout.DEPTH + "front"][step], seen["front_depth"].depth_m)
        for name in ("touch", "force"):
            np.testing.assert_array_equal(episode.frames[f"observation.{name}"][step], np.float32(seen[name].values))
        env.step(action)
    env.close()
    assert episode.frames["observation.touch"].max() > 0.1, "it grasped something"


def test_joint_steps_are_recorded_with_their_names_and_lead_to_the_same_states(tmp_path: Path) -> None:
    out = tmp_path / "set"
    arguments = ["task=pick_up", "seed=5", "episodes=1", f"out={out}", "picture_size_px=32", "workers=1"]
    assert main([*arguments, "action_mode=joint"]) == 0
    [episode] = Dataset(out)
    env = make_environment("pick_up", action_mode="joint", senses=())
    names = (*(f"{name}_rad" for name in env.unwrapped.model.joint_names), "gripper_width_m")
    assert Dataset(out).info.features[layout.ACTION].names == names
    env.reset(seed=5, options={"split": "seen"})
    assert replay(env, episode)
    env.close()
