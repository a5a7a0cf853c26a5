# SPDX-License-Identifier: Apache-2.0
"""Rules about the source that import-linter cannot say: which file may import what, and what no file does."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("embodied", "sim", "policies", "nodes")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
CODE = [
    *SOURCES,
    *sorted((ROOT / "launch").glob("*.py")),
    *sorted((ROOT / "tests").rglob("*.py")),
    ROOT / "setup.py",
]

PYBULLET = {"pybullet", "pybullet_data", "pybullet_utils"}
ROS_MESSAGES = {
    *(
        "action_msgs",
        "builtin_interfaces",
        "diagnostic_msgs",
        "geometry_msgs",
        "lifecycle_msgs",
        "rcl_interfaces",
    ),
    *("rosgraph_msgs", "sensor_msgs", "std_msgs", "std_srvs", "trajectory_msgs"),
}
ROS = {"rclpy", "rosidl_runtime_py", "launch", "launch_ros", *ROS_MESSAGES}
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Every (module, imported name) in the file, at any depth; the name is "" for `import module`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield node.module or "", alias.name


def importers_of(modules: set[str]) -> set[str]:
    return {
        name_of(path)
        for path in SOURCES
        for module, _ in imports(path)
        if module.partition(".")[0] in modules
    }


def test_one_file_imports_pybullet() -> None:
    assert importers_of(PYBULLET) == {"sim/world.py"}


def test_only_nodes_import_ros() -> None:
    assert not [name for name in importers_of(ROS) if not name.startswith("nodes/")]


def test_one_file_knows_the_model_classes_of_transformers() -> None:
    # The type of a tokenizer may be named anywhere.
    importers = {
        name_of(path)
        for path in SOURCES
        for module, _ in imports(path)
        if module.partition(".")[0] == "transformers" and module != "transformers.tokenization_utils_base"
    }
    assert importers == {"embodied/model/backbone.py"}


@pytest.mark.parametrize("module", ["embodied.safety", "nodes.gate_node", "embodied.cli"])
def test_the_safety_path_and_the_command_line_start_without_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'pybullet'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def unsafe_constructs(path: Path) -> Iterator[str]:
    """Whatever runs code that comes out of data."""
    for module, _ in imports(path):
        if module.partition(".")[0] in UNSAFE_MODULES:
            yield f"import {module}"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in {"eval", "exec", "torch.load", "yaml.load", "yaml.unsafe_load", "os.system"}:
            yield f"{called}()"
        for keyword in node.keywords:
            if keyword.arg in {"trust_remote_code", "allow_pickle", "shell"} and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            ):
                yield f"{called}({keyword.arg}=...)"


def test_no_file_runs_code_that_comes_from_data() -> None:
    found = {name_of(path): list(unsafe_constructs(path)) for path in CODE}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "eval(text)",
        "torch.load(path)",
        "f(trust_remote_code=True)",
        "np.load(p, allow_pickle=flag)",
    ],
)
def test_the_scan_for_unsafe_constructs_sees_them(line: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(f"def g(text, path, p, flag):\n    {line}\n")
    assert list(unsafe_constructs(path))


def test_no_module_is_longer_than_600_lines() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in CODE}
    assert {name: length for name, length in lengths.items() if length > 600} == {}


def test_every_file_names_its_licence() -> None:
    first = "# SPDX-License-Identifier: Apache-2.0"
    assert [
        name_of(path) for path in CODE if (text := path.read_text()) and text.splitlines()[0] != first
    ] == []


def test_launch_is_no_package() -> None:
    # An __init__.py would shadow ROS's own `launch`.
    assert not (ROOT / "launch" / "__init__.py").exists()
