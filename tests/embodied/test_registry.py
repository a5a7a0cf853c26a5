# SPDX-License-Identifier: Apache-2.0
"""Finding parts by name: what is registered, what packages name, and what stands in one's own folder."""

from __future__ import annotations

import importlib
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from embodied.errors import EmbodiedError, UnknownNameError
from embodied.language.verbs import VERBS
from embodied.motion.skills import SKILLS
from embodied.registry import Registry, instance_of, load
from embodied.things import THINGS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of one's own to work in; what is imported from it is forgotten afterwards."""
    known, path = set(sys.modules), list(sys.path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def cakes() -> Registry[Any]:
    registry: Registry[Any] = Registry("cake")
    registry.register("plum", 1)
    registry.register("lemon", 2)
    return registry


def test_what_was_registered_is_found_by_its_name() -> None:
    registry = cakes()
    assert registry.names() == tuple(registry) == ("plum", "lemon")
    assert [registry.get(name) for name in registry] == [1, 2]
    assert "plum" in registry and "plumb" not in registry and 3 not in registry


def test_an_unknown_name_is_answered_with_the_nearest_and_with_all() -> None:
    with pytest.raises(UnknownNameError) as caught:
        cakes().get("lemmon")
    assert str(caught.value) == "unknown cake 'lemmon'. Did you mean 'lemon'? Valid: lemon, plum."
    with pytest.raises(UnknownNameError, match=r"^unknown cake 'xyz'\. Valid: lemon, plum\.$"):
        cakes().get("xyz")


def test_a_name_is_taken_once_and_the_same_part_may_come_again() -> None:
    registry = cakes()
    with pytest.raises(EmbodiedError, match="there is a cake called 'plum' already"):
        registry.register("plum", 3)
    assert registry.register("plum", 1) == registry.get("plum") == 1


def test_a_part_of_ones_own_folder_is_found(folder: Path) -> None:
    (folder / "mine.py").write_text("class Cake: pass\nclass Tart: pass\n")
    (folder / "deep").mkdir()
    (folder / "deep" / "inside.py").write_text("class Pie: pass\n")
    registry = cakes()
    assert registry.get("mine:Cake").__name__ == "Cake"
    assert registry.get("mine:Cake") is registry.get("mine:Cake")
    assert registry.get("deep.inside:Pie").__name__ == "Pie"
    with pytest.raises(UnknownNameError, match=r"unknown cake in mine 'Cak'\. Did you mean 'Cake'\?.*Tart"):
        registry.get("mine:Cak")


def test_nothing_in_ones_folder_hides_an_installed_module(folder: Path) -> None:
    (folder / "numpy.py").write_text("class ndarray: pass\n")
    assert load("numpy:ndarray", "cake").__module__ == "numpy"


@pytest.mark.parametrize("target", ["none_such:Cake", "embodied.none_such:Cake", "none_such.deep:Cake"])
def test_a_module_that_is_not_there_is_named_with_where_was_looked(target: str, folder: Path) -> None:
    with pytest.raises(EmbodiedError, match=r"^cake .*there is no module '.*none_such.*', in ") as caught:
        load(target, "cake")
    assert str(folder) in str(caught.value)
    assert not isinstance(caught.value, UnknownNameError)


@pytest.mark.parametrize("target", ["mine:", ":Cake", "./mine.py:Cake", ".mine:Cake", "mine.py:Cake", "a b:C"])
def test_what_leads_nowhere_is_answered_with_how_to_write_it(target: str, folder: Path) -> None:
    (folder / "mine.py").write_text("class Cake: pass\n")
    with pytest.raises(EmbodiedError, match="write module:name, as in my_module:MyClass"):
        load(target, "cake")


def test_a_module_that_is_there_and_fails_says_itself_why(folder: Path) -> None:
    """Its own mistake is shown, and not hidden behind "there is no module"."""
    (folder / "lacks.py").write_text("import none_such_library\n")
    with pytest.raises(ModuleNotFoundError, match="none_such_library"):
        load("lacks:Cake", "cake")
    (folder / "fails.py").write_text("raise RuntimeError('out of flour')\n")
    with pytest.raises(RuntimeError, match="out of flour"):
        load("fails:Cake", "cake")


def installed(folder: Path, group: str, *lines: str) -> None:
    """A package whose metadata stand on the path, as after its installation."""
    metadata = folder / f"{group.replace('.', '_')}-1.0.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {group.replace('.', '_')}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")


def test_what_an_installed_package_names_is_listed_unloaded_and_loaded_on_use(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(folder, "test.cakes", "rum = rum_cakes:Rum", "broken = none_such:Cake")
    (folder / "rum_cakes.py").write_text("class Rum: pass\n")
    registry: Registry[Any] = Registry("cake", group="test.cakes")
    assert registry.names() == ()
    monkeypatch.syspath_prepend(str(folder))
    assert set(registry) == {"rum", "broken"}
    assert "rum_cakes" not in sys.modules
    assert registry.get("rum").__name__ == "Rum"
    with pytest.raises(EmbodiedError, match="'none_such:Cake': there is no module 'none_such'"):
        registry.get("broken")


def test_a_part_is_made_once_of_what_was_found_and_the_maker_may_refuse(folder: Path) -> None:
    made: list[str] = []

    def build(name: str, found: Any) -> str:
        made.append(name)
        if not isinstance(found, type):
            raise EmbodiedError(f"cake {name!r} is no class")
        return found.__name__

    (folder / "mine.py").write_text("class Cake: pass\nflour = 3\n")
    registry: Registry[str] = Registry("cake", build=build)
    assert registry.get("mine:Cake") == registry.get("mine:Cake") == "Cake"
    assert made == ["mine:Cake"]
    with pytest.raises(EmbodiedError, match="cake 'mine:flour' is no class"):
        registry.get("mine:flour")


def test_a_broken_file_in_the_folder_is_told_every_time_until_it_is_mended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No part is missing in silence because another file is broken."""
    package = folder / "cakes_of_the_test"
    package.mkdir()
    (package / "__init__.py").write_text("from embodied.registry import Registry\nCAKES = Registry('cake')\n")
    for name in ("apple", "plum"):
        (package / f"{name}.py").write_text(
            f"from cakes_of_the_test import CAKES\nCAKES.names() or CAKES.register('{name}', '{name}')\n"
        )
    (package / "apple.py").write_text("raise RuntimeError('out of flour')\n")
    monkeypatch.syspath_prepend(str(folder))
    registry: Registry[Any] = Registry("cake", package="cakes_of_the_test")
    for ask in (registry.names, lambda: registry.get("plum"), lambda: "plum" in registry):
        with pytest.raises(RuntimeError, match="out of flour"):
            ask()
    (package / "apple.py").write_text("")
    importlib.invalidate_caches()
    assert registry.names() == ()
    assert load("cakes_of_the_test:CAKES", "registry").names() == ("plum",)


class Cake(ABC):
    name = "cake"

    @abstractmethod
    def bake(self) -> None: ...


class Plum(Cake):
    name = "plum"

    def bake(self) -> None: ...


class Raw(Cake):
    name = "raw"


def test_an_entry_may_name_an_object_or_its_class() -> None:
    build = instance_of(Cake)
    assert isinstance(build("plum", Plum), Plum)
    made = Plum()
    assert build("plum", made) is made and build("mine:made", made) is made


@pytest.mark.parametrize(
    ("name", "found", "words"),
    [
        ("raw", Raw, "'raw' leads to Raw, which lacks bake"),
        ("tart", Plum, "'tart' leads to what calls itself 'plum'; one name must be enough"),
        ("tart", Plum(), "'tart' leads to what calls itself 'plum'"),
        ("dict", dict, r"'dict' leads to dict, which is no .*\.Cake"),
        ("three", 3, r"'three' leads to a int, which is no .*\.Cake"),
    ],
)
def test_what_is_no_part_is_refused_with_the_reason(name: str, found: object, words: str) -> None:
    with pytest.raises(EmbodiedError, match=words):
        instance_of(Cake)(name, found)


@pytest.mark.parametrize("registry", [THINGS, VERBS, SKILLS], ids=lambda registry: registry.what)
def test_each_file_of_a_folder_is_a_part(registry: Registry[Any]) -> None:
    """A new file needs no line elsewhere, and no file is there for nothing."""
    module = sys.modules[type(registry.get("touch" if "touch" in registry else "block")).__module__]
    package = module if hasattr(module, "__path__") else sys.modules[module.__name__.rpartition(".")[0]]
    assert isinstance(package, ModuleType)
    files = {path.stem for path in Path(package.__path__[0]).glob("*.py")} - {"__init__"}
    # Other tests may have registered parts of their own.
    assert files <= set(registry.names())


def test_a_new_file_in_the_folder_of_things_is_a_thing() -> None:
    """In a process of its own, with the folder made longer by one: nothing is installed again."""
    code = (
        "import embodied.things, pathlib, sys, tempfile\n"
        "folder = pathlib.Path(tempfile.mkdtemp())\n"
        "(folder / 'egg.py').write_text('from embodied.things import Sphere, Thing, register\\n'\n"
        "    'egg = Thing(name=\"egg\", shape=Sphere(radius_m=0.02), radius_m=0.02, touch_height_m=0.1)\\n'\n"
        "    'register(egg)')\n"
        "embodied.things.__path__.append(str(folder))\n"
        "from embodied.language.verbs import parse_plan\n"
        "print(parse_plan('touch white egg').target.thing.radius_m)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "0.02", done.stderr
