"""What may stand where in `architecture.json`: types alone, strict, nothing unknown.

A layer's model is picked by its `op`, so that an error names the place and no alternative.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archcompiler.ir import Argument, Fork, Group, Instance
from archcompiler.ir_json import FORMAT, failure


class Model(BaseModel):
    """Base of the models below."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class TotalsModel(Model):
    """Counts."""

    params: int
    trainable: int
    macs: int


class GraphModel(Model):
    """Layers between one input and one output."""

    name: str = ""
    input: str
    output: str
    layers: list[dict[str, Any]]


class WeightModel(Model):
    """One tensor of a layer."""

    part: str
    name: str
    shape: str
    trainable: bool = True
    init: Any
    decay: float = 0.0


class NodeModel(Model):
    """What every layer has."""

    name: str
    path: str
    op: str
    named: bool = True
    inputs: Annotated[list[str], Field(min_length=1)]
    output: str
    expressions: dict[str, str] = Field(default_factory=dict)
    position: str


class OpModel(NodeModel):
    """A layer that is an op."""

    attributes: dict[str, Any]
    unscaled: dict[str, int | list[int]] = Field(default_factory=dict)
    weights: list[WeightModel] = Field(default_factory=list)
    macs: int
    follows_size: bool = False


class GroupModel(NodeModel):
    """Layers one after the other."""

    graphs: Annotated[list[GraphModel], Field(min_length=1, max_length=1)]


class InstanceModel(GroupModel):
    """A use of a block."""

    template: str
    arguments: dict[str, Argument]
    patched: list[str] = Field(default_factory=list)


class ForkModel(NodeModel):
    """Branches side by side."""

    join: str
    split: list[Annotated[int, Field(ge=1)]] | None = None
    graphs: Annotated[list[GraphModel], Field(min_length=2)]


class HeadModel(Model):
    """A head and its layer."""

    name: str
    training_only: bool
    loss_weight: Annotated[float, Field(ge=0)] | None = None
    layer: dict[str, Any]


class DocumentModel(Model):
    """The whole file."""

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)]
    archc: str
    name: str
    summary: str
    source: str
    shipped: bool = False
    changes: list[str] = Field(default_factory=list)
    extends: list[str] = Field(default_factory=list)
    params: dict[str, Argument]
    free_params: list[str]
    input: str
    output: str
    totals: TotalsModel
    inference: TotalsModel
    end_points: dict[str, str]
    stem: GraphModel
    body: GraphModel
    heads: Annotated[list[HeadModel], Field(min_length=1)]


CONTAINERS: dict[str, type[NodeModel]] = {
    Group.key: GroupModel,
    Fork.key: ForkModel,
    Instance.key: InstanceModel,
}

M = TypeVar("M", bound=Model)


def checked(model: type[M], data: object, at: str) -> M:
    """Validate `data`, which stands at the place `at`. Raises E113 with the first mistake."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]]
        message = first["msg"][:1].lower() + first["msg"][1:]
        raise failure((at + "".join(steps)).removeprefix("."), message) from None
