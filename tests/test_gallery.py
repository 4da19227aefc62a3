"""The gallery is what its script writes, and has every shipped spec."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from archcompiler.locate import shipped

SCRIPT = Path(__file__).parents[1] / "docs" / "gallery.py"


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(gallery: ModuleType) -> None:
    assert gallery.PAGE.read_text("utf-8") == gallery.page(), "run: python docs/gallery.py"


def test_every_spec_is_in_it(gallery: ModuleType) -> None:
    text = gallery.PAGE.read_text("utf-8")
    assert all(f"| [`{name}`](../specs/{name}.yaml) |" in text for name in shipped())


def test_differences_are_those_of_the_numerics(gallery: ModuleType) -> None:
    found = dict(gallery.differences("inception_v3"))
    assert set(found) >= {"the other framework", "`keras.applications.InceptionV3`"}
    assert dict(gallery.differences("inception_v3_fid")) == {"pytorch-fid": "none"}
    assert dict(gallery.differences("inception_v4"))["timm"] != "none"
