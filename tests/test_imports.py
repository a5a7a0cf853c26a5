# SPDX-License-Identifier: Apache-2.0
"""Rules about the source that import-linter cannot say: which file may import what, and what no file does."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
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
SAFE_LOADERS = (["yaml.BaseLoader"], ["SafeLoader"])
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
    return {name_of(path) for path in SOURCES for module, _ in imports(path) if module.partition(".")[0] in modules}


def test_one_file_imports_pybullet() -> None:
    assert importers_of(PYBULLET) == {"sim/world.py"}


def test_only_nodes_import_ros() -> None:
    assert not [name for name in importers_of(ROS) if not name.startswith("nodes/")]


def test_one_file_a_sort_of_model_knows_the_model_classes_of_transformers() -> None:
    # The type of a tokenizer may be named anywhere.
    importers = {
        name_of(path)
        for path in SOURCES
        for module, _ in imports(path)
        if module.partition(".")[0] == "transformers" and module != "transformers.tokenization_utils_base"
    }
    folder = "embodied/model"
    assert importers == {f"{folder}/{name}.py" for name in ("backbone", "encoders/pretrained", "plain")}


@pytest.mark.parametrize(
    "module", ["embodied.safety", "nodes.gate_node", "embodied.cli", "embodied.run", "embodied.language.door"]
)
def test_the_safety_path_the_loop_and_the_command_line_start_without_torch(module: str) -> None:
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
        if called == "yaml.load" and [ast.unparse(loader) for loader in node.args[1:]] in SAFE_LOADERS:
            continue
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
        "yaml.load(text)",
        "yaml.load(text, yaml.UnsafeLoader)",
        "yaml.load(text, flag)",
    ],
)
def test_the_scan_for_unsafe_constructs_sees_them(line: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(f"def g(text, path, p, flag):\n    {line}\n")
    assert list(unsafe_constructs(path))


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    shipped = [path for path in CODE if path.relative_to(ROOT).parts[0] != "tests"]
    assert {name_of(path): n for path in shipped if (n := lines_of(path)) > 400} == {}
    assert {name_of(path): n for path in CODE if (n := lines_of(path)) > 600} == {}
    assert sum(lines_of(path) for path in shipped) <= 37_500


def test_no_import_leads_back_to_where_it_came_from() -> None:
    """No circle in any room, not even one that only a type checker follows."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    # A package that names its parts for others is no part of what they import.
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 80
    assert circles_of(imports) == []


def test_the_search_for_circles_sees_them() -> None:
    arrows = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": set()}
    assert circles_of(arrows) == ["a -> b", "b -> c", "c -> a"]


def circles_of(imports: dict[str, set[str]]) -> list[str]:
    """Every arrow that lies on a circle."""
    circles = []
    while leaves := {module for module, found in imports.items() if not found & imports.keys()}:
        imports = {module: found for module, found in imports.items() if module not in leaves}
    for module in sorted(imports):
        back = {other for other in imports[module] if module in upstream(imports, other)}
        circles += [f"{module} -> {other}" for other in sorted(back)]
    return circles


def upstream(imports: dict[str, set[str]], module: str) -> set[str]:
    """Everything that `module` imports, at any distance."""
    seen: set[str] = set()
    queue = [module]
    while queue:
        for found in imports.get(queue.pop(), set()) - seen:
            seen.add(found)
            queue.append(found)
    return seen


HIGHER_ROOM = re.compile(r"(?<![\w.])(sim|policies|nodes)(?=[.:/]\w)|^(sim|nodes)$")


def test_the_library_names_no_room_above_it_not_even_as_text() -> None:
    found = [
        f"{name_of(path)}:{node.lineno}: {node.value[:60]!r}"
        for path in SOURCES
        if name_of(path).startswith("embodied/")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and HIGHER_ROOM.search(node.value)
    ]
    assert found == []


def test_nor_do_the_files_that_it_reads() -> None:
    read = [path for path in (ROOT / "embodied").rglob("*") if path.suffix in {".json", ".md", ".yaml"}]
    assert read
    assert [name_of(path) for path in read if HIGHER_ROOM.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("text", ["sim.tasks:TASKS", "see nodes/common.py", "policies.palme", "sim"])
def test_the_scan_for_higher_rooms_sees_them(text: str) -> None:
    assert HIGHER_ROOM.search(text)
    assert not HIGHER_ROOM.search("embodied.policies")


def test_every_file_names_its_licence() -> None:
    first = "# SPDX-License-Identifier: Apache-2.0"
    assert [name_of(path) for path in CODE if (text := path.read_text()) and text.splitlines()[0] != first] == []


def test_launch_is_no_package() -> None:
    # An __init__.py would shadow ROS's own `launch`.
    assert not (ROOT / "launch" / "__init__.py").exists()
