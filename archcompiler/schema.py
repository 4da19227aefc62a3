"""The language as JSON Schema (draft-07), for editors: built from the ops, as validation is.

A layer is a chain of `if` it has this op's key `then` these keys `else` the next op, so that an
editor offers what belongs to the op that is written, and every op where none is yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archcompiler import fields, names
from archcompiler.json_text import json_text
from archcompiler.op import Op, attributes
from archcompiler.ops import BY_KEY, OPS
from archcompiler.ops.unit import NORMS, NormField
from archcompiler.validate import CONTENT, REQUIRED, VERBS

Schema = dict[str, Any]

TYPES: dict[str, Any] = {
    "count": fields.Count,
    "flag": fields.Flag,
    "number": fields.Number,
    "numbers": fields.Numbers,
    "positive": fields.Positive,
    "not_negative": fields.NotNegative,
    "share": fields.Share,
    "size": fields.SizeField,
    "kernel": fields.KernelField,
    "shape": fields.ShapeField,
    "padding": fields.PaddingField,
    "activation": fields.ActivationField,
    "init": fields.InitField,
    "width": fields.WidthField,
    "norm": NormField,
}
"""The types of attributes by their name in the schema; one without a name is spelt out."""


def text() -> str:
    """Return the schema as `schema/archc.schema.json` holds it."""
    return json_text(schema())


def schema() -> Schema:
    """Return the schema of a spec."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "description": "A convolutional network for archc",
        **_closed(
            {
                "archc": {"description": "The version of the language", "const": 1},
                "name": _about(_NAME, "The network's name"),
                "summary": _about(_WORD, "What the network is, in a sentence"),
                "input": _about(
                    fields.says(fields.MapField).schema, "Height x width x channels of an image"
                ),
                "output": _about(_WORD, "The head that evaluation returns"),
                "params": _about(
                    _named(names.SCHEMA_PATTERN, _or_null("param")),
                    "Values that expressions read and the command line sets",
                ),
                "defaults": _about(
                    {"$ref": "#/definitions/defaults_over"}, str(_DEFAULTS["description"])
                ),
                "blocks": _about(
                    _named(names.SCHEMA_PATTERN, _or_null("template")),
                    "Templates of layers, with parameters",
                ),
                "stem": _about(_SECTION, "The first layers"),
                "body": _about(_SECTION, "The layers between stem and heads"),
                "heads": _about(
                    _named(names.SCHEMA_PATTERN, _or_null("head"), least=1),
                    "The network's outputs, each on top of the body or of the layer it names",
                ),
                "extends": _about(
                    _WORD, "The spec to start from: a shipped one's name, or a path to a .yaml"
                ),
                "patch": _PATCHES,
            },
            required=[*REQUIRED_OF_ALL],
        ),
        "if": {"type": "object", "required": ["extends"]},
        "else": {
            "required": [key for key in REQUIRED if key not in REQUIRED_OF_ALL],
            "properties": {
                **{key: _PRESENT for key in ("params", "blocks", "heads")},
                "defaults": {"$ref": "#/definitions/defaults"},
            },
        },
        "definitions": _definitions(),
    }


def _about(schema: Mapping[str, Any], description: str) -> Schema:
    """Describe a schema; draft-07 ignores what stands beside a `$ref`."""
    if "$ref" in schema:
        return {"description": description, "allOf": [schema]}
    return {"description": description, **schema}


def _closed(properties: Mapping[str, Schema], required: list[str] | None = None) -> Schema:
    """Return an object of these keys and the user's own."""
    return {
        "type": "object",
        "properties": dict(properties),
        **({"required": required} if required else {}),
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }


def _named(pattern: str, value: Schema, least: int = 0) -> Schema:
    """Return a mapping from names; an empty one may be null."""
    return {
        "type": "object" if least else ["object", "null"],
        **({"minProperties": least} if least else {}),
        "patternProperties": {"^x-": {}, pattern: value},
        "additionalProperties": False,
    }


_WORD: Schema = {"type": "string"}
_NAME: Schema = {"type": "string", "pattern": names.SCHEMA_PATTERN}
_EXPRESSION: Schema = {"type": "string", "pattern": "^\\$"}
_ANY = "^[^$]"
_DEFAULTS: Schema = {
    "description": "Attributes of the layers in this scope, by op",
    "allOf": [{"$ref": "#/definitions/defaults"}],
}
_SECTION: Schema = {"allOf": [{"$ref": "#/definitions/section"}]}

REQUIRED_OF_ALL = ("archc", "name")
"""What a spec says even where it extends another."""
_PRESENT: Schema = {"patternProperties": {names.SCHEMA_PATTERN: {"not": {"type": "null"}}}}


def _or_null(definition: str) -> Schema:
    """Let null, which removes what a base has, stand for a definition."""
    return {"if": {"type": "null"}, "else": {"$ref": f"#/definitions/{definition}"}}


_PATCHES: Schema = {
    "description": "Changes, in order, each one verb with a path",
    "type": ["array", "null"],
    "items": {"$ref": "#/definitions/patch"},
}
_VERBS = {
    "set": "The layer whose attributes change; null takes one back to its default",
    "replace": "The layer, branch or head that something takes the place of",
    "remove": "The layer, branch or head to leave out",
    "before": "The layer that something is put in front of",
    "after": "The layer that something is put behind",
}
_COMMON: dict[str, Schema] = {
    "name": _about(_NAME, "What paths, references and weights call the layer"),
    "from": {
        "description": "What the layer reads instead of the one before it: a name, `input`, a list",
        "anyOf": [_WORD, {"type": "array", "items": _WORD, "minItems": 1}],
    },
    "expect": {
        "description": "The shape that the output must have",
        "allOf": [{"$ref": "#/definitions/shape"}],
    },
    "end_point": {"description": "Whether the output is an end point", "type": "boolean"},
    "repeat": {
        "description": "How often, one after the other: a number, or the repetitions' names",
        "anyOf": [
            {"$ref": "#/definitions/count"},
            {"type": "array", "items": _NAME, "minItems": 1},
        ],
    },
    "defaults": _DEFAULTS,
}
_HEAD: dict[str, Schema] = {
    "training_only": {"description": "Only training computes the head", "type": "boolean"},
    "loss_weight": {
        "description": "A training-only head's share in the loss",
        "type": "number",
        "minimum": 0,
    },
}
# What has its name from its branch or head.
_KEYED: Schema = {
    "if": {"type": "object"},
    "then": {"not": {"anyOf": [{"required": ["name"]}, {"required": ["repeat"]}]}},
}
_TRAINING: Schema = {
    "if": {
        "type": "object",
        "required": ["training_only"],
        "properties": {"training_only": {"const": True}},
    },
    "then": {"required": ["loss_weight"]},
    "else": {"if": {"type": "object"}, "then": {"not": {"required": ["loss_weight"]}}},
}
_CONTAINERS: dict[str, dict[str, Schema]] = {
    "layers": {
        "layers": {
            "description": "Layers one after the other",
            "allOf": [{"$ref": "#/definitions/layers"}],
        }
    },
    "branches": {
        "branches": {
            "description": "Layers side by side, joined; each branch a list or one layer",
            **_named(names.SCHEMA_PATTERN, {"$ref": "#/definitions/branch"}, least=1),
        },
        "join": {"description": "How branches are joined: concat", "enum": ["concat", "add"]},
        "split": {
            "description": "The channels that enter each branch, which add up to those there are",
            **_named(names.SCHEMA_PATTERN, {"$ref": "#/definitions/count"}, least=1),
        },
    },
    "block": {
        "block": _about(_WORD, "The block to use"),
        "with": {
            "description": "The block's parameters",
            **_named(_ANY, {"$ref": "#/definitions/argument"}),
        },
    },
}


def _definitions() -> Schema:
    return {
        **{name: _type(annotation) for name, annotation in TYPES.items()},
        **{f"{op.key}_defaults": _closed(_op_keys(op, by_key=True)) for op in OPS},
        **{f"key_{op.key}": _main(op) for op in OPS},
        **{f"key_{key}": value for key, value in _COMMON.items()},
        **{f"key_{key}": value for keys in _CONTAINERS.values() for key, value in keys.items()},
        "param": {"type": ["boolean", "number", "string"], "not": _EXPRESSION},
        "argument": {"type": ["boolean", "number", "string", "null"]},
        "defaults": {
            **_closed({op.key: {"$ref": f"#/definitions/{op.key}_defaults"} for op in OPS}),
            "type": ["object", "null"],
        },
        "defaults_over": {
            **_closed({op.key: _or_null(f"{op.key}_defaults") for op in OPS}),
            "type": ["object", "null"],
        },
        "layers": {
            "if": {"type": "array"},
            "then": {"items": {"$ref": "#/definitions/layer"}},
            "else": {"$ref": "#/definitions/layer"},
        },
        "layer": _layer(_refs(_COMMON)),
        "branch": {
            "if": {"type": "array"},
            "then": {"items": {"$ref": "#/definitions/layer"}},
            "else": {"allOf": [{"$ref": "#/definitions/layer"}, _KEYED]},
        },
        "head": {
            "if": {"type": "array"},
            "then": {"items": {"$ref": "#/definitions/layer"}},
            "else": {"allOf": [_layer(_refs(_COMMON) | _HEAD), _KEYED, _TRAINING]},
        },
        "section": {
            "if": {"type": "object", "required": ["layers"]},
            "then": _closed({**_CONTAINERS["layers"], "defaults": _DEFAULTS}),
            "else": {"$ref": "#/definitions/layers"},
        },
        "template": _template(),
        "patch": _patch(),
    }


def _type(annotation: Any) -> Schema:
    """Return what a spec may write for a type: its values, an expression, or null to unset."""
    says = fields.says(annotation)
    kinds = _norms() if annotation == NormField else _kinds(_opened(says.schema))
    return {"description": says.sentence, "anyOf": [*kinds, _EXPRESSION, {"type": "null"}]}


def _kinds(schema: Schema) -> list[Any]:
    return list(schema["oneOf"]) if schema.keys() == {"oneOf"} else [schema]


def _opened(schema: Mapping[str, Any]) -> Schema:
    """Let expressions stand for the values inside of lists and mappings."""
    opened = dict(schema)
    if "oneOf" in opened:
        opened["oneOf"] = [_opened(one) for one in opened["oneOf"]]
    if "items" in opened:
        opened["items"] = {"anyOf": [opened["items"], _EXPRESSION]}
    if "properties" in opened:
        opened["properties"] = {
            key: {"anyOf": [value, _EXPRESSION]} for key, value in opened["properties"].items()
        }
    return opened


def _norms() -> list[Schema]:
    return [
        {"enum": [*NORMS, "none"]},
        {
            "type": "object",
            "properties": {key: {"$ref": f"#/definitions/{key}_defaults"} for key in NORMS},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        },
    ]


def _op_keys(op: type[Op], *, by_key: bool) -> dict[str, Schema]:
    """Return an op's attributes as a spec writes them, the main one under the op's key."""
    found: dict[str, Schema] = {}
    for name, annotation in attributes(op).items():
        known = next((n for n, t in TYPES.items() if t == annotation), None)
        key = op.key if name == op.main else name
        found[key] = {"$ref": f"#/definitions/{known}"} if known else _type(annotation)
    if not by_key:
        found.pop(op.key, None)
        found = {op.key: {"$ref": f"#/definitions/key_{op.key}"}} | found
    return found


def _main(op: type[Op]) -> Schema:
    """Return what may stand behind an op's key, with what the op is."""
    summary = (op.__doc__ or "").split("\n\n")[0].replace("\n    ", " ").strip()
    keys = _op_keys(op, by_key=True)
    return _about(keys[op.key] if op.main else {"type": "null"}, summary)


def _refs(keys: Mapping[str, Schema]) -> dict[str, Schema]:
    return {key: {"$ref": f"#/definitions/key_{key}"} for key in keys}


def _layer(common: Mapping[str, Schema]) -> Schema:
    """Return the schema of one layer: a bare word, or a mapping with exactly one op."""
    kinds: dict[str, dict[str, Schema]] = {op.key: _op_keys(op, by_key=False) for op in OPS}
    kinds |= {key: _refs(keys) for key, keys in _CONTAINERS.items()}
    heads = {key: keys[key] for key, keys in kinds.items()}
    # Where no op is written yet: offer all of them. Nothing that comes here is a layer.
    chain: Schema = {
        "type": "object",
        "properties": heads,
        "minProperties": 1,
        "additionalProperties": False,
    }
    for key, keys in reversed(kinds.items()):
        chain = {
            "if": {"type": "object", "required": [key]},
            "then": _closed({**keys, **common}),
            "else": chain,
        }
    return {"if": {"type": "string"}, "then": {"enum": [*BY_KEY]}, "else": chain}


def _patch() -> Schema:
    """Return the schema of a patch; what `set` may set depends on what it addresses."""
    path = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*)*$"}
    verbs = {verb: _about(path, what) for verb, what in _VERBS.items()}
    chain: Schema = {
        "type": "object",
        "properties": verbs,
        "minProperties": 1,
        "additionalProperties": False,
    }
    for verb in reversed(VERBS):
        own, needed = {verb: verbs[verb]}, [verb]
        if verb in CONTENT:
            own[CONTENT[verb]] = _about({"$ref": "#/definitions/layers"}, "Layers, or one layer")
            needed.append(CONTENT[verb])
        rest: Schema = _closed(own, required=needed)
        if verb == "set":
            rest = {
                "properties": own,
                "minProperties": 2,
                "not": {"anyOf": [{"required": [other]} for other in VERBS if other != "set"]},
            }
        chain = {
            "if": {"type": "object", "required": [verb]},
            "then": rest,
            "else": chain,
        }
    return chain


def _template() -> Schema:
    params = _named(names.SCHEMA_PATTERN, {"$ref": "#/definitions/argument"})
    own = {"params": _about(params, "Parameters; null where each use must say it")}
    own["defaults"] = _DEFAULTS
    return {
        "if": {"type": "object", "required": ["branches"]},
        "then": _closed({**own, **_CONTAINERS["branches"]}),
        "else": _closed({**own, **_CONTAINERS["layers"]}, required=["layers"]),
    }
