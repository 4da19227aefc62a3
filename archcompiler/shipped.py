"""Where the specs that come with archc are, and what people are told they are called."""

from __future__ import annotations

import functools
import os
from contextlib import suppress
from pathlib import Path


@functools.cache
def folder() -> Path:
    """Return the folder of the specs that come with archc."""
    here = Path(__file__).parent
    installed = here / "specs"  # in a wheel; an editable install has them beside the package
    return installed if installed.is_dir() else here.parent / "specs"


def shown(name: str) -> str:
    """Return a short name for the file of a shipped spec, wherever it is; others as they are."""
    start, whole = f"{folder()}{os.sep}", name
    if f"specs{os.sep}" in name:
        with suppress(OSError):  # the working directory may be gone
            whole = os.path.abspath(name)
    short = f"specs/{whole[len(start) :]}" if whole.startswith(start) else name
    return min(short, name, key=len)
