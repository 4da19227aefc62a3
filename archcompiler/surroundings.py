"""The folder that archc was started in."""

from __future__ import annotations

import os

GONE = "the working directory was removed"


def is_gone() -> bool:
    """Tell whether the working directory was removed, so that no relative path leads anywhere."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
