# SPDX-License-Identifier: Apache-2.0
"""Law: a model is a YAML file. Two cameras, depth, touch and the joints, learnt from recorded episodes with the
commands that anyone types; then it acts in the environment, and through the real graph."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodied.data.reader import Dataset
from embodied.train.sources import open_source

COMPOSITION = """
# --8<-- what a composition is
backbone: {name: lm, layers: 2} # a folder or a hub name
senses: # in the order in which the sentence has them
  front: {encoder: conv, options: {size_px: 64, width: 8}}
  wrist: {encoder: conv, options: {size_px: 32, width: 8}}
  front_depth: {encoder: depth, options: {size_px: 64, width: 8}}
  touch: {encoder: mlp, options: {size: 2, hidden: 16}}
  state: {reading: joints, encoder: mlp, options: {size: 8, hidden: 16}}
fusion: early
heads:
  plan: plan # what is to be done, in words
  chunk: {name: chunk, options: {steps: 8, hidden: 64}} # the next 0.8 s
# --8<-- end
"""
SENSES = ("front", "wrist", "front_depth", "touch")
# On a machine that is busy with other things a living node may be silent for longer than the defaults allow.
PATIENT = """
/**:
  ros__parameters:
    heartbeat_timeout_s: 1.5
    joint_states_timeout_s: 1.5
    max_observation_age_s: 2.0
"""


def embodied(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "embodied.cli", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Path:
    """A folder with episodes, a composition and what came of a few steps of training."""
    folder = tmp_path_factory.mktemp("composed")
    _save_language_model(folder / "lm", tokenizer)
    (folder / "mine.yaml").write_text(COMPOSITION)
    episodes = ("task=pick_up", f"senses={','.join(SENSES)}", "picture_size_px=64", "episodes=3", "seed=5", "workers=1")
    embodied(folder, "collect", *episodes, "out=data")
    steps = ("recipe=palme", "model=mine.yaml", "data=data", "batch=4", "save_every=30", "steps=60", "out=run")
    rates = ("learning_rate=3e-3", "new_learning_rate=3e-3")
    embodied(folder, "train", *steps, *rates)
    return folder


def _save_language_model(folder: Path, tokenizer: Any) -> None:
    """A tiny causal language model with random weights, as the hub would have it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)


def test_it_learns_from_recorded_episodes(trained: Path) -> None:
    rows = [json.loads(line) for line in (trained / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [0, 20, 40, 59]
    for part in ("plan/plan", "chunk/chunk"):
        assert rows[-1][part] < 0.9 * rows[0][part], part
    config = json.loads((trained / "run" / "checkpoint" / "config.json").read_text())
    assert set(config["senses"]) == {*SENSES, "state"} and set(config["heads"]) == {"plan", "chunk"}


def test_what_it_learns_from_is_what_a_policy_reads(trained: Path) -> None:
    """Every reading that a policy would have had, and the state bit for bit."""
    from embodied.inputs import prepare_state

    source, [episode, *_] = open_source(trained / "data"), list(Dataset(trained / "data"))
    sample = source.sample(4, np.random.default_rng(0), commands=1, history=2, horizon=4)
    assert len(sample.observations) == 2
    seen = sample.observations[-1]
    assert set(seen.readings) == {*SENSES, "joints"}
    assert np.array_equal(prepare_state(seen.joints), episode.frames["observation.state"][4])
    assert np.array_equal(seen.readings["touch"].values, episode.frames["observation.touch"][4])
    assert max(each.frames["observation.touch"].max() for each in Dataset(trained / "data")) > 1.0, "fingers that hold"
    assert np.array_equal(seen.picture("wrist").rgb, episode.frames["observation.images.wrist"][4])
    [command] = sample.commands
    assert command.text == episode.task and command.plan is not None and command.plan.verb == "pick_up"
    assert np.array_equal(command.actions, episode.frames["action"][4:8])


def test_it_acts_in_the_environment(trained: Path) -> None:
    options = ("options.checkpoint=run/checkpoint", "options.certain=0.0")  # it was hardly trained
    run = ("policy=palme", *options, "action_mode=ee_delta", "workers=1")
    embodied(trained, "eval", *run, "task=pick_up", "split=seen", "episodes=1", "seed=3", "out=eval.json")
    _, line = (trained / "eval.jsonl").read_text().splitlines()
    result = json.loads(line)
    assert "lift " in result["answer"], "the plan, in the words of the plans that there are"
    assert result["steps"] > 8 and len(result["decision_ms"]) > 1, "a chunk, a look, and another chunk"


def test_it_acts_through_the_graph(trained: Path, ros: Any) -> None:
    pytest.importorskip("rclpy")
    (trained / "patient.yaml").write_text(PATIENT)
    arguments = ("policy:=palme", "checkpoint:=run/checkpoint", "params_file:=patient.yaml", "seed:=3")
    options = 'policy_options:={"certain": 0.0}'
    launch = ros.ros2("launch", "embodied", "sim.launch.py", *arguments, options, cwd=trained)
    try:
        launch.wait_for("The graph is ready.")
        before = _joints(ros)
        _say_until_it_moves(ros, launch, before, "lift the red block")
        for topic in ("camera/wrist/image_raw", "camera/front/depth", "sense/touch"):
            code, _ = ros.run("topic", "echo", "--once", topic)
            assert code == 0, topic
    finally:
        launch.end()


def _joints(ros: Any) -> np.ndarray:
    code, text = ros.run("topic", "echo", "--once", "joint_states")
    assert code == 0, text
    start = text.index("position:")
    lines = text[start:].splitlines()[1:]
    return np.array([float(line.lstrip("- ")) for line in lines if line.startswith("- ")][:7])


def _say_until_it_moves(ros: Any, launch: Any, before: np.ndarray, words: str) -> None:
    """What was hardly trained may begin with a motion that the gate refuses; nobody would say so but once."""
    told, seen = list[str](), 0
    for _ in range(3):
        said = ros.start("-c", "import sys; from nodes.say import say; sys.exit(say(sys.argv[1]))", words)
        seen = launch.wait_for(f"instruction: {words}", after=seen, timeout_s=90.0)
        for _ in range(20):
            if np.abs(_joints(ros) - before).max() > 0.02:
                return
        told.append(said.text)
        said.send(signal.SIGINT)
        said.wait()
    raise AssertionError("\n".join(["the arm did not move", *told, launch.text]))
