# SPDX-License-Identifier: Apache-2.0
"""Collected demonstrations: they are what happened, and evaluation seeds stay out of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("av")

from embodied.commands.collect import CollectOptions, main, plan_jobs
from embodied.config import ConfigError, parse
from embodied.data import layout
from embodied.data.layout import DatasetError
from embodied.data.reader import Dataset
from embodied.environments import make_environment
from embodied.errors import UnknownNameError


def options(*arguments: str) -> CollectOptions:
    return parse(CollectOptions, arguments, command="embodied collect")


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
    seen, info = env.reset(seed=6, options={"split": "seen"})
    assert episode.task == seen["instruction"]
    assert episode.frames[layout.IMAGES + "front"].shape == (len(episode), 64, 64, 3)
    error = np.abs(episode.frames[layout.IMAGES + "front"][0].astype(int) - seen["front"].astype(int))
    assert error.mean() < 6, "video is lossy, but it is this picture"
    for state, action in zip(episode.frames[layout.STATE], episode.frames[layout.ACTION], strict=True):
        np.testing.assert_allclose(state, seen["state"], atol=1e-5)
        seen, _, _, _, info = env.step(action)
    env.close()
    assert info["is_success"]
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
