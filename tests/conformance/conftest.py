"""What the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest
import spec_writer


@pytest.fixture(scope="session", autouse=True)
def _specs_are_written_once(shared_folder: Path) -> None:
    """Let the processes of one test run share the random specs."""
    spec_writer.kept = shared_folder / "random_specs"
    spec_writer.kept.mkdir(exist_ok=True)
