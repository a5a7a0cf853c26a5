# SPDX-License-Identifier: Apache-2.0
"""Heads that act: each learns what was shown, and where two things were shown, those that can say both say one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from embodied.data.sample import Actions, Command, Sample
from embodied.errors import EmbodiedError
from embodied.model.composition import PartConfig
from embodied.model.heads.acting import Acting
from embodied.model.heads.bins import WIDEST, BinsHead
from embodied.model.heads.diffusion import DiffusionHead
from embodied.model.heads.flow import FlowHead
from embodied.model.palme import Palme
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.types import Observation

STEPS = 4
KINDS = {"chunk": {}, "bins": {"bins": 32}, "flow": {"heads": 2}, "diffusion": {"heads": 2}}
KINDS["fast"] = {"words": 128, "scale": 4.0}
LESSONS = {"fast": 80}
"""Steps, where few are enough: there are more words in a chunk than actions."""


@pytest.fixture
def built(make_tiny: Callable[..., Palme]) -> Callable[[str], Acting]:
    def build(name: str, **options: object) -> Acting:
        part = PartConfig(name, {"steps": STEPS, "hidden": 32, **KINDS[name], **options})
        head = make_tiny(heads={"act": part}).heads["act"]
        assert isinstance(head, Acting)
        return head.train()

    return build


def taught(head: Acting, shown: Callable[[int], tuple[Tensor, Tensor]], steps: int) -> None:
    """Learn from what `shown` gives for a step: what is read (N, hidden), and the actions that are right."""
    optimizer = torch.optim.Adam(head.parameters(), lr=3e-3)
    for step in range(steps):
        optimizer.zero_grad()
        head.error(*shown(step)).backward()
        optimizer.step()
    head.eval()


@pytest.mark.parametrize("name", KINDS)
def test_it_learns_which_actions_follow_on_what_was_read(name: str, built: Callable[[str], Acting]) -> None:
    torch.manual_seed(0)
    head, read = built(name), torch.randn(3, 32)
    wanted = torch.randn(3, STEPS, 7).clamp(-2, 2)
    with torch.no_grad():
        before = (head.chosen(read) - wanted).abs().mean()
    taught(head, lambda _: (read.repeat(8, 1), wanted.repeat(8, 1, 1)), LESSONS.get(name, 400))
    with torch.no_grad():
        after = (head.chosen(read) - wanted).abs().mean()
        assert after < 0.35 * before, (float(before), float(after))
        assert torch.equal(head.chosen(read), head.chosen(read)), "the same sight and words, the same actions"


@pytest.mark.parametrize("name", ["bins", "fast", "flow", "diffusion"])
def test_of_two_ways_around_it_takes_one_and_not_the_middle(name: str, built: Callable[[str], Acting]) -> None:
    torch.manual_seed(0)
    head, read = built(name), torch.zeros(64, 32)

    def shown(step: int) -> tuple[Tensor, Tensor]:
        way = (torch.rand(64, generator=torch.Generator().manual_seed(step)) < 0.5).float() * 2 - 1
        return read, way[:, None, None].expand(-1, STEPS, 7)

    taught(head, shown, LESSONS.get(name, 400))
    with torch.no_grad():
        assert (head.chosen(read[:1]).abs() - 1).abs().max() < 0.3


@pytest.mark.parametrize("name", KINDS)
def test_a_model_with_it_learns_and_acts(name: str, make_tiny: Callable[..., Palme]) -> None:
    torch.manual_seed(0)
    options = {"steps": STEPS, "hidden": 32, **KINDS[name]}
    model = make_tiny(senses={}, heads={"act": PartConfig(name, options)}).train()
    actions = np.full((STEPS, 7), 0.004, dtype=np.float32)
    fitted = Actions(names=EE_DELTA_NAMES, rate_hz=10.0, mean=np.zeros(7), std=np.full(7, 0.004), count=9)
    model.heads["act"].fit(fitted)
    command = Command(text="go on", actions=actions, ends=True)
    sample = Sample(observations=(Observation(readings={}),), commands=(command,))
    hidden = model.read(model.embed([model.sentence({}, [("go on", None)])]))
    parts = model.heads["act"].loss(hidden, [sample])
    sum(parts.values()).backward()
    assert set(parts) == {"chunk", "ends"}
    assert all(each.grad is not None and each.grad.isfinite().all() for each in model.heads["act"].parameters())
    model.eval()
    with torch.inference_mode():
        act = model.heads["act"].answer(model.read(model.embed([model.sentence({}, [("go on", None)])])))
    assert act.motion.ee_delta.shape == (STEPS, 7) and np.isfinite(act.motion.ee_delta).all()


@pytest.mark.parametrize("bins", [2, 3, 256])
def test_bins_give_back_what_they_hold(bins: int, built: Callable[..., Acting]) -> None:
    head = built("bins", bins=bins)
    assert isinstance(head, BinsHead)
    every = torch.arange(bins)
    assert torch.equal(head.encode(head.decode(every)), every)
    actions = torch.randn(100, 7).clamp(-WIDEST, WIDEST)
    assert (head.decode(head.encode(actions)) - actions).abs().max() <= WIDEST / (bins - 1) + 1e-5
    assert head.decode(head.encode(torch.tensor([99.0, -99.0]))).tolist() == [WIDEST, -WIDEST]


@pytest.mark.parametrize("name", ["flow", "diffusion"])
def test_the_noise_that_it_begins_with_is_kept(name: str, make_tiny: Callable[..., Palme]) -> None:
    part = PartConfig(name, {"steps": STEPS, "hidden": 32, **KINDS[name]})
    first, second = (make_tiny(heads={"act": part}) for _ in range(2))
    assert "act.begun" in first.state_dict()
    assert torch.equal(first.state_dict()["act.begun"], second.state_dict()["act.begun"])


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("bins", {"bins": 1}, "bins must be at least 2, not 1"),
        ("fast", {"words": 60}, "words must be at least 65 for steps=4 and scale=4.0, not 60"),
        ("fast", {"scale": 0.0}, "scale must be above 0 and at most 100, not 0.0"),
        ("flow", {"hidden": 30}, "hidden must be a multiple of 2 x heads=4, not 30"),
        ("flow", {"jumps": 0}, "jumps must be a whole number from 1 on, not 0"),
    ],
)
def test_sizes_that_are_none_are_refused(name: str, options: dict, words: str, built: Callable[..., Acting]) -> None:
    with pytest.raises(EmbodiedError, match=words):
        built(name, **options)


def test_flow_moves_from_noise_straight_to_what_was_shown(built: Callable[[str], Acting]) -> None:
    """With velocities that are right (what is left of the way, over what is left of the time) it arrives."""
    head, goal = built("flow"), torch.randn(1, STEPS, 7)
    assert isinstance(head, FlowHead)
    head.velocity = lambda read, actions, time: (goal - actions) / (1 - time)[:, None, None]  # type: ignore[method-assign]
    assert torch.allclose(head.chosen(torch.zeros(1, 32)), goal, atol=1e-4)


def test_diffusion_takes_apart_what_was_mixed_and_arrives_at_what_was_shown(built: Callable[[str], Acting]) -> None:
    """With a reading that is right (which of the mixture is noise) it arrives, in any number of steps."""
    head, goal = built("diffusion", jumps=3), torch.randn(1, STEPS, 7)
    assert isinstance(head, DiffusionHead)
    noise = head.begun[None]

    def expected(read: Tensor, mixture: Tensor, time: Tensor) -> Tensor:
        angle = (0.5 * torch.pi * time)[:, None, None]
        return angle.cos() * noise - angle.sin() * goal

    head.expected = expected  # type: ignore[method-assign]
    for time in (torch.tensor([0.0]), torch.tensor([0.4]), torch.tensor([1.0])):
        actions, rest = head.taken_apart(torch.zeros(1, 32), head.mixed(goal, noise, time), time)
        torch.testing.assert_close(actions, goal)
        torch.testing.assert_close(rest, noise)
    torch.testing.assert_close(head.chosen(torch.zeros(1, 32)), goal, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["flow", "diffusion"])
@torch.no_grad()
def test_in_few_bits_it_takes_nearly_the_same_actions(name: str, built: Callable[[str], Acting]) -> None:
    head = built(name).eval()
    exact = head.chosen(torch.ones(1, 32))
    coarse = head.bfloat16().chosen(torch.ones(1, 32, dtype=torch.bfloat16)).float()
    assert (coarse - exact).abs().max() < 0.1 * exact.abs().max()


def test_more_steps_than_anybody_waits_for_are_refused(built: Callable[..., Acting]) -> None:
    with pytest.raises(EmbodiedError, match="jumps must be at most 1000"):
        built("diffusion", jumps=10**9)
