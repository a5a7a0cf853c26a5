# SPDX-License-Identifier: Apache-2.0
"""What pip, ROS and CI read of this repository: metadata, requirements, commands."""

import ast
import configparser
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from catkin_pkg.package import Package, parse_package
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("embodied", "sim", "policies", "nodes")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def run_setup(*arguments: str, ros_distro: str = "") -> str:
    environment = {key: value for key, value in os.environ.items() if key != "ROS_DISTRO"}
    if ros_distro:
        environment["ROS_DISTRO"] = ros_distro
    command = [sys.executable, "-W", "ignore", "setup.py", "--quiet", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def egg_info(folder: Path, ros_distro: str = "") -> Path:
    """Build the metadata into `folder`, as pip and colcon would."""
    run_setup("egg_info", "--egg-base", str(folder), ros_distro=ros_distro)
    return folder / "embodied.egg-info"


def entry_points(metadata: Path) -> dict[str, dict[str, str]]:
    """Group -> name -> target."""
    parser = configparser.ConfigParser(delimiters="=")
    parser.read(metadata / "entry_points.txt")
    return {group: dict(parser[group]) for group in parser.sections()}


def console_scripts(metadata: Path) -> dict[str, str]:
    return entry_points(metadata)["console_scripts"]


def extras(metadata: Path) -> Mapping[str, list[Requirement]]:
    """Requirements by extra; "" holds those of the package itself."""
    found: dict[str, list[Requirement]] = {"": []}
    extra = ""
    for line in (metadata / "requires.txt").read_text().splitlines():
        if line.startswith("["):
            extra = line.strip("[]")
            found[extra] = []
        elif line:
            found[extra].append(Requirement(line))
    return found


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return egg_info(tmp_path_factory.mktemp("metadata"))


@pytest.fixture(scope="module")
def manifest() -> Package:
    return parse_package(str(ROOT / "package.xml"))  # raises on an invalid manifest


def test_manifest_is_valid_and_agrees_with_the_build_script(manifest: Package) -> None:
    told = run_setup("--name", "--version", "--description", "--maintainer", "--maintainer-email", "--license")
    [maintainer] = manifest.maintainers
    [licence] = manifest.licenses
    assert told.splitlines() == [
        manifest.name,
        manifest.version,
        manifest.description,
        maintainer.name,
        maintainer.email,
        licence,
    ]
    assert manifest.name == "embodied"
    assert manifest.package_format == 3
    assert licence == "Apache-2.0"
    assert manifest.get_build_type() == "ament_python"


def test_changelog_and_licence_files_belong_to_this_version(manifest: Package) -> None:
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1] == manifest.version
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert "SmolLM2-135M-Instruct" in (ROOT / "NOTICE").read_text()


def test_every_entry_point_leads_to_something(metadata: Path) -> None:
    groups = entry_points(metadata)
    assert {"embodied", "ros2", "sim_node", "agent_node", "gate_node"} <= set(groups["console_scripts"])
    for group, targets in groups.items():
        for name, target in targets.items():
            module, _, attribute = target.partition(":")
            found = importlib.import_module(module)
            if group == "embodied.environments":  # its import registers them
                assert not attribute, name
            else:
                assert callable(getattr(found, attribute)), (group, name)


def test_our_rooms_plug_in_as_a_strangers_package_does(metadata: Path) -> None:
    groups = entry_points(metadata)
    files = {path.stem for path in (ROOT / "embodied" / "commands").glob("*.py")} - {"__init__"}
    assert set(groups["embodied.commands"]) == {*files, "say", "ask", "tasks", "faults", "soak"}
    assert set(groups["embodied.policies"]) == {"palme", "oracle", "random", "colour_blob", "chunks"}
    assert groups["embodied.environments"] == {"tabletop": "sim"}
    assert set(groups) == {
        "console_scripts",
        *(f"embodied.{name}" for name in ("commands", "policies", "environments", "collectors", "runners")),
    }


def test_the_ros2_command_is_left_to_a_ros_installation(metadata: Path, tmp_path: Path) -> None:
    here = console_scripts(metadata)
    on_ros = console_scripts(egg_info(tmp_path, ros_distro="jazzy"))
    assert set(here) - set(on_ros) == {"ros2"}


def test_every_direct_requirement_is_pinned(metadata: Path) -> None:
    pins = {
        canonicalize_name(requirement.name): requirement
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
        for requirement in [Requirement(line)]
    }
    needs = [need for group in extras(metadata).values() for need in group]
    assert [need.name for need in needs if canonicalize_name(need.name) not in pins] == []
    for need in needs:
        [pin] = pins[canonicalize_name(need.name)].specifier
        assert pin.operator == "=="
        assert need.specifier.contains(pin.version), f"{need} excludes its own pin {pin.version}"
    assert str(pins["torch"].specifier) == "==2.13.0"


def test_all_is_every_extra_but_the_tests(metadata: Path) -> None:
    found = extras(metadata)
    expected = {str(need) for extra, needs in found.items() if extra not in {"", "all", "test"} for need in needs}
    assert {str(need) for need in found["all"]} == expected


def third_party_imports(*folders: str) -> dict[str, str]:
    """Module -> a file that imports it, for all that is neither ours nor the standard library's."""
    found: dict[str, str] = {}
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [str(node.module)]
            for module in {module.partition(".")[0] for module in modules}:
                if module not in sys.stdlib_module_names and module not in ROOMS:
                    found[module] = str(path.relative_to(ROOT))
    return found


def test_every_import_is_a_declared_requirement(metadata: Path) -> None:
    found = extras(metadata)
    declared = {canonicalize_name(need.name) for extra in ("", "all") for need in found[extra]}
    owners = packages_distributions()
    imported = third_party_imports(*ROOMS)
    assert {
        module: path
        for module, path in imported.items()
        if not {canonicalize_name(owner) for owner in owners.get(module, [])} & declared
    } == {}


def test_the_manifest_names_every_ros_package_that_is_imported(manifest: Package) -> None:
    declared = {depend.name for depend in manifest.exec_depends}
    imported = third_party_imports("nodes", "launch")
    ros = {
        module
        for module in imported
        if module in {"rclpy", "launch", "launch_ros"} or module.endswith(("_msgs", "_srvs", "_interfaces"))
    }
    assert "rclpy" in ros
    assert ros - declared == set()


def commands_under(heading: str) -> list[str]:
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    block = section.partition("```bash\n")[2].partition("```")[0]
    return block.splitlines()


def test_readme_has_one_line_to_run_and_one_to_test() -> None:
    [run] = commands_under("Run")
    [test] = commands_under("Test")
    for line in (run, test):
        assert line.startswith("python3.11 -m venv .venv && .venv/bin/pip install -c constraints.txt -e ")
    assert run.endswith("&& .venv/bin/ros2 launch embodied sim.launch.py")
    together, alone = test.split(" && ")[-2:]
    assert together == '.venv/bin/python -m pytest -n 2 --dist loadfile -m "not alone"'
    assert alone == ".venv/bin/python -m pytest -m alone", "the two runs are all tests"


def test_ci_runs_the_test_command_of_the_readme() -> None:
    shown = subprocess.run([ROOT / ".ci" / "run", "--show"], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == commands_under("Test")


def test_readme_never_installs_the_other_package_of_this_name() -> None:
    # PyPI's `embodied` is somebody else's library.
    texts = [path.read_text(encoding="utf-8") for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]]
    assert not [text for text in texts if re.search(r"pip3? install (-\S+ )*[\"']?embodied\b", text)]


def test_every_file_that_the_readme_links_to_is_here() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
