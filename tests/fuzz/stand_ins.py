"""Imports emitted files without any framework: its names stand for nothing, what is run is ours.

What a module does when it is imported does not depend on what the layers of a framework compute, so
that an emitted file can be imported in a millisecond and watched.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

FRAMEWORKS = (
    "torch", "torch.nn", "torch.nn.functional", "keras", "tensorflow", "numpy", "safetensors",
    "safetensors.numpy", "safetensors.torch",
)  # fmt: skip
FILES = ("model", "weights", "benchmark")
"""The files of a build, in an order in which each finds those that it imports."""


class _Anything(type):
    """A class whose attributes are classes like it, and which gives itself when it is called."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn

    def __call__(cls, *args: Any, **_: Any) -> Any:
        return args[0] if args and isinstance(args[0], type) else cls


class StandIn(metaclass=_Anything):
    """Stands for whatever a framework has: a base class, a decorator, a function."""


class _Module(ModuleType):
    __path__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn


class _Text(importlib.abc.InspectLoader):
    """Loads a module from its text, which is in no file."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_source(self, fullname: str) -> str:
        return self.text


@contextmanager
def _instead(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    before = {name: sys.modules.get(name) for name in (*modules, *FILES)}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def imported(files: Mapping[str, str]) -> dict[str, ModuleType]:
    """Import the Python files of a build, by name; raises whatever they raise."""
    found = {}
    with _instead({name: _Module(name) for name in FRAMEWORKS}):
        for name in FILES:
            spec = importlib.util.spec_from_loader(name, _Text(files[f"{name}.py"]))
            assert spec
            assert spec.loader
            sys.modules[name] = found[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(found[name])
    return found
