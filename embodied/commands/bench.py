# SPDX-License-Identifier: Apache-2.0
"""Measure latency, memory and throughput on this machine."""

import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from embodied import policy
from embodied.arm import DEFAULT_ARM
from embodied.config import ConfigError, option, parse
from embodied.environments import check_task, make_environment
from embodied.episode import EnvironmentArm
from embodied.errors import check_name
from embodied.files import check_writable, write_json
from embodied.motion.actions import every_skill
from embodied.report import console, percentile
from embodied.run import Agent
from embodied.types import Instruction
from embodied.versions import cores, machine, versions

QUESTION = "what is on the table?"
"""Its answer is as long as answers are."""
PARTS = ("decision", "answer", "plain", "text", "environment", "bandwidth", "decode", "large")
_ASKED_FOR = ("text", "large")
"""What takes minutes, or a GPU, is measured where it is named."""
_OF_A_LANGUAGE_MODEL = ("plain", "text", "decode")
LINES = {
    "answer": "an answer to {question!r}: {p50:.0f} ms p50, {p95:.0f} ms p95; {words_p50:.0f} words p50",
    "plain": "transformers alone, {layers} layers in {dtype}: {plain_ms:.0f} ms p50 to read {read_tokens:.0f} tokens "
    "and to write {written_tokens:.0f}; this engine, from picture to plan: {engine_ms:.0f} ms p50; ratio {ratio:.1f}",
    "text": "plain text that no training reads, {words} words of the vocabulary: perplexity {perplexity:.1f}; of the "
    "language model as it came {untouched:.1f}; ratio {ratio:.2f}",
    "environment": "environment with one {picture_size_px} px picture a step: {light_steps_per_s:.0f} "
    "steps/s; with the maker's meshes and shadows, as films are drawn, {detailed_steps_per_s:.0f} steps/s; "
    "ratio {ratio:.1f}",
    "bandwidth": "memory bandwidth (reading): {read_gb_per_s:.1f} GB/s",
    "decode": "decoding: {tokens_per_s:.0f} tokens/s of {weights_mb:.0f} MB of weights, {share_of_bound:.0%} "
    "of the bandwidth bound of {bound_tokens_per_s:.0f} tokens/s",
    "large": "{weights_m:.0f} million weights at random on {device}: {captured_p50:.1f} ms p50, {captured_p99:.1f} ms "
    "p99, {per_s:.0f} decisions/s, {of_roofline:.2f} of the roofline of {roofline_ms:.1f} ms; not captured "
    "{eager_p50:.1f} ms; word by word {word_by_word_p50:.1f} ms, ratio {ratio:.1f}",
}
EXAMPLE = "embodied bench part=decision,environment out=runs/bench.json"


@dataclass
class BenchOptions:
    """Measure latency, memory and throughput on this machine; nothing passes or fails."""

    part: list[str] = option([each for each in PARTS if each not in _ASKED_FOR], "what to measure")
    policy: str = option("palme", "policy whose decisions are timed")
    options: dict[str, Any] = option({}, "options of the policy, as options.checkpoint=path")
    task: str = option("put_in_bowl", "task whose scenes are used")
    arm: str = option(DEFAULT_ARM, "arm by name, or the YAML file of one")
    decisions: int = option(30, "decisions to time, after as many scenes")
    steps: int = option(100, "environment steps to time with each kind of visuals")
    picture_size_px: int = option(224, "side of the pictures")
    threads: int = option(0, "threads of the policy; 0 is one for each core")
    seed: int = option(1_000_000, "seed of the first scene")
    out: str = option("runs/bench.json", "where the JSON goes")


def main(arguments: Sequence[str]) -> int:
    """Measure, print tables, write JSON."""
    options = parse(BenchOptions, arguments, command="embodied bench", example=EXAMPLE)
    check(options)
    if needing := [part for part in _OF_A_LANGUAGE_MODEL if part in options.part]:
        _engine(policy.make_policy(options.policy, options.options), options, needing[0])
    measures: dict[str, Callable[[BenchOptions], dict[str, Any]]] = {
        "decision": measure_decisions,
        "answer": measure_answers,
        "plain": measure_plain,
        "text": measure_text,
        "large": measure_large,
        "environment": measure_environment,
        "bandwidth": measure_bandwidth,
        "decode": measure_decode,
    }
    results: dict[str, Any] = {}
    for part, measure in measures.items():
        if part not in options.part:
            continue
        results[part] = measure(options)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # the most that this process has held
        results["peak_memory_mb"] = peak / 1e6 if sys.platform == "darwin" else peak / 1e3
        # What was measured is not lost with what goes wrong after it.
        content = {"policy": options.policy, "machine": machine(), "versions": versions(), "results": results}
        write_json(Path(options.out), content)
    print_tables(results)
    print(f"wrote {options.out}")
    return 0


def check(options: BenchOptions) -> None:
    """Raises EmbodiedError before anything is loaded."""
    for part in options.part:
        check_name("part", part, PARTS)
    check_task(options.task)
    if min(options.decisions, options.steps, options.picture_size_px) < 1 or options.threads < 0:
        raise ConfigError("decisions, steps and picture_size_px must be at least 1, threads at least 0")
    check_writable(Path(options.out))


def measure_decisions(options: BenchOptions) -> dict[str, Any]:
    """Milliseconds of a decision: fresh (the words are new) and again (the plan is known), by stage."""
    start = time.perf_counter()
    decider = policy.make_policy(options.policy, options.options)
    load_s = time.perf_counter() - start
    threads = _set_threads(options.threads)
    env = _environment(options, action_mode="skill", senses=policy.senses_of(decider), skills=every_skill())
    fresh, again = list[Mapping[str, float]](), list[Mapping[str, float]]()
    with closing(env):
        # The first scene warms up: kernels are chosen and memory is taken.
        for number in range(options.decisions + 1):
            env.reset(seed=options.seed + number)
            timings = list(_decide_twice(decider, env))
            if number:
                fresh += timings[:1]
                again += timings[1:]
    return {
        "policy": options.policy,
        "picture_size_px": options.picture_size_px,
        "model_picture_size_px": getattr(decider, "picture_size_px", None),
        "threads": threads,
        "load_s": load_s,
        "fresh_ms": _by_stage(fresh),
        "cached_plan_ms": _by_stage(again),
    }


def measure_answers(options: BenchOptions) -> dict[str, Any]:
    """Milliseconds of an answer to QUESTION, and how many words it has."""
    decider = policy.make_policy(options.policy, options.options)
    _set_threads(options.threads)
    took_ms, words = list[float](), list[float]()
    with closing(_environment(options, action_mode="skill", senses=policy.senses_of(decider))) as env:
        for number in range(options.decisions + 1):
            env.reset(seed=options.seed + number)
            decider.reset(Instruction(text=QUESTION))
            decision = Agent(decider, EnvironmentArm(env)).decide(env.unwrapped.observe())
            if number:  # the first scene warms up
                took_ms.append(decision.timings_ms["decide"])
                words.append(float(len(decision.text.split())))
    times = {f"p{p}": percentile(took_ms, p) for p in (50, 95)}
    return {"question": QUESTION, **times, "words_p50": percentile(words, 50)}


def measure_plain(options: BenchOptions) -> dict[str, Any]:
    """Milliseconds from senses to a plan, and of a language model of the same shape by transformers alone.

    That reads as many tokens and writes as many, one after the other, with the cache that it has; it computes on the
    same device, and on a CPU in float32. It is spared the picture's encoder. Both take turns, scene by scene.
    """
    import torch

    from embodied.model.plain import plain_lm, seconds, write

    decider = policy.make_policy(options.policy, options.options)
    engine = _engine(decider, options, "plain")
    threads, model = _set_threads(options.threads), engine.model
    below = 0 if model.config.base is None else model.config.base.layers
    layers = below + len(model.backbone.layers)
    alone = plain_lm(model.backbone.config, layers).to(model.backbone.embedding.weight.device, model.dtype)
    ours_ms, plain_ms, read, written = (list[float]() for _ in range(4))
    with closing(_environment(options, action_mode="skill", senses=policy.senses_of(decider))) as env:
        for number in range(options.decisions + 1):
            env.reset(seed=options.seed + number)
            senses, said = model.senses((env.unwrapped.observe(),)), env.unwrapped.episode.instruction
            start = time.perf_counter()
            plan = engine.answer(senses, said).plan
            ours_s = time.perf_counter() - start
            with torch.inference_mode():
                tokens = model.embed([model.sentence(senses, [(said, None)])]).branch.shape[1]
            count = len(engine.planner.language.tokens(plan).ids)
            if number:  # the first scene warms up
                ours_ms.append(1e3 * ours_s)
                words = {"input_ids": torch.zeros(1, tokens, dtype=torch.long, device=alone.device)}
                plain_ms.append(1e3 * seconds(partial(write, alone, words, count), alone.device))
                read.append(float(tokens))
                written.append(float(count))
    found = {"plain_ms": plain_ms, "engine_ms": ours_ms, "read_tokens": read, "written_tokens": written}
    middles = {name: percentile(values, 50) for name, values in found.items()}
    dtype = str(next(alone.parameters()).dtype).removeprefix("torch.")
    ratio = middles["plain_ms"] / middles["engine_ms"]
    return {"threads": threads, "layers": layers, "dtype": dtype, **middles, "ratio": ratio}


def measure_text(options: BenchOptions) -> dict[str, Any]:
    """How well the language model of a policy still reads plain text, beside the one that it came from."""
    from embodied.model.plain import untouched_lm
    from embodied.train import plain_text

    model = _engine(policy.make_policy(options.policy, options.options), options, "text").model
    _set_threads(options.threads)
    if model.config.base is None:
        raise ConfigError(f"part=text compares with the whole language model, and {options.policy!r} names no base")
    texts = plain_text.pieces(held_out=True)
    found, words = plain_text.perplexity(model, texts)
    untouched, _ = plain_text.perplexity_of(untouched_lm(model.config.base), model.tokenizer, texts)
    return {"words": words, "perplexity": found, "untouched": untouched, "ratio": found / untouched}


def measure_large(options: BenchOptions) -> dict[str, Any]:
    """Decisions of a model of seven thousand million weights. Raises ConfigError where there is no GPU to hold it."""
    import torch

    from embodied.model import large

    if not torch.cuda.is_available():
        raise ConfigError("part=large needs a CUDA device, and there is none on this machine; leave it out")
    timing = large.measure(torch.device("cuda"), large.Shape(), options.decisions)
    return {"device": torch.cuda.get_device_name(), **timing.figures()}


def _engine(decider: policy.Policy, options: BenchOptions, part: str) -> Any:
    """The engine of a policy. Raises ConfigError for one that has none."""
    try:
        return attrgetter("engine")(decider)
    except AttributeError:
        others = ",".join(each for each in PARTS if each not in (*_OF_A_LANGUAGE_MODEL, *_ASKED_FOR))
        raise ConfigError(
            f"part={part} needs a policy with a language model (palme), and {options.policy!r} has none; choose "
            f"part={others}"
        ) from None


def _environment(options: BenchOptions, **settings: Any) -> Any:
    return make_environment(options.task, arm=options.arm, picture_size_px=options.picture_size_px, **settings)


def _decide_twice(decider: policy.Policy, env: Any) -> Iterator[Mapping[str, float]]:
    """Stage -> ms of a decision with a new command, and of the next one with the same.

    A refusal leaves no plan behind, so there is no second one after it.
    """
    agent = Agent(decider, EnvironmentArm(env))
    observation = env.unwrapped.observe()
    decider.reset(Instruction(text=env.unwrapped.episode.instruction))
    for _ in range(2):
        decision = agent.decide(observation)
        yield {"total" if stage == "decide" else stage: ms for stage, ms in decision.timings_ms.items()}
        if decision.refused:
            return


def _by_stage(timings: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    stages = dict.fromkeys(name for each in timings for name in each)
    values = {name: [each.get(name, 0.0) for each in timings] for name in stages}
    return {name: {f"p{p}": percentile(values[name], p) for p in (50, 95, 99)} for name in stages}


def measure_environment(options: BenchOptions) -> dict[str, Any]:
    """Environment steps in a second with one front picture each: as policies see, and as films are drawn.

    Both scenes are the same seed and take the same actions; rounds alternate, so that what else the
    machine does meets both.
    """
    environments = {
        name: _environment(options, action_mode="ee_delta", senses=("front",), detailed=name == "detailed")
        for name in ("light", "detailed")
    }
    rounds = 5
    actions = np.random.default_rng(options.seed).uniform(-0.01, 0.01, (options.steps // rounds + 1, 7))
    spent = dict.fromkeys(environments, 0.0)
    with closing(environments["light"]), closing(environments["detailed"]):
        for number in range(rounds):
            for name, env in environments.items():
                env.reset(seed=options.seed + number)
                start = time.perf_counter()
                for action in actions:
                    env.step(action.astype(np.float32))
                spent[name] += time.perf_counter() - start
    steps = rounds * len(actions)
    rates = {f"{name}_steps_per_s": steps / seconds for name, seconds in spent.items()}
    ratio = rates["light_steps_per_s"] / rates["detailed_steps_per_s"]
    return {"picture_size_px": options.picture_size_px, "steps": steps, **rates, "ratio": ratio}


def measure_bandwidth(options: BenchOptions) -> dict[str, float]:
    """Memory bandwidth of the CPU in GB/s: the best of some maxima over an array that no cache holds."""
    import torch

    from embodied.model.large import bytes_a_second

    _set_threads(options.threads)
    return {"read_gb_per_s": bytes_a_second(torch.device("cpu")) / 1e9}


def measure_decode(options: BenchOptions) -> dict[str, Any]:
    """Decoded words (tokens) in a second, and their share of what the memory bandwidth allows.

    Each token needs every weight of the language model once, so bandwidth / bytes of weights is the
    most that this machine can decode, one token after the other.
    """
    import torch

    from embodied.model.large import bytes_a_second
    from embodied.model.packed import bytes_a_word

    backbone = _engine(policy.make_policy(options.policy, options.options), options, "decode").model.backbone
    threads = _set_threads(options.threads)
    weight_bytes, dtype = bytes_a_word(backbone), next(backbone.parameters()).dtype
    prefix, tokens = 150, 40
    with torch.inference_mode():
        words = backbone.words(range(prefix)).unsqueeze(0).to(dtype)
        best_s = min(_decode(backbone, words, tokens) for _ in range(3))
    rate, bound = tokens / best_s, bytes_a_second(words.device) / weight_bytes
    return {
        "threads": threads,
        "weights_mb": weight_bytes / 1e6,
        "prefix_tokens": prefix,
        "tokens_per_s": rate,
        "bound_tokens_per_s": bound,
        "share_of_bound": rate / bound,
    }


def _decode(backbone: Any, words: Any, tokens: int) -> float:
    """Seconds for `tokens` single-token passes after the prefix `words` (1, L, D)."""
    import torch

    from embodied.model.plain import seconds

    cache, device = backbone.new_cache(), words.device
    length = words.shape[1]
    mask = torch.ones(1, 1, length, length, dtype=torch.bool, device=device).tril()
    backbone(words, mask=mask, position_ids=torch.arange(length, device=device).unsqueeze(0), cache=cache)

    def decode() -> None:
        for number in range(length, length + tokens):
            mask = torch.ones(1, 1, 1, number + 1, dtype=torch.bool, device=device)
            backbone(words[:, :1], mask=mask, position_ids=torch.tensor([[number]], device=device), cache=cache)

    return seconds(decode, device)


def _set_threads(threads: int) -> int:
    """Threads for what follows; torch is asked only when the policy uses it."""
    count = threads or cores()
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(count)
    return count


def print_tables(results: Mapping[str, Any]) -> None:
    """Print what was measured."""
    from rich.table import Table

    tell = console().print
    if "decision" in results:
        found = results["decision"]
        title = "Decision of {policy}, ms: {picture_size_px} px, {threads} threads".format(**found)
        table = Table("stage", "new command p50 / p95 / p99", "cached plan p50 / p95 / p99", title=title)
        stages = dict.fromkeys([*found["fresh_ms"], *found["cached_plan_ms"]])
        for stage in sorted(stages, key=lambda name: name == "total"):
            cells = [found[kind].get(stage) for kind in ("fresh_ms", "cached_plan_ms")]
            table.add_row(stage, *(" / ".join(f"{value:.1f}" for value in c.values()) if c else "-" for c in cells))
        tell(table)
        per_s = 1e3 / found["fresh_ms"]["total"]["p50"]
        tell(f"{per_s:.1f} decisions/s with a new command each time; loading the policy: {found['load_s']:.1f} s")
    for part, line in LINES.items():
        if part in results:
            tell(line.format(**results[part]))
    tell(f"peak memory: {results['peak_memory_mb']:.0f} MB")
