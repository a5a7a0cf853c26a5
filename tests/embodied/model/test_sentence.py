# SPDX-License-Identifier: Apache-2.0
"""Laws of the multimodal sentence and of who sees whom."""

import pytest
import torch

from embodied.errors import UnknownNameError
from embodied.model.palme import Palme
from embodied.model.sentence import Sensor, Sentence, Text, allowed, asking, positions

PICTURE = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
STATE = torch.linspace(-1, 1, 8)
OBJECTS = torch.linspace(0, 1, 15).reshape(3, 5)


def of(*segments: Text | Sensor) -> list[Sentence]:
    return [Sentence(segments)]


@pytest.mark.parametrize(
    "sentence",
    [
        (Text("look: "), Sensor("front", PICTURE), Text(" and "), Sensor("state", STATE)),
        (Sensor("objects", OBJECTS), Sensor("front", PICTURE), Sensor("front", PICTURE), Text("go")),
        (Text("words alone"),),
    ],
)
def test_segments_keep_their_order_and_length(tiny: Palme, sentence):
    embedded = tiny.embed(of(*sentence))
    tokens = {"front": 4, "state": 1, "objects": 3}
    lengths = [len(s.text) if isinstance(s, Text) else tokens[s.sense] for s in sentence]
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    sensors = [(a, a + n) for a, n, s in zip(starts, lengths, sentence, strict=True) if isinstance(s, Sensor)]
    assert list(embedded.spans.values()) == sensors
    assert embedded.embeddings.shape == (1, sum(lengths), tiny.backbone.dim)
    assert embedded.position.tolist() == [list(range(sum(lengths)))]


def test_thinning_keeps_what_it_keeps_in_its_place(tiny: Palme):
    senses = (Text("see "), Sensor("front", PICTURE), Sensor("state", STATE))
    whole = tiny.embed([Sentence(senses, (asking("go"), asking("touch it", (1, 2))))])
    thin = whole.thinned("front", torch.tensor([0, 3]))
    (start, end), (state, _) = whole.spans["front"], whole.spans["state"]
    assert end - start == 4
    kept = [*range(start + 1), start + 3, *range(state, whole.embeddings.shape[1])]
    for name in ("embeddings", "branch", "reading", "position"):
        assert torch.equal(getattr(thin, name), getattr(whole, name)[:, kept]), name
    assert torch.equal(thin.features["front"], whole.features["front"][:, [0, 3]])
    assert thin.spans == {"front": (start, start + 2), "state": (state - 2, state - 1)}
    for one, other in zip(whole.places[0], thin.places[0], strict=True):
        assert (other.start, other.answer, other.end) == (one.start - 2, one.answer - 2, one.end - 2)
    same = whole.thinned("front", torch.arange(4))
    assert torch.equal(same.embeddings, whole.embeddings) and same.spans == whole.spans


def test_words_are_the_language_models_own_embeddings(tiny: Palme):
    embedded = tiny.embed(of(Sensor("state", STATE), Text("ab")))
    ids = torch.tensor(tiny.tokenizer.encode("ab"))
    assert torch.equal(embedded.embeddings[0, 1:], tiny.backbone.embedding(ids))


def test_sensor_tokens_have_the_scale_of_words(tiny: Palme):
    embedded = tiny.embed(of(Sensor("front", PICTURE), Sensor("objects", 50 * OBJECTS)))
    scale = embedded.embeddings[0].pow(2).mean(dim=-1).sqrt()
    torch.testing.assert_close(scale, torch.full_like(scale, tiny.backbone.text_scale), rtol=1e-3, atol=0)


def test_an_unknown_sense_lists_the_valid_ones(tiny: Palme):
    with pytest.raises(UnknownNameError, match="front, objects, state"):
        tiny.embed(of(Sensor("radar", STATE)))
    with pytest.raises(UnknownNameError, match="front, objects, state"):
        tiny.sentence({"radar": STATE}, [("go", None)])


def test_sentences_of_one_batch_have_the_same_senses(tiny: Palme):
    with pytest.raises(ValueError, match="the same senses"):
        tiny.embed([Sentence((Sensor("front", PICTURE),)), Sentence((Sensor("state", STATE),))])


def test_zeroed_tokens_are_zeros_and_no_other(tiny: Palme):
    sentence = tiny.sentence({"state": STATE, "front": PICTURE}, [("go", None)])
    plain, blind = tiny.embed([sentence]), tiny.embed([sentence], zeroed=("front",))
    start, end = plain.spans["front"]
    assert not blind.embeddings[:, start:end].any() and plain.embeddings[:, start:end].all()
    assert torch.equal(blind.embeddings[:, end:], plain.embeddings[:, end:])


def test_the_order_of_a_sentence_is_that_of_the_composition(tiny: Palme):
    embedded = tiny.embed([tiny.sentence({"state": STATE, "front": PICTURE}, [])])
    assert embedded.spans == {"front": (0, 4), "state": (4, 5)}


@torch.no_grad()
def test_a_batch_of_packed_sentences_equals_single_ones(tiny: Palme):
    said = [["touch it", "lift the red block"], ["go"]]
    pictures = [PICTURE, 255 - PICTURE]
    batch = [
        tiny.sentence({"front": picture, "state": STATE}, [(text, None) for text in texts])
        for picture, texts in zip(pictures, said, strict=True)
    ]
    hidden = tiny.read(tiny.embed(batch))
    for row, (picture, texts) in enumerate(zip(pictures, said, strict=True)):
        for number, text in enumerate(texts):
            alone = tiny.read(tiny.embed([tiny.sentence({"front": picture, "state": STATE}, [(text, None)])]))
            place = hidden.sentence.places[row][number]
            torch.testing.assert_close(
                hidden.states[row, place.start : place.end], alone.states[0, 5:], rtol=1e-4, atol=1e-5
            )
            torch.testing.assert_close(hidden.of("front")[row], alone.of("front")[0], rtol=1e-4, atol=1e-5)


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
