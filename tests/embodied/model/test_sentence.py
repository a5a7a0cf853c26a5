# SPDX-License-Identifier: Apache-2.0
"""Laws of the multimodal sentence and of who sees whom."""

import pytest
import torch

from embodied.errors import UnknownNameError
from embodied.model.palme import Palme
from embodied.model.sentence import Sensor, Text, allowed, positions

PICTURE = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
STATE = torch.linspace(-1, 1, 8)
OBJECTS = torch.linspace(0, 1, 15).reshape(3, 5)


@pytest.mark.parametrize(
    "sentence",
    [
        (Text("look: "), Sensor("front", PICTURE), Text(" and "), Sensor("state", STATE)),
        (Sensor("objects", OBJECTS), Sensor("front", PICTURE), Sensor("front", PICTURE), Text("go")),
        (Text("words alone"),),
    ],
)
def test_segments_keep_their_order_and_length(tiny: Palme, sentence):
    embedded = tiny.embed(sentence)
    tokens = {"front": 4, "state": 1, "objects": 3}
    expected = [len(s.text) if isinstance(s, Text) else tokens[s.modality] for s in sentence]
    assert [end - start for start, end in embedded.spans] == expected
    assert embedded.embeddings.shape == (1, sum(expected), tiny.backbone.dim)


def test_thinning_keeps_what_it_keeps_in_its_place(tiny: Palme):
    whole = tiny.embed((Text("see "), Sensor("front", PICTURE), Text("go"), Sensor("state", STATE)))
    thin = whole.thinned(1, torch.tensor([0, 3]))
    (start, _), (words, end) = whole.spans[1], whole.spans[2]
    kept = [*range(start + 1), start + 3, *range(words, whole.embeddings.shape[1])]
    for name in ("embeddings", "branch", "reading", "position"):
        assert torch.equal(getattr(thin, name), getattr(whole, name)[:, kept]), name
    assert torch.equal(thin.features[1], whole.features[1][:, [0, 3]])
    assert thin.spans == ((0, start), (start, start + 2), (words - 2, end - 2), (end - 2, end - 1))
    same = whole.thinned(1, torch.arange(4))
    assert torch.equal(same.embeddings, whole.embeddings) and same.spans == whole.spans


def test_words_are_the_language_models_own_embeddings(tiny: Palme):
    embedded = tiny.embed((Sensor("state", STATE), Text("ab")))
    ids = torch.tensor(tiny.tokenizer.encode("ab"))
    assert torch.equal(embedded.embeddings[0, 1:], tiny.backbone.embedding(ids))


def test_sensor_tokens_have_the_scale_of_words(tiny: Palme):
    embedded = tiny.embed((Sensor("front", PICTURE), Sensor("objects", 50 * OBJECTS)))
    scale = embedded.embeddings[0].pow(2).mean(dim=-1).sqrt()
    torch.testing.assert_close(scale, torch.full_like(scale, tiny.backbone.text_scale), rtol=1e-3, atol=0)


def test_an_unknown_modality_lists_the_valid_ones(tiny: Palme):
    with pytest.raises(UnknownNameError, match="front, objects, state"):
        tiny.embed((Sensor("radar", STATE),))


@torch.no_grad()
def test_packed_branches_equal_separate_sentences(tiny: Palme):
    prefix = tiny.embed((Sensor("front", PICTURE), Sensor("state", STATE)))
    commands = [tiny.embed((Text(text),)).embeddings for text in ("touch it", "lift the red block")]
    packed = torch.cat([prefix.embeddings, *commands], dim=1)
    lengths = [c.shape[1] for c in commands]
    branch = torch.tensor([[0] * 5 + [1] * lengths[0] + [2] * lengths[1]])
    reading = torch.cat([prefix.reading, torch.full((1, sum(lengths)), -1)], dim=1)
    hidden = tiny.backbone(packed, mask=allowed(branch, reading), position_ids=positions(branch))
    start = 5
    for command, length in zip(commands, lengths, strict=True):
        alone_branch = torch.zeros(1, 5 + length, dtype=torch.long)
        alone_reading = torch.cat([prefix.reading, torch.full((1, length), -1)], dim=1)
        alone = tiny.backbone(
            torch.cat([prefix.embeddings, command], dim=1),
            mask=allowed(alone_branch, alone_reading),
            position_ids=positions(alone_branch),
        )
        torch.testing.assert_close(hidden[:, start : start + length], alone[:, 5:], rtol=1e-4, atol=1e-5)
        start += length


def test_a_reading_sees_itself_both_ways_and_words_do_not_see_ahead():
    branch = torch.tensor([[0, 0, 0, 1, 1, 2, -1]])
    reading = torch.tensor([[0, 0, -1, -1, -1, -1, -1]])
    mask = allowed(branch, reading)[0, 0]
    assert mask[0, 1]  # within the reading
    assert not mask[1, 2]  # a word that comes later
    assert mask[3, 0] and mask[4, 3] and not mask[3, 4]
    assert not mask[5, 3]  # another branch
    assert mask[5, 2]  # the prefix
    assert not mask[:6, 6].any()  # padding is never seen
    assert positions(branch)[0, :6].tolist() == [0, 1, 2, 3, 4, 3]
