"""The networks whose emitted code the tests read and run: small, nasty ones and shipped ones."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

from harness import FRAMEWORKS

from archc_torch.naming import RESERVED as TORCH_RESERVED
from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_file, compile_node
from archcompiler.ir import Network
from archcompiler.names import parameter_problem, problem
from archcompiler.overrides import parse_assignment
from archcompiler.source import parse
from archcompiler.yaml_writer import to_yaml

ROOT = Path(__file__).parents[2]
SHIPPED = ("googlenet", "inception_v3")
SPECS = {
    **{p.stem: p for p in sorted((ROOT / "tests/cases/emitted").glob("*.yaml"))},
    **{name: ROOT / f"specs/{name}.yaml" for name in SHIPPED},
}
LARGER = "size_free_larger"
"""`size_free`, built for the larger images."""
EVERY_NAME = "every_name"
"""A network made of the names that the other networks' files use themselves."""
NAMES = (*SPECS, EVERY_NAME)
READ = tuple(p.stem for p in sorted((ROOT / "specs").glob("*.yaml")) if p.stem not in SHIPPED)
"""The other shipped networks, whose emitted code is read alone: `tests/peers` runs it."""


@functools.cache
def network(name: str) -> Network:
    """Return a network by its name."""
    if name == EVERY_NAME:
        return compile_node(parse(_every_name(), f"{name}.yaml"), source=f"{name}.yaml").network
    if name == LARGER:
        sizes = [parse_assignment("input=24x15")]
        return compile_file(SPECS["size_free"], sizes).network
    return compile_file(SPECS.get(name, ROOT / f"specs/{name}.yaml")).network


@functools.cache
def files(name: str, framework: str) -> dict[str, str]:
    """Return the files of a build."""
    return emit(network(name), backend(framework))


def _own_names(text: str) -> Iterator[str]:
    """Yield the names that a file defines, imports or reads, but attributes."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.arg


def _every_name() -> str:
    """Write a network whose blocks, layers and parameters have the names that files use."""
    names = {
        name
        for spec in ("inception_v3", "many_ops", "same_stride_two", "split_forks", "map_norms")
        for framework in FRAMEWORKS
        for name in _own_names(files(spec, framework)["model.py"])
        if not re.fullmatch(r"\w*\d\w*|[a-z]", name)
    }
    allowed = {n.lower(): n for n in sorted(names | TORCH_RESERVED) if problem(n) is None}
    blocks, body = {}, []
    for name in sorted(allowed.values()):
        layer = {"conv": 2, "kernel": 1, "name": name}
        block: dict[str, object] = {"layers": [layer]}
        if parameter_problem(name) is None:
            layer["conv"] = f"${name}"
            block = {"params": {name: 2}, **block}
        blocks[name] = block
        body.append({"block": name, "name": name})
    first = {"conv": 2, "kernel": 3, "stride": 2, "padding": "same", "name": "first_one"}
    return to_yaml(
        {
            "archc": 1,
            "name": "every_name",
            "input": "8x8x3",
            "defaults": {
                "conv": {"padding": "valid", "norm": "batch_norm", "activation": "relu"},
                "batch_norm": {"epsilon": 1e-3, "decay": 0.9, "gamma": False},
            },
            "blocks": blocks,
            "stem": [first],
            "body": body,
            "heads": {"final_one": ["global_avg_pool", {"dense": 4, "name": "loss"}]},
        }
    )
