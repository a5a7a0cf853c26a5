# SPDX-License-Identifier: Apache-2.0
"""The door: what stops is heard in any letters, and nothing else is taken for a stop."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from embodied.language import door
from sim.phrases import FOLDER, Phrases, polite, read
from sim.tasks import TASKS
from sim.tasks.spoken import SPOKEN_SPLITS, Spoken

STOPS = """
stop / stopp / stoooop / s t o p / s.t.o.p. / stop stop stop / stop, stop, stop / please stop / stop please
stop now / stop right now / stop immediately / stop at once / no, stop / no no no stop / hey robot, stop
robot stop / stop the robot / stop the arm / stop moving / stop it / stop that / stop this / stop everything
stop what you're doing / stop what you are doing / stop right there / will you stop / could you please stop
you must stop / i said stop / for god's sake stop / everybody stop / st\u200bop / "stop" / (stop) / *stop*
stop - now / stop. you are hitting the bowl / not that one, stop / you are hitting it; stop / halt / freeze
whoa / woah / whoaaa / abort / abort the motion / cancel / cancel that / pause / quit / enough
that's enough / that\u2019s enough / e-stop / estop / e stop / emergency stop / stand still / hold still
hold it / hold on / hang on / wait / don't move / don\u2019t move / do not move / dont move
don't move the arm / no more / drop everything / cut it out / stpo / sotp / stp / alto / arrête / 停
"""
COMMANDS = """
stop the red block from falling / stop at the blue zone / touch the red block and then stop
touch it, and then stop / hold on to the red block / hold the red block
wait for me and then touch the red block / wait until i say so / do not move the red block
touch the red block, do not move it / put the red block down and stop talking / stop talking
push the red block until it stops / don't stop / do not stop / cancel the last step and touch the red block
pick up the red block. stop by the blue zone / put more blocks in the bowl / one more / step back / go on
yes / do it / drop the red block / touch the block at once / no, the blue one / stack the red block on top
lift it
"""
NO_STOPS = """
what can you do / where is the red block / how many blocks are on the table
what is on top of the red block / are you holding anything / is the bowl empty / do you see a red block
can you see the red block / what's on the table / whats on the table / wheres the red block
where\u2019s it / robot, where is the red block / hey, what do you see
please tell me where the red block is / can you tell me how many blocks there are / has the red block moved
have you finished / who are you / why did you do that / which block is nearest / what time is it
when does it start / should i move the bowl / ok so what now / how are you / do any blocks touch
well, is it red / did you touch it
can you put the red block in the bowl / could you please touch the red block / will you lift the red block
do you mind touching the red block / would you be so kind as to lift the red block / touch the red block
when you are ready, touch the red block / what i want is the red block in the bowl
can we put it in the bowl / where the blue zone is, put the red block / have the red block put in the bowl
could you see that it gets in the bowl / can you see the red block, touch it / do it
do the same with the red block / do this / where is it? touch it
don't pick up the red block / do not touch the bowl / never put it in the bowl / please don't lift it
dont touch the blue zone / pick up any block but the red one / not the red block, touch the blue one
pick up a block that isn't red / put the red block in the bowl that is not blue
touch anything except the bowl / rather than the red block, grab the blue one
lift the blue block instead of the red one / avoid the red block / touch the blue block, not the red one
you must not touch the bowl / touch every block other than the red one
do not lift the red block, push it to the blue zone / touch the red block but do not move it / another block
without lifting it, push the red block to the zone / take the red block and don't put it down
touch the knot
"""
"""Questions, what not to do, commands that ask politely: the reader tells them apart."""


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\n", " / ").split(" / ") if line.strip()]


@given(
    st.sampled_from(lines(STOPS)),
    st.sampled_from([str.upper, str.lower, str.title, str.swapcase]),
    st.sampled_from(["", "!", "!!!", ".", "...", "?", " !?", "\n", " :(", "\N{HORIZONTAL ELLIPSIS}"]),
    st.sampled_from(["", " ", "\t", "\n ", "- ", "\N{INVERTED EXCLAMATION MARK}"]),
)
def test_what_stops_is_heard_in_any_letters_and_punctuation(words, letters, after, before) -> None:
    assert door.stops(before + letters(words) + after)


@pytest.mark.parametrize("words", lines(COMMANDS))
def test_what_says_more_than_stop_is_no_stop(words: str) -> None:
    assert not door.stops(words) and not door.stops(words.upper() + "!")


@pytest.mark.parametrize("words", lines(NO_STOPS))
def test_what_does_not_stop_is_left_to_the_reader(words: str) -> None:
    for text in (words, f"{words}?", words.upper(), f" {words.capitalize()} ??"):
        assert door.answer_without_a_model(text) is None
        assert not door.stops(text)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=100))
@example("\x1bA")  # what a terminal obeys is of either case
def test_what_a_policy_hears_has_one_spelling_and_nothing_that_cannot_be_seen(text: str) -> None:
    heard = door.plain(text)
    assert heard == door.plain(heard) == " ".join(heard.split())
    assert all(letter.isprintable() for letter in heard)
    if text.isascii():
        assert heard == door.plain(text.upper()) == door.plain(text.lower())


def test_letters_case_and_signs_that_cannot_be_seen_say_nothing() -> None:
    for text in ("TOUCH THE RED BLOCK", "Touch  The\tRed Block ", "\x1b[31mtouch\x07 the re\u200bd block"):
        assert door.plain(text).removeprefix("[31m") == "touch the red block"
    assert door.plain("don\N{RIGHT SINGLE QUOTATION MARK}t") == "don't"


SPOKEN = [name for name in TASKS if isinstance(TASKS.get(name), Spoken)]


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize("split", SPOKEN_SPLITS)
def test_no_sentence_of_any_family_is_taken_for_a_stop(name: str, split: str) -> None:
    rng, task = np.random.default_rng(0), TASKS.get(name)
    said = {task.sample(rng, split).instruction for _ in range(40)}
    assert [words for words in said if door.stops(words)] == []


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("refuse", "mixed", *SPOKEN)])
@pytest.mark.parametrize("held_out", [False, True], ids=["seen", "held out"])
def test_no_sentence_of_any_task_is_taken_for_a_stop(name: str, held_out: bool) -> None:
    """Every template, filled with nouns, relations and politeness."""
    rng, task = np.random.default_rng(0), TASKS.get(name)
    said, plans = task.phrases, task.plans_for(task.nouns())
    templates = said.held_out_templates if held_out else tuple(dict.fromkeys(said.templates))
    taken: list[str] = []
    for template in templates:
        alone = Phrases(
            templates=(template,),
            held_out_templates=(template,),
            words=said.words,
            relations=said.relations,
            held_out_relations=said.held_out_relations,
        )
        for _ in range(40):
            plan = plans[rng.integers(len(plans))] if plans else task.sample(rng).plan
            sentence = alone.say(plan, rng, held_out=held_out)
            if door.stops(sentence) or door.answer_without_a_model(sentence):
                taken.append(sentence)
    assert not taken


def test_what_must_be_refused_is_refused_and_stops_nothing() -> None:
    """ "Stop talking" is left to whoever reads it."""
    rng, kept = np.random.default_rng(0), read(FOLDER / "refuse.yaml")
    for sentence in (*kept["impossible"], *kept["held_out_impossible"]):
        assert not door.stops(polite(sentence, rng)), sentence
    episodes = [
        TASKS.get("refuse").sample(np.random.default_rng(seed), split).instruction
        for split in ("seen", "paraphrase", "pair")
        for seed in range(100)
    ]
    assert not [sentence for sentence in episodes if door.stops(sentence)]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "You said nothing"),
        (" \n\t", "You said nothing"),
        ("1234 ?!", "no words"),
        ("x" * (door.MAX_CHARACTERS + 1), f"{door.MAX_CHARACTERS + 1} characters"),
    ],
)
def test_words_that_are_no_command_get_an_answer(text: str, answer: str) -> None:
    assert answer in str(door.answer_without_a_model(text))


@given(st.text(max_size=600))
def test_whatever_is_said_is_settled(text: str) -> None:
    assert door.stops(text) in (True, False)
    answer = door.answer_without_a_model(text)
    assert answer is None or "\n" not in answer


def test_a_very_long_text_is_settled_at_once() -> None:
    began = time.process_time()
    text = "".join(random.Random(0).choices("stop? wait, ", k=5_000_000))
    door.stops(text)
    assert "5000000 characters" in str(door.answer_without_a_model(text))
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[31mSTOP\x1b[0m",
        "\x1b]0;title\x07stop!!!",
        "\x07stop\x07",
        "\u202estop",
        "st\ufeffop",
        "\ud83dstop\udc80",
        "STOP!!!",
    ],
)
def test_what_a_terminal_obeys_hides_no_stop(text: str) -> None:
    assert door.stops(text)


@pytest.mark.parametrize(
    "text", ["stop " + "x" * 10**7, "x " * 5 * 10**6, "\x1b]" * 5 * 10**6, " " * 10**7, "\ufdfa" * 10**6]
)
def test_millions_of_characters_are_answered_at_once(text: str) -> None:
    started = time.perf_counter()
    door.stops(text)
    answer = door.answer_without_a_model(text)
    assert time.perf_counter() - started < 0.1
    assert answer is not None
    assert answer.endswith("I read at most 500. Say it shorter.")
