# SPDX-License-Identifier: Apache-2.0
"""How a part is found by its name: our own parts and a stranger's in the same way.

A name is looked up in what was registered in this process, in the modules of a folder (one file a part, found without a
reinstall), and in the entry points of installed packages. "module:name" names a part that is nowhere registered, in a
module of the current folder or of an installed package. Nothing is imported before it is asked for.
"""

import importlib
import os
import pkgutil
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Generic, TypeVar

from embodied.errors import EmbodiedError, UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Parts of one sort by name.

    Args:
        what: what a part is called in messages.
        group: entry points of this group are parts, or give one when `build` is called with them.
        package: importing the modules of this package registers parts.
        build: makes a part of what an entry point or "module:name" leads to; raises EmbodiedError for
            what is none.
    """

    def __init__(
        self, what: str, *, group: str = "", package: str = "", build: Callable[[str, Any], T] | None = None
    ) -> None:
        self.what = what
        self._group, self._package, self._build = group, package, build
        self._parts: dict[str, T] = {}
        self._scanned = False

    def register(self, name: str, part: T) -> T:
        """Make `part` known as `name`. Raises EmbodiedError where the name is taken by another part."""
        if self._parts.get(name, part) is not part:
            raise EmbodiedError(f"there is a {self.what} called {name!r} already; choose another name")
        self._parts[name] = part
        return part

    def names(self) -> tuple[str, ...]:
        """Every name that `get` knows, ours and those of installed packages."""
        self._scan()
        return tuple(dict.fromkeys((*self._parts, *(entry.name for entry in self._entries()))))

    def get(self, name: str) -> T:
        """The part called `name`, or that "module:name" leads to. Raises UnknownNameError, EmbodiedError."""
        self._scan()
        if name not in self._parts:
            found = self._find(name)
            self._parts[name] = self._build(name, found) if self._build else found
        return self._parts[name]

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _find(self, name: str) -> Any:
        for entry in self._entries():
            if entry.name == name:
                return load(entry.value, self.what)
        if ":" not in name:
            raise UnknownNameError(self.what, name, self.names())
        return load(name, self.what)

    def _entries(self) -> tuple[EntryPoint, ...]:
        return installed_parts(self._group) if self._group else ()

    def _scan(self) -> None:
        if self._package and not self._scanned:
            self._scanned = True  # while it scans, its own modules may ask
            try:
                folder = importlib.import_module(self._package)
                for module in pkgutil.iter_modules(folder.__path__):
                    importlib.import_module(f"{self._package}.{module.name}")
            except BaseException:
                self._scanned = False  # a broken file must not leave half of the parts in silence
                raise


def instance_of(kind: type[Any]) -> Callable[[str, Any], Any]:
    """A `build` for parts that are objects of `kind`; an entry point may name the object or its class."""

    def build(name: str, found: Any) -> Any:
        if isinstance(found, type) and issubclass(found, kind):
            if lacks := sorted(getattr(found, "__abstractmethods__", ())):
                raise EmbodiedError(f"{name!r} leads to {found.__name__}, which lacks {', '.join(lacks)}")
            found = found()
        if not isinstance(found, kind):
            got = found.__name__ if isinstance(found, type) else f"a {type(found).__name__}"
            raise EmbodiedError(f"{name!r} leads to {got}, which is no {kind.__module__}.{kind.__name__}")
        own = getattr(found, "name", name)
        if ":" not in name and own != name:
            raise EmbodiedError(f"{name!r} leads to what calls itself {own!r}; one name must be enough")
        return found

    return build


def installed_parts(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of `group`, those of every installed package."""
    return _entry_points(group, tuple(sys.path))


@lru_cache
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Those of `group`. Reading them takes a while, and they change with the `path` of modules alone."""
    return tuple(entry_points(group=group))


def load(target: str, what: str) -> Any:
    """What "module:name" leads to; modules of the current folder are found too.

    Raises UnknownNameError that lists what the module has, EmbodiedError where there is no such module.
    """
    module_name, _, attribute = target.partition(":")
    named = all(part.isidentifier() for part in (*module_name.split("."), attribute))
    if not named or module_name.endswith(".py"):
        raise EmbodiedError(f"{what} {target!r}: write module:name, as in my_module:MyClass")
    module = load_module(module_name, f"{what} {target!r}")
    if not hasattr(module, attribute):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise UnknownNameError(f"{what} in {module_name}", attribute, classes)
    return getattr(module, attribute)


def load_module(name: str, what: str) -> ModuleType:
    """The module `name`, of the current folder too. Raises EmbodiedError where there is none."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise EmbodiedError(f"{what}: {name!r} is no module's name, as my_module or my_package.my_module is")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # last: nothing of the folder hides an installed module
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it imports is not
        where = f"in {here} or among the installed packages"
        raise EmbodiedError(f"{what}: there is no module {error.name!r}, {where}") from None
