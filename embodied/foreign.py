# SPDX-License-Identifier: Apache-2.0
"""Anyone's gymnasium environment as a place to be told things in: its id, and a YAML file with the words.

    words: [push the cube to the target, ...]   # or by split: {seen: [...], paraphrase: [...]}
    camera: front            # what its picture is called
    success: is_success      # the key of info that tells it
    state: [observation]     # observation keys that make up the reading "state"

An episode draws its sentence by its seed. The readings are the picture, where a policy needs it; each Box of the
observation as a Vector, or as a Picture where it is one, called like its key; and the bounds of actions.
"""

import difflib
import importlib
import importlib.metadata
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np

from embodied.config import ConfigError
from embodied.environments import SPLITS
from embodied.errors import EmbodiedError, UnsafeCommandError, check_name, shown
from embodied.files import read_yaml
from embodied.motion.raw import ACTION_LOWER, ACTION_UPPER
from embodied.registry import load_module
from embodied.types import Float, Observation, Picture, Reading, Vector

RAW = "raw"
"""The action mode of these environments: `RawActions`, row by row."""
STATE = "state"
_KEYS = ("words", "camera", "success", "state")
_STEPS_HZ = 10.0
"""Of an environment that does not say how fast it is."""
_MOST_CHARACTERS = 200
"""Of what a stranger's code says, in a line of ours."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What is said in an environment, and where to look there."""

    words: Mapping[str, Sequence[str]]  # sentences by split
    camera: str = "front"
    success: str = "is_success"
    state: Sequence[str] = field(default_factory=list)

    def draw(self, split: str, seed: int) -> str:
        """The sentence of an episode; equal seeds give equal sentences. Raises UnknownNameError for other splits."""
        check_name("split in the words", split, self.words)
        sentences = self.words[split]
        # Not the stream that the scene of the same seed is drawn from.
        return sentences[int(np.random.default_rng([seed, 2]).integers(len(sentences)))]


def read_words(path: Path) -> Words:
    """The words in a YAML file. Raises ConfigError or UnknownNameError that says what is wrong there."""
    if not path.is_file():
        raise ConfigError(f"no such file with words: {str(path)!r}; a file with `words: [push the cube]` will do")
    try:
        content = read_yaml(path, "words")
    except EmbodiedError as error:
        raise ConfigError(f"{error}; it is not a YAML file of words") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold `key: value` lines, of which `words:` lists sentences")
    for key in content:
        check_name(f"key of {path}", str(key), _KEYS)
    said = content.get("words")
    by_split: dict[str, Any] = said if isinstance(said, dict) else {SPLITS[0]: said}
    for split, sentences in by_split.items():
        check_name(f"split in {path}", str(split), SPLITS)
        if not _are_texts(sentences) or not sentences:
            raise ConfigError(f"{path}: words of {split} must be a list of sentences, not {shown(sentences)}")
    texts = {key: content[key] for key in ("camera", "success") if key in content}
    for key, text in texts.items():
        if not _are_texts([text]):
            raise ConfigError(f"{path}: {key} must be a word, not {shown(text)}")
    state = content.get(STATE, [])
    if not _are_texts(state):
        raise ConfigError(f"{path}: state must be a list of observation keys, not {shown(state)}")
    return Words(words=by_split, state=state, **texts)


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) and value.strip() for value in values)


def check_id(env_id: str) -> None:
    """Raises EmbodiedError in one line where gymnasium knows no environment of that id."""
    import gymnasium

    module, _, name = env_id.rpartition(":")
    if module:  # importing it registers its ids
        load_module(module, f"env {env_id!r}")
    faulty = []
    for other in () if module else _modules_with_environments():
        if name in gymnasium.registry:
            break
        try:
            importlib.import_module(other)
        except Exception as error:  # noqa: BLE001, whatever ails it, another may bring what is wanted
            faulty.append(f"{other} ({type(error).__name__})")
    try:
        gymnasium.spec(name)
    except gymnasium.error.Error:
        near = difflib.get_close_matches(name, gymnasium.registry, n=3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        what = f"gymnasium knows no environment {name!r}, nor does any installed package that needs gymnasium."
        failed = f" Not imported: {', '.join(faulty)}." if faulty else ""
        raise EmbodiedError(
            f"{what}{hint}{failed} Install the package that brings it; env=module:{name} names it"
        ) from None


def _modules_with_environments() -> list[str]:
    """Modules of other installed packages that need gymnasium: one of them may register an id that is wanted."""
    packages = importlib.metadata.packages_distributions()
    ours = packages.get(__name__.partition(".")[0], ())
    return sorted(
        module
        for module, names in packages.items()
        if not module.startswith("_") and any(_needs_gymnasium(name) for name in names if name not in ours)
    )


def _needs_gymnasium(package: str) -> bool:
    needs = importlib.metadata.requires(package) or ()
    return any(need.startswith("gymnasium") and "extra ==" not in need for need in needs)


class SpokenEnv:
    """A gymnasium environment told in words, with what the loop asks of one; `senses` are what a policy reads.

    Raises EmbodiedError for an environment that has no picture or takes no numbers, UnknownNameError for a
    sense that it has not.
    """

    model = None
    """It knows no arm, so nothing comes home between two attempts."""
    action_mode = RAW

    def __init__(self, env_id: str, words: Words, senses: Sequence[str] = ()) -> None:
        import gymnasium

        check_id(env_id)
        self._draws = words.camera in senses
        self._id, self._words = env_id, words
        with self._its("__init__"):
            self._env: Any = gymnasium.make(env_id)
        self.unwrapped = self
        self._boxes = _boxes(self._env.observation_space)
        try:
            if self._draws:  # what it can draw is known when it is made, and what it draws is said then
                if "rgb_array" not in self._env.metadata.get("render_modes", ()):
                    raise EmbodiedError(f"{env_id} draws no picture: it has no render mode 'rgb_array'")
                self.close()
                with self._its("__init__"):
                    self._env = gymnasium.make(env_id, render_mode="rgb_array")
            space = self._env.action_space
            if not isinstance(space, gymnasium.spaces.Box):
                kind = type(space).__name__
                raise EmbodiedError(f"{env_id} takes {kind} actions; only those of numbers (a Box) can be given")
            self.action_space = space
            for key in words.state:
                check_name(f"observation key in state, of {env_id},", key, self._boxes)
            own = (STATE,) if words.state else ()
            for name in senses:
                check_name(f"sense of {env_id}", name, (*self._boxes, words.camera, *own, ACTION_LOWER, ACTION_UPPER))
        except EmbodiedError:
            with suppress(EmbodiedError):  # what is wrong with it was said, and it may be closed already
                self.close()
            raise
        self._step_s = 1.0 / float(self._env.metadata.get("render_fps") or _STEPS_HZ)
        self._steps = 0
        self._seen: dict[str, Any] = {}
        self.episode = types.SimpleNamespace(instruction="")

    @property
    def time_s(self) -> float:
        """Seconds of the environment since the episode began."""
        return self._steps * self._step_s

    def reset(self, *, seed: int, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """A new episode, in words of `options["split"]`."""
        instruction = self._words.draw(options["split"], seed)
        with self._its("reset"):
            seen, _ = self._env.reset(seed=seed)
            self._seen = self._keyed(seen)
        self._steps = 0
        self.episode.instruction = instruction
        return seen, {"is_success": False, "score": 0.0}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act. A success terminates the episode; whatever else ends it cuts it off, as a limit does.

        Raises UnsafeCommandError for an action out of bounds, EmbodiedError for what else does not fit.
        """
        given = self._within_bounds(action)
        with self._its("step"):
            seen, reward, terminated, truncated, info = self._env.step(given)
            self._seen = self._keyed(seen)
            reward, over = float(reward), bool(terminated or truncated)
        self._steps += 1
        if self._words.success not in info:
            has = ", ".join(sorted(info)) or "nothing"
            raise EmbodiedError(
                f"info of {self._id} has no {self._words.success!r} that tells success; it has: {has}; "
                "name the right one as `success:` beside the words"
            )
        success = self._truth(info[self._words.success])
        told = {"is_success": success, "score": float(success)}
        return seen, reward, success, over, told

    def observe(self) -> Observation:
        """The picture where a policy needs it, what the environment tells, and what actions may be."""
        now_s = self.time_s
        readings: dict[str, Reading] = {name: _reading(name, value, now_s) for name, value in self._seen.items()}
        if self._words.state:
            vectors = [_vector(key, self._seen[key], now_s) for key in self._words.state]
            names = tuple(name for vector in vectors for name in vector.names)
            readings[STATE] = Vector(
                values=np.concatenate([each.values for each in vectors]), names=names, stamp_s=now_s
            )
        readings[ACTION_LOWER] = _vector("action", self.action_space.low, now_s)
        readings[ACTION_UPPER] = _vector("action", self.action_space.high, now_s)
        if self._draws:
            readings[self._words.camera] = _picture(self._render(), now_s)
        return Observation(readings=readings)

    def close(self) -> None:
        """Close the environment."""
        with self._its("close"):
            self._env.close()

    @contextmanager
    def _its(self, call: str) -> Iterator[None]:
        """Whatever a stranger's code raises in `call` is an EmbodiedError in one line, with the traceback behind it."""
        try:
            yield
        except EmbodiedError:
            raise
        except Exception as error:
            what = shorten(f"{type(error).__name__}: {error}", _MOST_CHARACTERS)
            raise EmbodiedError(f"{self._id} failed in {call}: {what}") from error

    def _within_bounds(self, action: Any) -> Any:
        """The action as the environment takes it; what is over a bound by rounding alone is at the bound."""
        space = self.action_space
        if np.size(action) != int(np.prod(space.shape)):
            what = f"an action of {np.size(action)} numbers, and {self._id} takes {int(np.prod(space.shape))}"
            raise EmbodiedError(f"the policy answers with {what}")
        asked: Float = np.asarray(action, dtype=np.float64).reshape(space.shape)
        given = np.clip(asked, space.low, space.high)
        outside = ~np.isclose(asked, given, rtol=1e-6, atol=1e-6)
        if outside.any():
            number = int(outside.argmax())
            low, high = (bound.flat[number] for bound in (space.low, space.high))
            told = f"{asked.flat[number]:g} as number {number} of its action"
            raise UnsafeCommandError(f"the policy answers with {told}, and {self._id} takes {low:g} to {high:g} there")
        return given.astype(space.dtype)

    def _truth(self, success: Any) -> bool:
        """What the environment tells of success."""
        values = np.asarray(success, dtype=object).ravel()
        if len(values) != 1 or values[0] not in (0, 1):
            told = shorten(repr(success), _MOST_CHARACTERS)
            raise EmbodiedError(f"{self._words.success!r} in info of {self._id} must be true or false, and is {told}")
        return bool(values[0])

    def _render(self) -> Any:
        """What the environment draws, (H, W, 3) uint8."""
        with self._its("render"):
            rgb = np.asarray(self._env.render())
        if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
            drawn = f"{rgb.dtype} {list(rgb.shape)}" if rgb.ndim else shorten(repr(rgb.item()), _MOST_CHARACTERS)
            raise EmbodiedError(f"render() of {self._id} must give an array (H, W, 3) of uint8, and gives {drawn}")
        return rgb

    def _keyed(self, seen: Any) -> dict[str, Any]:
        """What was observed, by the names of its Boxes."""
        by_key = seen if isinstance(seen, Mapping) else {"observation": seen}
        return {key: np.array(by_key[key]) for key in self._boxes}


def _boxes(space: Any) -> tuple[str, ...]:
    """The keys of an observation that hold numbers; one that is no Dict is called "observation"."""
    from gymnasium.spaces import Box, Dict

    by_key = space.spaces if isinstance(space, Dict) else {"observation": space}
    return tuple(key for key, part in by_key.items() if isinstance(part, Box))


def _reading(name: str, value: Any, stamp_s: float) -> Reading:
    if value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] == 3:
        return _picture(value, stamp_s)
    return _vector(name, value, stamp_s)


def _picture(rgb: Any, stamp_s: float) -> Picture:
    """A picture whose geometry is not known."""
    nowhere: Float = np.full((4, 4), np.nan)
    return Picture(
        rgb=np.asarray(rgb, dtype=np.uint8), intrinsics_px=nowhere[:3, :3], world_from_camera=nowhere, stamp_s=stamp_s
    )


def _vector(name: str, value: Any, stamp_s: float) -> Vector:
    values = np.asarray(value, dtype=np.float64).ravel()
    return Vector(values=values, names=tuple(f"{name}_{i}" for i in range(values.size)), stamp_s=stamp_s)
