"""The libraries that weights need, imported when they are: the rest of archc runs without."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic

EXTRAS = {
    "numpy": "weights",
    "safetensors": "weights",
    "h5py": "weights",
    "torch": "torch",
    "tensorflow": "tensorflow",
}
"""Each library, and the extra of archc that brings it."""


def need(name: str, purpose: str) -> None:
    """Raise E701 where a library is not installed; `purpose` says what it is for."""
    library = name.partition(".")[0]
    if find_spec(library) is not None:
        return
    extra = EXTRAS[library]
    raise ArchcError(
        Diagnostic(
            code="E701",
            message=f"{library} is not installed, and {purpose}",
            hint=f"`pip install 'archcompiler[{extra}]'`, or in a clone `pip install '.[{extra}]'`",
        ),
        exit_code=USAGE_OR_ENVIRONMENT,
    )


def library(name: str, purpose: str) -> Any:
    """Import a library or one of its modules. Raises E701 where it is not installed."""
    need(name, purpose)
    return importlib.import_module(name)


def numpy() -> Any:
    """Import numpy."""
    return library("numpy", "weights are read and written with it")
