"""What the tests of weights share: the small network, values for it, files with a fault."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from click.testing import CliRunner, Result

from archc_torch.naming import network_name
from archcompiler import source
from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.cli import main
from archcompiler.compiler import compile_node
from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.ir import Network

CASES = Path(__file__).parent / "cases" / "weights"
SMALL = CASES / "small.yaml"
MAP = CASES / "small.other.yaml"

Array = np.ndarray[Any, np.dtype[Any]]
Tensors = dict[str, Array]


def small(*changes: tuple[str, str]) -> Network:
    """Compile the small network, with parts of its text replaced."""
    text = SMALL.read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return compile_node(source.parse(text, "small.yaml"), source="small.yaml").network


GAMMA = ("gamma: false", "gamma: true")
COUNTS = ("stride: 1}", "stride: 1, count_include_pad: true}")


def values(network: Network, dtype: str = "float32", seed: int = 0) -> Tensors:
    """Draw every weight: no two tensors are alike, no value is 0 or 1."""
    rng = np.random.default_rng(seed)
    weights = [(n.weight_name(w), w.shape) for n in network.walk() for w in n.weights]
    return {name: rng.uniform(0.1, 0.9, shape).astype(dtype) for name, shape in weights}


def same(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> bool:
    """Tell whether two sets of tensors are the same, bit by bit."""
    return found.keys() == wanted.keys() and all(
        found[name].dtype == wanted[name].dtype
        and found[name].shape == wanted[name].shape
        and found[name].tobytes() == wanted[name].tobytes()
        for name in wanted
    )


def raw(
    tensors: Mapping[str, Array],
    metadata: Mapping[str, str],
    change: Callable[[list[tuple[str, Any]]], Any] = lambda pairs: None,
) -> bytes:
    """Write safetensors by hand; `change` may spoil the pairs of the header."""
    words = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64"}
    pairs: list[tuple[str, Any]] = [("__metadata__", dict(metadata))]
    body = b""
    for name, value in tensors.items():
        data = value.tobytes()
        place = [len(body), len(body) + len(data)]
        entry = {"dtype": words[value.dtype.name], "shape": [*value.shape], "data_offsets": place}
        pairs.append((name, entry))
        body += data
    change(pairs)
    inside = ", ".join(f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in pairs)
    header = f"{{{inside}}}".encode()
    return len(header).to_bytes(8, "little") + header + body


def errors(call: Callable[[], object]) -> tuple[Diagnostic, ...]:
    """Return what a call that must fail says."""
    try:
        call()
    except ArchcError as error:
        return error.diagnostics
    raise AssertionError("nothing was refused")


def codes(call: Callable[[], object]) -> list[str]:
    """Return the codes that a call fails with."""
    return [d.code for d in errors(call)]


def archc(*words: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [str(word) for word in words])


def pair(name: str) -> dict[str, str]:
    """Return the metadata of a neutral file."""
    return {"format": "archc", "network": name}


class Build:
    """A network as one framework's emitted code makes it, with the build's own `weights.py`."""

    def __init__(self, network: Network, framework: str, folder: Path) -> None:
        files = emit(network, backend(framework))
        self.weights = _module(files["weights.py"], folder / f"{framework}_weights.py")
        model = _module(files["model.py"], folder / f"{framework}_model.py")
        self.model = model
        self.network: Any = (
            model.build() if framework == "tensorflow" else getattr(model, network_name(network))()
        )


def _module(text: str, path: Path) -> ModuleType:
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
