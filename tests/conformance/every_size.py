"""Compares static shapes with real ones at every legal input size of the shipped specs.

    python tests/conformance/every_size.py
    python tests/conformance/every_size.py --backend torch --spec inception_v3 --sample 3

Each spec is built for each legal square from its minimum to `--largest`, with its training heads
where these are legal, else without, and run. torch runs on the meta device, which computes shapes
alone. TensorFlow infers them, op by op, when a traced graph is imported with an image of another
size; with `--compute` it computes values instead, which takes seconds a size. Sizes whose code
differs in nothing but the input's size share a model.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from runner import load

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_file, compile_node, draft_file
from archcompiler.ir import Network
from archcompiler.locate import shipped
from archcompiler.sizes import Search, failures_at, survey
from archcompiler.source import parse
from archcompiler.yaml_writer import to_yaml

LARGEST = 331
Shapes = Mapping[str, tuple[int, ...]]
"""The shape of each end point: height x width x channels, or channels."""
Run = Callable[[ModuleType, str, Network], Shapes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The legal squares of a spec: in training, and those of evaluation alone."""

    training: tuple[int, ...]
    evaluation: tuple[int, ...]


def legal_sizes(path: Path, tried: Iterable[int]) -> Sizes:
    """Return those of the squares that are legal for a spec."""
    found = survey(draft_file(path), [(n, n) for n in tried])
    training = tuple(n for n, _ in found.training)
    evaluated = tuple(n for n, _ in found.evaluation if (n, n) not in {*found.training})
    return Sizes(training=training, evaluation=evaluated)


def sample(path: Path, largest: int, count: int, chance: random.Random) -> Sizes:
    """Return so many legal squares: the smallest, and others at random; no more are tried."""
    draft = draft_file(path)
    smallest = Search(draft).smallest(False)
    assert smallest is not None, f"{path} takes no square"
    kept = [smallest]
    others = chance.sample(range(smallest + 1, largest + 1), largest - smallest)
    while others and len(kept) < count:
        size = others.pop()
        if all(failure.training_only for failure in failures_at(draft, (size, size))):
            kept.append(size)
    return legal_sizes(path, sorted(kept))


def networks(name: str, path: Path, sizes: Sizes) -> Iterator[tuple[int, Network]]:
    """Yield the network of each size; heads of training are removed where they are not legal."""
    heads = [head.name for head in compile_file(path).network.heads if head.training_only]
    removed = [{"remove": head} for head in heads]
    for found, patches in ((sizes.training, []), (sizes.evaluation, removed)):
        for size in found:
            spec = {
                "archc": 1,
                "name": f"{name}_{size}",
                "extends": name,
                "input": f"{size}x{size}x3",
            }
            text = to_yaml({**spec, "patch": patches})
            node = parse(text, f"{name}_{size}.yaml")
            yield size, compile_node(node, source=f"{name}_{size}.yaml").network


def run_torch(model: ModuleType, _: str, network: Network) -> Shapes:
    """Run emitted torch code without values."""
    import torch

    names = [n for n, thing in vars(model).items() if isinstance(thing, type)]
    class_ = next(n for n in reversed(names) if issubclass(getattr(model, n), torch.nn.Module))
    with torch.device("meta"), torch.no_grad():
        built = getattr(model, class_)().eval()
        height, width, channels = network.input.shape
        found = built.end_points(torch.zeros(1, channels, height, width))
    moved = {k: v.movedim(1, -1) if v.ndim == 4 else v for k, v in found.items()}
    return {k: tuple(v.shape[1:]) for k, v in moved.items()}


class Keras:
    """Runs emitted Keras code, with one model for all sizes that have the same code."""

    def __init__(self, *, compute: bool = False) -> None:
        self.compute = compute
        self.code = ""
        self.points: Any = None
        self.graphs: dict[str, Graph] = {}

    def __call__(self, model: ModuleType, code: str, network: Network) -> Shapes:
        import keras
        import tensorflow as tf

        shape = tuple(network.input.shape)
        if code not in self.graphs and code != self.code:
            keras.backend.clear_session()
            self.points, self.code = self.built(model, None), code
            if self.points and not self.compute:
                self.graphs[code] = Graph(self.points)
        if code in self.graphs and (inferred := self.graphs[code].shapes(shape)):
            return inferred
        points = self.points if code == self.code and self.points else self.built(model, shape)
        found = points(tf.zeros((1, *shape)), training=False)
        return {k: tuple(v.shape[1:]) for k, v in found.items()}

    @staticmethod
    def built(model: ModuleType, shape: tuple[int, ...] | None) -> Any:
        """Return what gives all end points; None where a weight depends on the image's size."""
        model.INPUT_SHAPE = shape or (None, None, model.INPUT_SHAPE[2])
        try:
            return model.end_points(model.build())
        except ValueError:
            if shape:
                raise
            return None


class Graph:
    """A traced graph without its weights, whose shapes TensorFlow infers for any image."""

    def __init__(self, points: Any) -> None:
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import (
            convert_variables_to_constants_v2,
        )

        image = tf.TensorSpec((1, None, None, 3), tf.float32)
        traced = tf.function(lambda x: points(x, training=False)).get_concrete_function(image)
        frozen = convert_variables_to_constants_v2(traced)
        self.names = tf.nest.flatten({k: k for k in traced.structured_outputs})
        self.input, self.outputs = frozen.inputs[0].op.name, [o.name for o in frozen.outputs]
        self.definition = frozen.graph.as_graph_def()
        for node in self.definition.node:  # only the shapes of weights matter
            if node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum:
                node.op = "Placeholder"
                node.attr["shape"].shape.CopyFrom(node.attr["value"].tensor.tensor_shape)
                del node.attr["value"]

    def shapes(self, image: tuple[int, ...]) -> Shapes | None:
        """Return the shapes of all end points; None where one depends on values."""
        import tensorflow as tf

        with tf.Graph().as_default():
            x = tf.compat.v1.placeholder(tf.float32, (1, *image))
            found = tf.graph_util.import_graph_def(
                self.definition, {self.input: x}, return_elements=self.outputs, name=""
            )
        if not all(tensor.shape.is_fully_defined() for tensor in found):
            return None
        pairs = zip(self.names, found, strict=True)
        return {name: tuple(tensor.shape[1:]) for name, tensor in pairs}


RUNS: Mapping[str, Callable[[bool], Run]] = {
    "torch": lambda _: run_torch,
    "tensorflow": lambda compute: Keras(compute=compute),
}


def sizeless(code: str) -> str:
    """Return emitted code without comments, docstrings and the size of its input."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:]
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INPUT_SHAPE":
            node.value = ast.Constant(None)
    return ast.unparse(tree)


def compare(
    name: str, framework: str, sizes: Sizes, folder: Path, *, compute: bool = False
) -> tuple[int, list[str]]:
    """Build and run a spec at its sizes; return how many end points there were, and differences."""
    run, points, wrong = RUNS[framework](compute), 0, []
    for size, network in networks(name, shipped()[name], sizes):
        own = folder / f"{framework}_{name}_{size}"
        own.mkdir()
        code = emit(network, backend(framework))["model.py"]
        (own / "model.py").write_text(code, "utf-8")
        module = load(own)
        static = {point.name: tuple(point.node.output.shape) for point in network.end_points}
        real = run(module, sizeless(code).replace(network.name, name), network)
        del sys.modules[module.__name__]
        points += len(static)
        for point in sorted({*static, *real}):
            if static.get(point) != real.get(point):
                told = f"{static.get(point)} in archc, {real.get(point)} in {framework}"
                wrong.append(f"{name} at {size}x{size}: {point} is {told}")
    return points, wrong


def main(arguments: list[str] | None = None) -> int:
    """Compare; the exit code is 1 where a shape differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", choices=RUNS, action="append", help="else all of them")
    parser.add_argument("--spec", choices=shipped(), action="append", help="else all of them")
    parser.add_argument("--largest", type=int, default=LARGEST)
    parser.add_argument("--sample", type=int, help="run so many, the smallest among them")
    parser.add_argument("--compute", action="store_true", help="let TensorFlow compute values")
    given = parser.parse_args(arguments)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    total, count, wrong = 0, 0, []
    for framework in given.backend or RUNS:
        for name in given.spec or sorted(shipped()):
            path, chance = shipped()[name], random.Random(f"{name} {framework}")
            if given.sample is None:
                sizes = legal_sizes(path, range(1, given.largest + 1))
            else:
                sizes = sample(path, given.largest, given.sample, chance)
            with tempfile.TemporaryDirectory(prefix="archc-") as folder:
                points, found = compare(name, framework, sizes, Path(folder), compute=given.compute)
            tried = len(sizes.training) + len(sizes.evaluation)
            print(*found, sep="\n", end="\n" if found else "")
            print(f"{framework} {name}: {tried} sizes, {points:,} shapes", flush=True)
            total, count, wrong = total + points, count + tried, wrong + found
    print(f"{count:,} builds, {total:,} shapes, {len(wrong)} differ")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
