"""Reads the IR from the plain data of `architecture.json`.

Builds every layer from what was decided (op, attributes, inputs) and lets the op say what follows;
`ir_json.from_json` compares that with what the file says.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from archcompiler import expression, fields, names
from archcompiler.errors import WrongValue
from archcompiler.expression import ExpressionError
from archcompiler.fields import Shape
from archcompiler.infer import JOINS
from archcompiler.ir import (
    Argument,
    Container,
    EndPoint,
    Fork,
    Graph,
    Group,
    Head,
    Instance,
    Network,
    Node,
    Value,
)
from archcompiler.ir_json import compare, failure, own_document
from archcompiler.ir_models import (
    CONTAINERS,
    DocumentModel,
    ForkModel,
    GraphModel,
    HeadModel,
    InstanceModel,
    NodeModel,
    OpModel,
    checked,
)
from archcompiler.op import Op, ShapeError, plain_attributes
from archcompiler.ops import BY_KEY
from archcompiler.ops.unit import NormField
from archcompiler.position import Position, Source

MAX_DEPTH = 64


def read(data: object) -> Network:
    """Build the network. Raises E113 with the first thing that is impossible."""
    return _Reader().network(checked(DocumentModel, data, ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a layer stands: in the file, among the paths, and what it may read."""

    at: str
    prefix: str = ""
    single: str = ""
    """The path that a branch's only layer may have instead: that of the branch."""
    frames: tuple[dict[str, Value], ...]
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    channels: int
    """What `in_channels` means: what enters the nearest block, head or section."""


@dataclass(slots=True)
class _Reader:
    params: Mapping[str, Argument] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    sources: dict[str, Source] = field(default_factory=dict)

    def network(self, found: DocumentModel) -> Network:
        _expect(names.problem(found.name), "name")
        for name in found.params:
            _expect(names.parameter_problem(name), f"params.{name}")
        for number, name in enumerate(found.free_params):
            if name not in found.params:
                raise failure(f"free_params[{number}]", f"`{name}` is no parameter")
        self.params = found.params
        image = Value("input", self.input(found.input))
        frame = {image.name: image}
        stem = self.section(found.stem, "stem", image, frame)
        body = self.section(found.body, "body", stem.output, frame)
        heads = []
        for number, head in enumerate(found.heads):
            heads.append(self.head(head, f"heads[{number}]", frame))
            frame[head.name] = heads[-1].node.output
        if found.output not in [h.name for h in heads if not h.training_only]:
            raise failure("output", f"`{found.output}` is no head that evaluation computes")
        return Network(
            name=found.name,
            summary=found.summary,
            source=found.source,
            shipped=found.shipped,
            changes=tuple(found.changes),
            lineage=tuple(found.extends),
            params=found.params,
            free_params=tuple(found.free_params),
            stem=stem,
            body=body,
            heads=tuple(heads),
            output=found.output,
            end_points=tuple(self.end_points(found.end_points)),
        )

    def input(self, text: str) -> Shape:
        try:
            return cast(Shape, fields.check(fields.MapField, text))
        except WrongValue as error:
            raise failure("input", str(error)) from None

    def section(
        self, found: GraphModel, name: str, enters: Value, frame: dict[str, Value]
    ) -> Graph:
        place = _Place(at=name, frames=(frame,), channels=enters.channels)
        graph = self.graph(found, name, enters, place)
        frame |= {node.path: node.output for node in graph.nodes}
        return graph

    def head(self, found: HeadModel, at: str, frame: dict[str, Value]) -> Head:
        if found.training_only != (found.loss_weight is not None):
            raise failure(f"{at}.loss_weight", "a training-only head has one, and no other head")
        model = _model(found.layer, f"{at}.layer")
        enters = frame.get(model.inputs[0])
        place = _Place(at=f"{at}.layer", frames=(frame,), channels=enters.channels if enters else 0)
        node = self.node(found.layer, place)
        if node.path != found.name or not node.named:
            raise failure(f"{at}.layer.path", f"expected `{found.name}`, the head's name")
        return Head(
            name=found.name,
            node=node,
            training_only=found.training_only,
            loss_weight=found.loss_weight,
        )

    def end_points(self, found: Mapping[str, str]) -> Iterator[EndPoint]:
        for name, path in found.items():
            node = self.nodes.get(path)
            if node is None or not node.named:
                raise failure(f"end_points.{name}", f"`{path}` is no named layer")
            if name not in (node.name, node.path):
                raise failure(f"end_points.{name}", f"expected `{node.name}` or `{node.path}`")
            yield EndPoint(name=name, node=node)

    def graph(self, found: GraphModel, name: str, enters: Value, place: _Place) -> Graph:
        """Read layers in order; each sees those before it, and what its graph may see."""
        if len(place.frames) > MAX_DEPTH + 1:
            raise failure(place.at, f"containers nested deeper than {MAX_DEPTH} levels")
        own = {enters.name: enters}
        nodes = []
        for number, data in enumerate(found.layers):
            at = f"{place.at}.layers[{number}]"
            here = dataclasses.replace(place, at=at, frames=(own, *place.frames))
            nodes.append(self.node(data, here))
            own[nodes[-1].path] = nodes[-1].output
        if found.output not in own:
            raise failure(f"{place.at}.output", f"`{found.output}` is no value of this graph")
        return Graph(name=name, input=enters, nodes=tuple(nodes), output=own[found.output])

    # Layers

    def node(self, data: Mapping[str, Any], place: _Place) -> Node:
        found = _model(data, place.at)
        self.path(found, place)
        inputs = tuple(
            self.value(name, f"{place.at}.inputs[{number}]", place)
            for number, name in enumerate(found.inputs)
        )
        several = found.op in BY_KEY and BY_KEY[found.op].several_inputs
        if (len(inputs) > 1) != several:
            raise failure(
                f"{place.at}.inputs", f"`{found.op}` reads {'several' if several else 'one'}"
            )
        try:
            if isinstance(found, OpModel):
                node = self.op(found, inputs, place)
            else:
                node = self.container(found, inputs[0], place)
        except ShapeError as error:
            raise failure(place.at, error.message) from None
        own = {key: value for key, value in data.items() if key != "graphs"}
        compare(own, own_document(node), place.at)  # the first cause, before what follows from it
        self.nodes[node.path] = node
        return node

    def path(self, found: NodeModel, place: _Place) -> None:
        shown = re.fullmatch(names.IDENTIFIER, found.name) or "this cannot be a name"
        problem = names.problem(found.name) if found.named else shown
        _expect(problem if isinstance(problem, str) else None, f"{place.at}.name")
        expected = _join(place.prefix, found.name)
        if found.path != expected and not (found.path == place.single and found.named):
            raise failure(f"{place.at}.path", f"expected `{expected}`")
        self.register(found.path, f"{place.at}.path")

    def register(self, path: str, at: str) -> None:
        if path.lower() in self.paths:
            raise failure(at, f"`{path}` is the path of another layer, ignoring case")
        self.paths.add(path.lower())

    def value(self, name: str, at: str, place: _Place) -> Value:
        for frame in place.frames:
            if name in frame:
                return frame[name]
        raise failure(at, f"no earlier layer that can be seen from here gives `{name}`")

    def op(self, found: OpModel, inputs: tuple[Value, ...], place: _Place) -> Node:
        op = self.plain(BY_KEY[found.op], found.attributes, f"{place.at}.attributes")
        shapes = tuple(v.shape for v in inputs)
        if op.follows_size(shapes, {}) and not found.follows_size:
            raise failure(f"{place.at}.follows_size", "this layer follows the size of its input")
        output = op.infer(shapes)
        weights = op.weights(shapes)
        if weights and not found.named:
            raise failure(f"{place.at}.named", "a layer with weights has a name")
        unscaled = {k: tuple(v) if isinstance(v, list) else v for k, v in found.unscaled.items()}
        for key, text in found.expressions.items():
            self.expression(op, key, text, unscaled.get(key), place)
        if not found.unscaled.keys() <= {op.main} & found.expressions.keys():
            raise failure(f"{place.at}.unscaled", "only a main number from an expression is scaled")
        return Node(
            name=found.name,
            path=found.path,
            op=op,
            inputs=inputs,
            output=Value(found.path, output),
            position=self.position(found.position, place),
            named=found.named,
            expressions=found.expressions,
            unscaled=unscaled,
            weights=weights,
            macs=op.macs(shapes, output),
            follows_size=found.follows_size,
        )

    def plain(self, op: type[Op], given: Mapping[str, Any], at: str) -> Op:
        types = plain_attributes(op)
        for name in (*given, *types):
            if name not in given or name not in types:
                problem = "is missing" if name in types else f"{op.key} has no such attribute"
                raise failure(f"{at}.{name}", problem)
        found = {}
        for name, value in given.items():
            try:
                found[name] = fields.check(types[name], value)
            except WrongValue as error:
                raise failure(f"{at}.{name}", str(error)) from None
        return op(**found)

    def expression(self, op: Op, key: str, text: str, unscaled: object, place: _Place) -> None:
        at = f"{place.at}.expressions.{key}"
        if key not in plain_attributes(type(op)):
            raise failure(at, f"{op.key} has no such attribute")
        given = self.evaluated(text, at, place)
        annotation, value = plain_attributes(type(op))[key], getattr(op, key)
        if unscaled is not None:
            value = cast(Any, unscaled)
        if annotation is NormField:
            same = given == (value.key if value else "none")
        else:
            whole = isinstance(given, float) and given.is_integer() and annotation is fields.Count
            try:
                same = fields.check(annotation, int(given) if whole else given) == value
            except WrongValue:
                same = False
        if not same:
            raise failure(at, f"`${text}` is {fields.plain(given)}, the attribute is not")

    def evaluated(self, text: str, at: str, place: _Place) -> Argument:
        known = {"in_channels": place.channels, **self.params, **place.arguments}
        try:
            parsed = expression.parse(text, Position(Source("architecture.json"), 1, 1))
            for name in parsed.names:
                if name not in known:
                    raise ExpressionError(f"`{name}` is no parameter here")
            return expression.evaluate(parsed, known.__getitem__)
        except ExpressionError as error:
            raise failure(at, str(error)) from None

    def position(self, text: str, place: _Place) -> Position:
        found = re.fullmatch(r"(.*):([1-9][0-9]{0,8}):([1-9][0-9]{0,8})", text, re.DOTALL)
        if not found:
            raise failure(f"{place.at}.position", "expected FILE:LINE:COLUMN")
        name, line, column = found.groups()
        source = self.sources.setdefault(name, Source(name))
        return Position(source, int(line), int(column))

    # Containers

    def container(self, found: NodeModel, enters: Value, place: _Place) -> Node:
        op: Container = Group()
        if isinstance(found, ForkModel):
            op, graphs, shape = self.fork(found, enters, place)
        else:
            inside = self.inside(found, place)
            if isinstance(found, InstanceModel):
                op = self.instance(found, place)
                inside = dataclasses.replace(
                    inside, frames=(), arguments=op.arguments, channels=enters.channels
                )
            port = Value(f"{found.path}:input", enters.shape)
            inside = dataclasses.replace(inside, at=f"{place.at}.graphs[0]")
            graphs = (self.graph(cast(Any, found).graphs[0], "", port, inside),)
            shape = graphs[0].output.shape
        if found.expressions and not isinstance(found, ForkModel | InstanceModel):
            raise failure(f"{place.at}.expressions", "a group has no expressions")
        return Node(
            name=found.name,
            path=found.path,
            op=op,
            inputs=(enters,),
            output=Value(found.path, shape),
            position=self.position(found.position, place),
            named=found.named,
            graphs=graphs,
            expressions=found.expressions,
        )

    def inside(self, found: NodeModel, place: _Place) -> _Place:
        prefix = found.path if found.named else place.prefix
        return dataclasses.replace(place, prefix=prefix, single="")

    def instance(self, found: InstanceModel, place: _Place) -> Instance:
        _expect(names.problem(found.template), f"{place.at}.template")
        if not found.named:
            raise failure(f"{place.at}.named", "a block's instance has a name")
        for name in found.arguments:
            _expect(names.parameter_problem(name), f"{place.at}.arguments.{name}")
        for number, path in enumerate(found.patched):
            for name in path.split("/") if path != "." else ():
                _expect(names.problem(name), f"{place.at}.patched[{number}]")
        for name, text in found.expressions.items():
            at = f"{place.at}.expressions.{name}"
            given = self.evaluated(text, at, place)
            value = found.arguments.get(name)
            if type(given) is not type(value) or given != value:
                raise failure(at, f"`${text}` is {fields.plain(given)}, the argument is not")
        return Instance(found.template, found.arguments, tuple(found.patched))

    def fork(
        self, found: ForkModel, enters: Value, place: _Place
    ) -> tuple[Fork, tuple[Graph, ...], Shape]:
        if found.join not in JOINS:
            raise failure(f"{place.at}.join", "expected `concat` or `add`")
        shares = found.split or [enters.channels] * len(found.graphs)
        if found.split and (len(shares) != len(found.graphs) or sum(shares) != enters.channels):
            raise failure(
                f"{place.at}.split", f"expected the branches' shares of {enters.channels}"
            )
        given = {g.name: n for g, n in zip(found.graphs, found.split or (), strict=False)}
        for name, text in found.expressions.items():
            at = f"{place.at}.expressions.{name}"
            value = self.evaluated(text, at, place)
            if type(value) is not int or value != given.get(name):
                raise failure(at, f"`${text}` is not the share of a branch")
        inside = self.inside(found, place)
        graphs = []
        for number, (graph, share) in enumerate(zip(found.graphs, shares, strict=True)):
            at = f"{place.at}.graphs[{number}]"
            _expect(names.problem(graph.name), f"{at}.name")
            branch = _join(inside.prefix, graph.name)
            alone = len(graph.layers) == 1 and graph.layers[0].get("path") == branch
            if not alone:
                self.register(branch, f"{at}.name")
            here = dataclasses.replace(
                inside,
                at=at,
                prefix=branch if not alone else inside.prefix,
                single=branch if alone else "",
            )
            port = Value(f"{found.path}:{graph.name}", (*enters.shape[:-1], share))
            graphs.append(self.graph(graph, graph.name, port, here))
        join = cast(Literal["concat", "add"], found.join)
        shape = JOINS[join].infer(tuple(g.output.shape for g in graphs))
        return Fork(join, tuple(shares) if found.split else None), tuple(graphs), shape


def _model(data: Mapping[str, Any], at: str) -> NodeModel:
    key = data.get("op")
    if isinstance(key, str) and key in BY_KEY:
        return checked(OpModel, data, at)
    if isinstance(key, str) and key in CONTAINERS:
        return checked(CONTAINERS[key], data, at)
    raise failure(f"{at}.op", "expected the name of an op" if key else "an op is missing")


def _expect(problem: str | None, at: str) -> None:
    if problem:
        raise failure(at, problem)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name
