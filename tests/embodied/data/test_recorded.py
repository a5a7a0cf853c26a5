# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes as samples: what was seen, what was done next, and what becomes of a foreign recording."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embodied.data import layout, recorded
from embodied.data.layout import Feature
from embodied.data.writer import DatasetWriter
from embodied.errors import EmbodiedError
from embodied.inputs import state_names
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.train.sources import actions_of, open_source, words_of
from embodied.types import Vector

JOINT_NAMES = tuple(f"joint{number}" for number in range(7))
TARGETS = (*(f"{name}_rad" for name in JOINT_NAMES), "width_m")


def recording(folder: Path, action: tuple[str, ...], state: tuple[str, ...]) -> Path:
    """Two episodes of 5 and 3 frames, whose numbers tell where they are from."""
    features = {
        layout.STATE: Feature(dtype="float32", shape=(8,), names=state),
        layout.ACTION: Feature(dtype="float32", shape=(len(action),), names=action),
    }
    with DatasetWriter(folder, fps=10, robot_type="test", features=features, made_with={}) as writer:
        for episode, length in ((1, 5), (2, 3)):
            steps = np.arange(length, dtype=np.float32)[:, None]
            frames = {
                layout.STATE: 10 * episode + steps + np.zeros((1, 8), np.float32),
                layout.ACTION: 0.1 * episode + 0.01 * steps + np.zeros((1, len(action)), np.float32),
            }
            extra = {"plan": "touch red block"} if episode == 2 else {}
            writer.add_episode(f"do {episode}", frames, extra=extra)
    return folder


def draw(folder: Path, index: int, *, history: int = 1, horizon: int = 4):
    return open_source(folder).sample(index, np.random.default_rng(0), commands=1, history=history, horizon=horizon)


def test_every_frame_is_a_sample_of_its_own_episode(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", EE_DELTA_NAMES, state_names(JOINT_NAMES))
    source = open_source(folder)
    assert len(source) == 8
    found = [draw(folder, index) for index in range(8)]
    first = [sample.observations[-1].joints.position_rad[0] for sample in found]
    assert first == pytest.approx([10, 11, 12, 13, 14, 20, 21, 22])
    assert [sample.commands[0].text for sample in found] == ["do 1"] * 5 + ["do 2"] * 3
    assert found[0].commands[0].plan is None and found[5].commands[0].plan.text() == "touch red block"
    assert (source.actions.names, source.actions.rate_hz, source.actions.count) == (EE_DELTA_NAMES, 10, 8)


def test_history_and_future_end_where_the_episode_ends(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", EE_DELTA_NAMES, state_names(JOINT_NAMES))
    looks = [draw(folder, 4, history=3, horizon=horizon).observations for horizon in (0, 1, 2, 4)]
    assert [[round(each.joints.position_rad[0]) for each in seen] for seen in looks] == [
        [12, 13, 14], [12, 13, 14], [10, 12, 14], [10, 14]
    ], "as far apart as a policy looks that carries out the actions in between"  # fmt: skip
    sample = draw(folder, 6, history=3, horizon=1)
    assert [each.joints.position_rad[0] for each in sample.observations] == pytest.approx([20, 21])
    [command] = draw(folder, 6).commands
    assert command.actions.shape == (4, 7) and command.ends
    assert command.actions[:2, 0].tolist() == pytest.approx([0.21, 0.22])
    assert not command.actions[2:, :6].any(), "behind the end the hand stays where it is"
    assert command.actions[2:, 6].tolist() == pytest.approx([0.22, 0.22]), "and the fingers as they are"
    assert not draw(folder, 0).commands[0].ends


def test_the_goal_is_what_was_seen_last_while_the_arm_was_told_the_same(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", EE_DELTA_NAMES, state_names(JOINT_NAMES))
    assert draw(folder, 1).commands[0].goal is None, "nobody wants it"
    source = open_source(folder)
    source._kept[0] = replace(source._episode(0), words=("do 1", "do 1", "stop", "do 1", "do 1"))

    def end(index: int) -> int:
        wanted = {"commands": 1, "history": 1, "horizon": 1, "goal": True}
        goal = source.sample(index, np.random.default_rng(0), **wanted).commands[0].goal
        return round(goal.joints.position_rad[0])

    assert [end(index) for index in range(8)] == [11, 11, 12, 14, 14, 22, 22, 22]


def test_targets_are_kept_behind_the_end(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", TARGETS, state_names(JOINT_NAMES))
    actions = draw(folder, 7).commands[0].actions
    assert np.array_equal(actions, np.repeat(actions[:1], 4, axis=0)) and actions[0, 0] == pytest.approx(0.22)


def test_a_state_of_other_numbers_is_a_vector_of_its_own(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", EE_DELTA_NAMES, tuple("abcdefgh"))
    seen = draw(folder, 1).observations[-1]
    assert set(seen.readings) == {"state"}
    state = seen.readings["state"]
    assert isinstance(state, Vector) and state.names == tuple("abcdefgh") and state.values[0] == 11.0


def test_a_folder_without_data_says_how_to_make_some(tmp_path: Path) -> None:
    with pytest.raises(EmbodiedError, match=r"embodied collect task=grounding .* or embodied collect task=touch"):
        open_source(tmp_path)


def test_data_of_other_verbs_go_together_and_of_other_colours_do_not(tmp_path: Path) -> None:
    class Said:
        def __init__(self, colour: str, *verbs: str) -> None:
            self.words = {"colours": (colour,), "verbs": verbs}

    both = words_of({"a": Said("red", "touch", "stack"), "b": Said("red", "push_to", "touch")})
    assert both == {"colours": ("red",), "verbs": ("touch", "stack", "push_to")}
    with pytest.raises(EmbodiedError, match="b has other colours than the data before it"):
        words_of({"a": Said("red"), "b": Said("blue")})


def test_a_recording_without_actions_is_refused(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a", EE_DELTA_NAMES, state_names(JOINT_NAMES))
    info = json.loads((folder / layout.INFO).read_text())
    del info["features"]["action"]
    (folder / layout.INFO).write_text(json.dumps(info))
    (folder / "SHA256SUMS").unlink()
    with pytest.raises(EmbodiedError, match="has no action: there is nothing to learn from"):
        open_source(folder)


def test_actions_of_several_recordings_are_taken_together(tmp_path: Path) -> None:
    one = recording(tmp_path / "a", EE_DELTA_NAMES, state_names(JOINT_NAMES))
    source = open_source(one)
    both = actions_of([source, source])
    assert both.count == 16 and both.mean == pytest.approx(source.actions.mean)
    assert both.std == pytest.approx(source.actions.std)
    rows = np.concatenate([draw(one, index, horizon=1).commands[0].actions for index in range(8)])
    assert both.mean == pytest.approx(rows.mean(axis=0)) and both.std == pytest.approx(rows.std(axis=0))
    other = recording(tmp_path / "b", TARGETS, state_names(JOINT_NAMES))
    with pytest.raises(EmbodiedError, match=r"actions of two sorts in one training: dx_m, .* and joint0_rad, "):
        actions_of([source, open_source(other)])


def test_chunks_are_what_was_done_from_moments_of_all_recordings(tmp_path: Path, monkeypatch) -> None:
    folder = recording(tmp_path / "a", EE_DELTA_NAMES, state_names(JOINT_NAMES))
    source = open_source(folder)
    assert [len(episode) for episode in source.actions.episodes()] == [5, 3]
    chunks = source.actions.chunks(4, most=100)
    shown = [draw(folder, index).commands[0].actions for index in range(8)]
    assert np.array_equal(chunks, np.stack(shown)), "as in training"
    few = actions_of([source, source]).chunks(4, most=3)
    assert np.array_equal(few, np.stack([shown[0], shown[7], shown[7]])), "spread over all of them"
    monkeypatch.setattr(recorded, "SOME", 1)
    assert [len(episode) for episode in source.actions.episodes()] == [5]


def test_what_does_not_fit_into_memory_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "MEMORY_BYTES", 1)
    source = open_source(recording(tmp_path / "a", EE_DELTA_NAMES, state_names(JOINT_NAMES)))
    for index in (0, 6, 1, 7):
        source.sample(index, np.random.default_rng(0), commands=1, history=1, horizon=1)
        assert len(source._kept) == 1
