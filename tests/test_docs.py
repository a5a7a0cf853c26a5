# SPDX-License-Identifier: Apache-2.0
"""What the README and the pages in docs/ say is so: links, commands, code, tables, names and limits."""

import argparse
import ast
import importlib
import inspect
import json
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import fields, replace
from functools import cache
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from embodied import cli
from embodied.commands.bench import PARTS
from embodied.commands.data import DOINGS
from embodied.commands.train import RECIPES
from embodied.controls import CONTROLS
from embodied.environments import EVALUATION_SEED, SPLITS
from embodied.foreign import check_id
from embodied.motion.actions import ACTION_MODES
from embodied.types import DEPTH
from tests.pages import (
    DOCS,
    GATE_NODE,
    LAUNCH_FILES,
    LAWS,
    PAGES,
    ROOT,
    Block,
    bare,
    launch_arguments,
    parameters_on_the_page,
    parts_of,
    read,
    rows,
    slug,
)

# --- links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_to_a_heading_in_it(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", parts_of(page)[0]):
        if re.match(r"https?:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in map(slug, parts_of(target)[2])):
            broken.append(link)
    assert broken == []


def test_the_readme_leads_to_every_page() -> None:
    links = re.findall(r"\]\((docs/\w+\.md)", read(ROOT / "README.md"))
    assert {f"docs/{page.name}" for page in DOCS.glob("*.md")} == set(links)


def test_the_picture_of_the_house_is_what_the_command_draws(tmp_path: Path) -> None:
    # In a process of its own: other tests register parts, which would be drawn.
    code = "import sys; from embodied.commands.draw import main; main(sys.argv[1:])"
    out = tmp_path / "house.svg"
    subprocess.run([sys.executable, "-c", code, f"out={out}"], cwd=ROOT, check=True, capture_output=True)
    assert read(out) == read(DOCS / "house.svg"), "draw it again: embodied draw out=docs/house.svg"


# --- commands


@cache
def plugs() -> Mapping[str, Mapping[str, str]]:
    """What setup.py plugs in: group -> name -> "module:function". The installed metadata may be older."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", "setup.py", "--quiet", "egg_info", "--egg-base", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        entries = ConfigParser()
        entries.read(Path(folder) / "embodied.egg-info" / "entry_points.txt")
    return {group: dict(entries[group]) for group in entries.sections()}


@cache
def known() -> Mapping[str, Sequence[str]]:
    """Valid values by key, in a process without what other tests register."""
    code = (
        "import json\n"
        "from embodied.arm import ARMS\n"
        "from embodied.environments import SUITES, task_names\n"
        "from embodied.model.connectors import CONNECTORS\n"
        "from embodied.model.encoders import ENCODERS\n"
        "from embodied.model.fusion import FUSIONS\n"
        "from embodied.model.heads import HEADS\n"
        "from embodied.policy import POLICIES\n"
        "from sim.scene import CAMERAS\n"
        "from sim.senses import SENSORS\n"
        "tasks = task_names()\n"
        "senses = dict(cameras=list(CAMERAS), sensors=list(SENSORS))\n"
        "parts = dict(encoder=list(ENCODERS), connector=list(CONNECTORS), fusion=list(FUSIONS), head=list(HEADS))\n"
        "found = dict(arm=list(ARMS), suite=list(SUITES), policy=list(POLICIES), task=tasks)\n"
        "print(json.dumps(found | senses | parts))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    names: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    names["tasks"] = names["task"]
    names["senses"] = [*(camera + end for camera in names["cameras"] for end in ("", DEPTH)), *names["sensors"]]
    names |= {"model": [], "words": []}  # files, which a page defines
    names |= {"split": [*SPLITS, *CONTROLS], "action_mode": list(ACTION_MODES)}
    return names | {"recipe": list(RECIPES), "part": list(PARTS)}


def commands_of(page: Path) -> Iterator[str]:
    """Every command of a page's blocks, and those in its sentences."""
    prose, blocks, _ = parts_of(page)
    for block in blocks:
        if block.language == "bash":
            for line in block.text.replace("\\\n", " ").splitlines():
                yield from re.split(r"\s+&&\s+", line.strip())
    for said in re.findall(r"`((?:\.venv/bin/)?(?:embodied|ros2|colcon|python) [^`\n]+)`", prose):
        if not re.search(r"\.\.\.|[A-Z]{3}|\||\*", said):  # "embodied COMMAND --help" is no command
            yield said


COMMANDS = [(page, command) for page in PAGES for command in commands_of(page)]


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda value: str(getattr(value, "name", value)))
def test_every_command_can_be_given_as_it_is_written(page: Path, command: str) -> None:
    words = shlex.split(command.removeprefix(".venv/bin/"))
    check = {"embodied": check_embodied, "ros2": check_ros2, "pip": check_pip}
    check |= {"python": check_python, "python3.11": check_python}
    assert words[0] in {*check, "colcon", "tensorboard", "unzip", "."}, f"nobody checks {words[0]}"
    if words[0] in check:
        check[words[0]](page, words[1:])


def check_embodied(page: Path, words: Sequence[str]) -> None:
    command, *given = words
    assert command in plugs()["embodied.commands"], f"no command {command}"
    if command == "data":
        assert given[0] in DOINGS, f"nothing called {given[0]} is done with data"
    pairs = [word.partition("=") for word in given if not word.startswith("--")]
    if command in ("ask", "say", "data"):  # words, and what to do with data
        pairs = [pair for pair in pairs if pair[1]]
    keys = keys_of(command, tuple(word for word in given if word in selectors()))
    for key, equals, value in pairs:
        assert equals and key.partition(".")[0] in keys, f"{command} has no key {key}: {', '.join(keys)}"
        check_value(page, key, value)


def selectors() -> set[str]:
    """Arguments that choose another set of keys."""
    recipes = {f"recipe={name}" for name in RECIPES}
    return recipes | {f"task={name}" for name in plugs()["embodied.collectors"]}


@cache
def keys_of(command: str, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """The keys that the help of a command lists."""
    module, _, function = plugs()["embodied.commands"][command].partition(":")
    said = StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        getattr(importlib.import_module(module), function)([*chosen, "--help"])
    found = re.findall(r"^  (\w+)=", said.getvalue(), re.MULTILINE)
    assert found, said.getvalue()
    return (*found, *(word.partition("=")[0] for word in chosen))


def check_value(page: Path, key: str, value: str) -> None:
    """A value of a key whose values are names must exist, or be defined on the page."""
    if key == "env":
        check_id(value)
    if key not in known():
        return
    for name in value.split(","):
        collected = key == "task" and name in plugs()["embodied.collectors"]
        exists = collected or name in known()[key] or is_defined_on(page, name)
        assert exists, f"{key}={name} is neither known nor defined on {page.name}"


def is_defined_on(page: Path, name: str) -> bool:
    text = read(page)
    if name.endswith(".yaml"):
        return f"`{name}`" in text or (ROOT / name).is_file()
    module, colon, attribute = name.partition(":")
    if colon:
        return f"`{module}.py`" in text and f"class {attribute}" in text
    camera = re.escape(name.removesuffix(DEPTH))
    return re.search(rf'^( *name = "{name}"|{name} = "|CAMERAS\["{camera}"\] = )', text, re.MULTILINE) is not None


def check_ros2(page: Path, words: Sequence[str]) -> None:
    main = importlib.import_module("nodes.ros2.main")
    try:
        with redirect_stderr(StringIO()) as complaint:
            options = main._parser().parse_args(words)
    except SystemExit:
        pytest.fail(f"the stand-in does not take it: {complaint.getvalue()}")
    graph = DOCS / "graph.md"
    if options.command == "launch":
        assert (options.package_name, options.launch_file_name in LAUNCH_FILES) == ("embodied", True)
        files = (options.launch_file_name, "agent.launch.py")
        valid = {name for file in files for name, *_ in launch_arguments(file)}
        for argument in options.launch_arguments:
            name, separator, value = argument.partition(":=")
            assert separator and name in valid, f"no launch argument {name}"
            check_value(page, name, value)
            assert name not in ("params_file", "cell") or is_defined_on(page, value)
    elif options.command == "run":
        assert options.executable_name in {path.stem for path in (ROOT / "nodes").glob("*_node.py")}
        declared = {"use_sim_time", *parameters_on_the_page(options.executable_name)}
        assert set(re.findall(r"-p (\w+):=", " ".join(options.argv))) <= declared
    elif options.command == "topic" and options.verb != "list":
        types = {bare(row[0]): bare(row[1]) for row in rows(graph, "topic", "type")}
        name = options.topic_name.removeprefix("/")
        assert name in types, f"no topic {name} in {graph.name}"
        assert getattr(options, "message_type", None) in (None, types[name])
    elif options.command == "service":
        types = {bare(row[0]): bare(row[1]) for row in rows(graph, "service", "type")}
        assert types[options.service_name.removeprefix("/")] == options.service_type
    elif options.command == "param" and options.node_name:
        declared = parameters_on_the_page(options.node_name.removeprefix("/"))
        assert declared and getattr(options, "parameter_name", None) in (None, *declared)


def check_python(page: Path, words: Sequence[str]) -> None:
    flag, *rest = words
    if flag.endswith(".py"):
        script = read(ROOT / flag)
        assert [word for word in rest if word.startswith("--") and f'"{word}"' not in script] == []
        return
    module, *rest = rest
    assert flag == "-m" and find_spec(module) is not None
    if module == "pytest":
        parser = argparse.ArgumentParser(exit_on_error=False)
        for option in ("-n", "--dist", "-m"):
            parser.add_argument(option)
        parser.add_argument("paths", nargs="*")
        given = parser.parse_args(rest)
        assert [path for path in given.paths if not (ROOT / path).exists()] == []
        assert given.m is None or f'"{given.m.removeprefix("not ")}: ' in read(ROOT / "pyproject.toml")


def check_pip(page: Path, words: Sequence[str]) -> None:
    assert words[0] in ("install", "download")
    extras = {*re.findall(r'^    "(\w+)": \[', read(ROOT / "setup.py"), re.MULTILINE), "all"}
    asked = [name for word in words for names in re.findall(r"\.\[(.+)\]", word) for name in names.split(",")]
    assert set(asked) <= extras


def test_the_readme_lists_every_command_with_keys_that_it_has() -> None:
    shown = [bare(row[0]) for row in rows(ROOT / "README.md", "`embodied ...`")]
    for command in shown:
        check_embodied(ROOT / "README.md", shlex.split(command))
    assert {command.split()[0] for command in shown} == set(plugs()["embodied.commands"])


@cache
def law_parts() -> Mapping[Path, Sequence[str]]:
    """Of each law the parts that people copy."""
    found = {path: re.findall(r"# --8<-- what .*?\n(.*?)# --8<-- end", read(path), re.DOTALL) for path in LAWS}
    return {path: parts for path, parts in found.items() if parts}


def code_of_the_readme() -> list[Block]:
    return [block for block in parts_of(ROOT / "README.md")[1] if block.heading == "Make it yours"]


def test_the_code_of_the_readme_is_that_of_the_laws() -> None:
    blocks = [b for b in code_of_the_readme() if b.language != "bash"]
    assert blocks
    for block in blocks:
        assert any(block.text in part for parts in law_parts().values() for part in parts), block.text


def test_every_noun_has_a_section_with_its_law_and_code_of_it() -> None:
    page = DOCS / "extend.md"
    sections = re.split(r"^## ", read(page), flags=re.MULTILINE)[1:]
    shown = set()
    for section in sections:
        heading = section.partition("\n")[0]
        code = [b for b in parts_of(page)[1] if b.heading == heading and b.language != "bash"]
        links = re.findall(r"\]\(([^)#]*tests/laws/\w+\.py)\)", section)
        laws = [(page.parent / link).resolve() for link in links]
        for block in code:
            parts = [part for law in laws for part in law_parts()[law] if block.text in part]
            assert parts, block.text
            shown |= set(parts)
    assert shown == {part for parts in law_parts().values() for part in parts}


def test_the_policy_of_the_readme_runs_as_the_readme_says(tmp_path: Path) -> None:
    [code] = [block.text for block in code_of_the_readme() if "class Toucher" in block.text]
    lines = [line for block in code_of_the_readme() for line in block.text.splitlines()]
    [line] = [line for line in lines if "embodied eval policy=mine:Toucher" in line]
    (tmp_path / "mine.py").write_text(f"{code}\n")
    words = shlex.split(re.sub(r"episodes=\d+", "episodes=2 workers=1", line))[1:]
    command = [sys.executable, "-m", "embodied.cli", *words]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "runs" / "eval.json").is_file()


# --- the model


def yaml_of(page: Path, heading: str) -> str:
    """The one block of YAML under a heading of a page."""
    [block] = [b for b in parts_of(page)[1] if (b.language, b.heading) == ("yaml", heading)]
    return block.text


def test_the_parts_on_the_page_are_those_that_are_found() -> None:
    page = DOCS / "model.md"
    listed = {row[0]: re.findall(r"`(\w+)`", row[3]) for row in rows(page, "part", "does")}
    kinds = ("encoder", "connector", "fusion", "head")
    assert listed == {kind: sorted(known()[kind]) for kind in kinds}
    told = {bare(row[0]) for row in rows(page, "name", "reads, or answers with")}
    assert told == {name for kind in kinds for name in known()[kind]}


def test_the_composition_on_the_page_is_read_and_built(tmp_path: Path, make_tiny: Any) -> None:
    from embodied.model.composition import ENTITIES, PARTS, BackboneConfig, Composition, read_composition

    page = DOCS / "model.md"
    (tmp_path / "mine.yaml").write_text(yaml_of(page, "A composition"), encoding="utf-8")
    composition = read_composition(tmp_path / "mine.yaml")
    assert composition.model.base is not None  # it comes from an installed package, and the tiny model has none
    model = make_tiny(**vars(replace(composition.model, base=None)))
    readings = [composition.model.reading_of(sense) for sense in model.encoders]
    assert readings == ["front", "wrist", "front_depth", "touch", "joints"]
    assert set(composition.pretrained) <= {*model.encoders, ENTITIES}
    keys = {key for row in rows(page, "key", "holds") for key in re.findall(r"`(\w+)`", row[0])}
    names = {field.name for field in fields(Composition)} - {"model", "given"}
    assert keys == {*names, *PARTS}
    other = yaml_of(page, "The language model")
    (tmp_path / "other.yaml").write_text(f"{other}\nsenses: {{front: {{encoder: conv}}}}\n", encoding="utf-8")
    assert read_composition(tmp_path / "other.yaml").backbone == BackboneConfig("Qwen/Qwen3-0.6B", layers=10)


def test_the_copied_composition_of_the_data_page_is_the_shipped_one() -> None:
    from embodied.model.composition import COMPOSITION

    line = "pretrained: {front: FOLDER/encoder.safetensors, entities: FOLDER/entities.safetensors}"
    assert line.replace("FOLDER", "runs/vision") in read(COMPOSITION)
    assert line.replace("FOLDER", "runs/mine_vision") in read(DOCS / "data.md")


# --- environments


def test_the_options_of_the_environments_are_those_that_they_take() -> None:
    from sim.env import TabletopEnv
    from sim.learning import LearningEnv

    def defaults(kind: type) -> dict[str, str]:
        given = {name: each.default for name, each in inspect.signature(kind.__init__).parameters.items()}
        said = {name: "SKILL_LIST" if name == "skills" else repr(value) for name, value in given.items()}
        return {name: said[name] for name in said if name not in ("self", "task", "options")}

    table = rows(DOCS / "environments.md", "option", "default")
    told, learning = ({bare(row[0]): bare(row[column]) for row in table} for column in (1, 2))
    assert told == defaults(TabletopEnv)
    assert learning == defaults(TabletopEnv) | defaults(LearningEnv)


def test_the_page_of_environments_says_what_they_show_and_take() -> None:
    import gymnasium

    from embodied.environments import MAX_STEPS
    from sim.env import RESET_OPTIONS
    from sim.tasks import LEARNING_STEPS, MOST

    page = DOCS / "environments.md"
    text = " ".join(read(page).split())
    named = {name for row in rows(page, "sense") for name in re.findall(r"`(\w+)`", row[0])}
    assert named == {*known()["cameras"], f"front{DEPTH}", *known()["sensors"]}
    assert f"after {MAX_STEPS['ee_delta']} steps ({MAX_STEPS['skill']} where" in text
    assert f"in `...RL-v0` after {LEARNING_STEPS};" in text
    assert f"`dense`: {MOST:g} on success, before it from -{MOST:g} to 0" in text
    assert all(f"`{option}`" in text for option in RESET_OPTIONS)
    readme = " ".join(read(ROOT / "README.md").split())
    assert f"a dense reward in [-{MOST:g}, {MOST:g}]; {LEARNING_STEPS} steps" in readme
    ids = {name for each in PAGES for name in re.findall(r'"(sim:[\w/-]+-v0)"', read(each))}
    assert ids == {"sim:Embodied/PutInBowl-v0", "sim:Embodied/TouchRL-v0"}
    learner = {b.text for each in PAGES for b in parts_of(each)[1] if "SAC(" in b.text}
    assert len(learner) == 1, "the pages learn in two ways"
    specs = [gymnasium.spec(name.removeprefix("sim:")) for name in sorted(ids)]
    assert [spec.max_episode_steps for spec in specs] == [MAX_STEPS["ee_delta"], LEARNING_STEPS]
    with gymnasium.make("sim:Embodied/TouchRL-v0") as env:
        assert set(env.observation_space.spaces) == {"state", "target_m", "goal_m"}
        assert (env.action_space.shape, env.action_space.high.max(), env.action_space.low.min()) == ((4,), 1.0, -1.0)


def test_the_code_that_makes_an_environment_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [code] = [b.text for b in parts_of(DOCS / "environments.md")[1] if "gymnasium.make(" in b.text]
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    scope = runpy.run_path(str(tmp_path / "page.py"))
    assert capsys.readouterr().out.strip() == scope["env"].unwrapped.episode.instruction
    assert {"front", "front_depth", "touch", "state", "instruction"} == set(scope["seen"])
    scope["env"].close()


def test_the_policy_in_a_foreign_environment_does_what_the_page_says(tmp_path: Path) -> None:
    from embodied.foreign import _KEYS, Words

    page, heading = DOCS / "environments.md", "An environment of anyone"
    table = {bare(row[0]): bare(row[1]) for row in rows(page, "key of the words")}
    assert set(table) == set(_KEYS)
    assert {name: table[name] for name in ("camera", "success")} == {"camera": Words.camera, "success": Words.success}
    (tmp_path / "words.yaml").write_text(yaml_of(page, heading), encoding="utf-8")
    blocks = [b for b in parts_of(page)[1] if b.heading == heading]
    [code] = [b.text for b in blocks if b.language == "python"]
    (tmp_path / "my_module.py").write_text(f"{code}\n", encoding="utf-8")
    [line] = [line for b in blocks for line in b.text.splitlines() if "embodied eval env=" in line]
    words = shlex.split(re.sub(r"episodes=\d+", "episodes=5 workers=1 out=push.json", line))[1:]
    command = [sys.executable, "-m", "embodied.cli", *words]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    [row] = json.loads((tmp_path / "push.json").read_text())["results"]
    assert row["episodes"] == 5 and row["successes"] >= 3


def test_the_groups_of_entry_points_are_those_of_the_code() -> None:
    sources = [path for room in ("embodied", "sim") for path in (ROOT / room).rglob("*.py")]
    used = {group for path in sources for group in re.findall(r'group="(embodied\.\w+)"', read(path))}
    assert {bare(row[1]) for row in rows(DOCS / "architecture.md", "key")} == used | {cli.GROUP}
    assert set(plugs()) - {"console_scripts"} <= used | {cli.GROUP}


def test_rooms_import_what_the_page_says() -> None:
    contracts = tomllib.loads(read(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    below: dict[str, set[str]] = {}
    for layer in reversed(layers):
        lower = set(below)
        below |= {room.strip(): lower for room in layer.split("|")}
    table = rows(DOCS / "architecture.md", "room")
    listed = {bare(row[0]): set(re.findall(r"`(\w+)`", row[2])) for row in table}
    assert {room: listed[room] for room in below} == below


def test_the_data_page_names_what_there_is() -> None:
    page = DOCS / "data.md"
    from embodied.data import layout
    from embodied.model.palme import FORMAT
    from embodied.motion.actions import EE_DELTA_NAMES
    from embodied.train.grounding_data import GroundingData

    text = read(page)
    assert f"Seeds of {EVALUATION_SEED:,} and above" in text
    assert {bare(row[0]) for row in rows(page, "split")} == {*SPLITS, *CONTROLS}
    assert {bare(row[0]) for row in rows(page, "recipe")} == set(RECIPES)
    config = json.loads(read(ROOT / "policies" / "checkpoint" / "config.json"))
    table = rows(page, "key of `config.json`")
    keys = {name: row for row in table for name in re.findall(r"`(\w+)`", row[0])}
    assert set(keys) == set(config)
    assert (keys["format"][1], keys["model_type"][1]) == (str(FORMAT), f"`{config['model_type']}`")
    features = {name for row in rows(page, "feature") for name in re.findall(r"`([\w.<>]+)`", row[0])}
    own = {layout.STATE, layout.ACTION, layout.REWARD, layout.DONE, layout.SUCCESS}
    senses = {f"{layout.IMAGES}<camera>", f"{layout.DEPTH}<camera>", f"{layout.OBSERVATION}<sense>"}
    assert features == {*own, *senses, *layout.DEFAULT_FEATURES}
    assert {bare(row[0]) for row in rows(page, "`action_mode=`")} == set(ACTION_MODES)
    assert all(f"`{name}`" in text for name in EE_DELTA_NAMES)
    assert all(f"`{path}`" in text for path in (layout.INFO, layout.STATS, layout.TASKS))
    written = set(re.findall(r"`([\w.]+)`", str(GroundingData.__doc__)))
    assert {bare(row[0]) for row in rows(page, "file")} == written


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    from embodied.arm import _USUAL_JERK_HZ
    from embodied.environments import MAX_STEPS as STEPS_OF_A_MODE
    from embodied.language.door import MAX_CHARACTERS
    from embodied.motion import clearance, path
    from embodied.run import ATTEMPTS, MAX_STEPS
    from embodied.safety import GateLimits, gate, rest, splice, streamer
    from nodes import arm_writers, supervise

    limits = GateLimits()
    safety = " ".join(read(DOCS / "safety.md").split())
    said = [
        f"Each goes on for {streamer.LEAD_S:g} s of steady time",
        f"goes on for at most {streamer.LEAD_S:g} s of steady time and comes to rest",
        f"1 to {gate.MAX_POINTS}, all finite, at least {gate._NEAREST_S:g} s apart",
        f"| duration | {limits.max_duration_s:g} s |",
        f"within {limits.start_tolerance_rad:g} rad of where it is measured",
        f"slower than {limits.start_speed_rad_s:g} rad/s",
        f"up to {limits.overshoot_rad:g} rad beyond",
        f"up to {1000 * limits.overshoot_width_m:g} mm beyond",
        f"a jump of the acceleration counts over {path.CONTROL_PERIOD_S:g} s",
        f"without it {_USUAL_JERK_HZ:g} times the acceleration",
        f"links against each other | {1000 * clearance._APART_M:g} mm apart",
        f"links against keep-out boxes | {1000 * clearance._APART_M:g} mm apart",
        f"{1000 * clearance._APART_M:g} mm above `table_m`",
        f"not more than {1000 * clearance._LEAVE_M:g} mm nearer",
        f"with {1000 * clearance.PLAN_SPARE_M:g} mm to spare",
        f"over {splice.BLENDS_S[0]:g} to {splice.BLENDS_S[-1]:g} s",
        f"No motion is accepted for {arm_writers._FRESH_S:g} s after that",
        f"faster than {limits.start_speed_rad_s:g} rad/s, or {rest._DRIFT_RAD:g} rad from where it rested",
        f"no sign of life for {supervise.HUNG_S:g} s hangs",
        "then after {:g}, {:g} and {:g} s".format(*supervise.DELAYS_S[1:]),
        f"after {len(supervise.DELAYS_S) + 1} deaths without {supervise.GOOD_LIFE_S:g} s of good life",
        f"`WatchdogSec={supervise.HUNG_S:g}`",
    ]
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(read(GATE_NODE)).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    said += [
        f"{constants['_SETTLE_S']:g} s after the end of the path, {constants['_ARRIVED_RAD']:g} rad",
        f"{1 / constants['_TICK_S']:g} a second",
    ]
    assert [words for words in said if words not in safety] == []
    defaults = {bare(row[0]): bare(row[1]) for row in rows(DOCS / "graph.md", "parameter")}
    for name, unit in re.findall(r"`(\w+)`, ([\d.]+ (?:s|rad))\b", safety):
        assert unit.split()[0] == defaults[name], name
    house = " ".join(read(DOCS / "architecture.md").split())
    assert ATTEMPTS == 2 and "at most two attempts" in house
    assert f"(at most {MAX_STEPS} decisions)" in house
    assert f"after {STEPS_OF_A_MODE['skill']} steps in mode `skill`" in house
    [others] = {STEPS_OF_A_MODE[mode] for mode in ("ee_delta", "joint")}
    assert f"after {others} in the modes `ee_delta` and `joint`" in house
    assert f"more than {MAX_CHARACTERS} characters" in read(DOCS / "graph.md")


def test_the_cell_on_the_page_of_safety_is_one(tmp_path: Path) -> None:
    from embodied.arm import _AROUND, _CORNERS, arm_model

    shown = yaml_of(DOCS / "safety.md", "Choosing limits")
    assert all(f"{key}:" in shown for key in (*_CORNERS, *_AROUND))
    (tmp_path / "cell.yaml").write_text(shown, encoding="utf-8")
    for name in known()["arm"]:
        assert set(arm_model(name, str(tmp_path / "cell.yaml")).keep_out) == {"camera"}


def test_a_measured_number_comes_with_the_command_that_measures_it() -> None:
    for page in DOCS.glob("*.md"):
        for section in re.split(r"^## ", read(page), flags=re.MULTILINE):
            prose = re.sub(r"```.*?```", "", section, flags=re.DOTALL)
            if re.search(r"\d ?(%|per cent|ms\b|milliseconds)", prose):
                assert "embodied " in section, section


def test_pages_name_no_place_of_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|mnt|Users)/", read(page)), page.name
