"""Keras's files: .weights.h5 and .keras of Keras 3, and the .h5 that came before.

A tensor is called `LAYER/WEIGHT` here, whatever the file. Keras 3 numbers layers by class in the
order of their depth, and a layer's tensors from 0; the layer's own name is an attribute, or in the
config of a .keras. Older files name both. Files are read in a process of their own: over some that
are damaged HDF5 goes round for ever, and nothing can interrupt it.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from archcompiler.errors import USAGE_OR_ENVIRONMENT, ArchcError, Diagnostic
from archcompiler.weights import safetensors_file
from archcompiler.weights.child import last_line, run, time_limit
from archcompiler.weights.files import regular, write_whole
from archcompiler.weights.h5 import H5, MOST_COMPRESSED, opened
from archcompiler.weights.libraries import library, need
from archcompiler.weights.problems import broken

if TYPE_CHECKING:
    from archcompiler.emitted import Array

SECONDS = 60.0
"""How long reading may take, beside the time for the file's size."""

FILE_IS_WRONG = 3
"""The exit code of the reading process where the file is at fault."""

MEMBER = "model.weights.h5"
MAX_CONFIG = 64 * 2**20
MAX_WEIGHTS = 64 * 2**30
STATISTICS = ("moving_mean", "moving_variance")
ORDER = (
    "kernel", "depthwise_kernel", "pointwise_kernel", "bias", "gamma", "beta", *STATISTICS,
)  # fmt: skip
"""A layer's tensors in the order in which Keras keeps them."""


def read(path: Path, names: frozenset[str] = frozenset()) -> dict[str, Array]:
    """Read every layer's tensors. Raises E101, E901 for a damaged file, E905 for no numbers.

    `names` are those that somebody wants: they tell a norm without gamma from one without beta.
    """
    size = regular(path)
    need("h5py", "this file is read with it")
    with tempfile.TemporaryDirectory(prefix="archc-") as folder:
        between, wanted = Path(folder, "tensors.safetensors"), Path(folder, "names")
        wanted.write_text("\n".join(sorted(names)), "utf-8")
        words = map(str, (path, between, wanted))
        try:
            done = run("h5_process", *words, seconds=time_limit(SECONDS, size))
        except subprocess.TimeoutExpired:
            raise broken(path, "the file is damaged: to read it takes no end") from None
        if done.returncode == FILE_IS_WRONG:
            said = json.loads(done.stdout)
            raise ArchcError(*(Diagnostic(code=c, message=m, hint=h) for c, m, h in said))
        if done.returncode:
            raise broken(path, "the file is cut off or damaged", last_line(done))
        return safetensors_file.read(between)


def read_here(path: Path, names: frozenset[str]) -> dict[str, Array]:
    """Do so in this process, which HDF5 may hang over a damaged file."""
    if not zipfile.is_zipfile(path):
        with opened(path) as h5:
            return _read(h5, names, {})
    content, layers = _unpacked(path)
    with opened(path, content) as h5:
        return _read(h5, names, layers)


def _unpacked(path: Path) -> tuple[BinaryIO, dict[str, str]]:
    """Return the weights of a .keras, and each container's layer as its config has them."""
    try:
        with zipfile.ZipFile(path) as archive:
            text = _member(path, archive, "config.json", MAX_CONFIG)
            weights = _member(path, archive, MEMBER, MAX_WEIGHTS)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError):
        raise broken(path, "the file is cut off or damaged") from None
    try:
        layers = json.loads(text)["config"]["layers"]
        pairs = [(str(one["class_name"]), str(one["config"]["name"])) for one in layers]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise broken(path, "its config.json is not that of a model of layers") from None
    counts: dict[str, int] = {}
    found = {}
    for kind, name in pairs:
        word = snake_case(kind)
        found[_numbered(word, counts.get(word, 0))] = name
        counts[word] = counts.get(word, 0) + 1
    return io.BytesIO(weights), found


def _member(path: Path, archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Read one member, which may not be larger than it says or than `most`."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise broken(path, f"it has no {name}, so it is no model of Keras") from None
    if info.file_size > min(most, MOST_COMPRESSED * info.compress_size + 1):
        raise broken(path, f"its {name} claims {info.file_size:,} bytes")
    with archive.open(info) as member:
        data = member.read(info.file_size + 1)
    if len(data) != info.file_size:
        raise broken(path, f"its {name} is not as large as it says")
    return data


def _read(h5: H5, names: frozenset[str], layers: Mapping[str, str]) -> dict[str, Array]:
    for place in ("layers", "_layer_checkpoint_dependencies"):
        root = h5.child(h5.file, place)
        if root is not None:
            return _read_new(h5, root, names, layers)
    for root in (h5.file, h5.child(h5.file, "model_weights")):
        if root is not None and {"layer_names", "layer_names0"} & set(root.attrs):
            return _read_legacy(h5, root)
    raise broken(h5.path, "it holds no weights that Keras wrote")


def _read_new(
    h5: H5, root: Any, names: frozenset[str], layers: Mapping[str, str]
) -> dict[str, Array]:
    found = {}
    for container in root:
        variables = h5.child(root, f"{container}/vars")
        if not isinstance(variables, h5.h5py.Group) or not len(variables):
            continue
        said = variables.attrs.get("name", layers.get(container))
        if said is None:
            raise broken(
                h5.path,
                "it does not say what its layers are called, as old versions of Keras 3 did not",
                "save the model as .keras, which does",
            )
        layer = str(said)
        words = _words(container, layer, len(variables), names)
        for number, word in enumerate(words):
            name = f"{layer}/{word}"
            value = h5.array(h5.child(variables, str(number)), name)
            if value is not None:
                found[name] = value
    return found


def _words(container: str, layer: str, count: int, names: frozenset[str]) -> tuple[str, ...]:
    """Return what the tensors of one layer are, of which the file has only the number."""
    kind = re.sub(r"_\d+$", "", container)
    if kind == "batch_normalization":
        shift = "gamma" if f"{layer}/gamma" in names and f"{layer}/beta" not in names else "beta"
        affine = {2: (), 3: (shift,), 4: ("gamma", "beta")}.get(count)
        if affine is not None:
            return (*affine, *STATISTICS)
    elif kind == "separable_conv2d" and count in (2, 3):
        return ("depthwise_kernel", "pointwise_kernel", "bias")[:count]
    elif kind == "layer_normalization" and count == 2:
        return ("gamma", "beta")
    elif kind in ("layer_normalization", "layer_scale") and count == 1:
        return ("beta",) if f"{layer}/beta" in names else ("gamma",)
    elif count <= 2:
        return ("kernel", "bias")[:count]
    return tuple(map(str, range(count)))


def _read_legacy(h5: H5, root: Any) -> dict[str, Array]:
    found = {}
    for layer in _listed(root, "layer_names"):
        group = h5.child(root, layer)
        for path in _listed(group, "weight_names") if group is not None else ():
            name = f"{layer}/{path.rpartition('/')[2].partition(':')[0]}"
            value = h5.array(h5.child(group, path), name)
            if value is not None:
                found[name] = value
    return found


def _listed(group: Any, attribute: str) -> list[str]:
    """Read a list of names, which Keras splits into numbered attributes where it is long."""
    values = [*group.attrs.get(attribute, ())]
    number = 0
    while f"{attribute}{number}" in group.attrs:
        values += [*group.attrs[f"{attribute}{number}"]]
        number += 1
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values]


def snake_case(name: str) -> str:
    """Return a class's name as Keras writes it in files: `BatchNormalization` with underscores."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _numbered(word: str, number: int) -> str:
    return f"{word}_{number}" if number else word


def write(path: Path, tensors: Mapping[str, Array], depth_order: tuple[str, ...] = ()) -> None:
    """Write a .weights.h5 of Keras 3 whose layers lie in `depth_order`. Raises E603, E915."""
    h5py = library("h5py", "this file is written with it")
    layers = _by_layer(path, tensors)
    ranks = {name: rank for rank, name in enumerate(depth_order)}
    counts: dict[str, int] = {}
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("vars")
        file.create_group("layers")
        for layer in sorted(layers, key=lambda name: ranks.get(name, len(ranks))):
            words = layers[layer]
            kind = _class_of(layer, tensors)
            container = _numbered(kind, counts.get(kind, 0))
            counts[kind] = counts.get(kind, 0) + 1
            variables = file.create_group(f"layers/{container}/vars")
            variables.attrs["name"] = layer
            for number, word in enumerate(words):
                variables.create_dataset(str(number), data=tensors[f"{layer}/{word}"])
    write_whole(path, content.getvalue())


def write_legacy(
    path: Path, tensors: Mapping[str, Array], depth_order: tuple[str, ...] = ()
) -> None:
    """Write an .h5 that `load_weights(path, by_name=True)` takes. Raises E603, E915."""
    h5py = library("h5py", "this file is written with it")
    layers = _by_layer(path, tensors)
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        _write_list(file, "layer_names", list(layers))
        for layer, words in layers.items():
            group = file.create_group(layer)
            paths = [f"{layer}/{word}" for word in words]
            _write_list(group, "weight_names", paths)
            for name in paths:
                group.create_dataset(name, data=tensors[name])
    write_whole(path, content.getvalue())


def _write_list(group: Any, attribute: str, names: list[str]) -> None:
    """Write a list of names; one too long for an attribute is split, as Keras does."""
    data = [name.encode("utf-8") for name in names]
    size = max((len(name) for name in data), default=1)
    share = max(1, 60_000 // size)
    if len(data) <= share:
        group.attrs[attribute] = data
        return
    for number, start in enumerate(range(0, len(data), share)):
        group.attrs[f"{attribute}{number}"] = data[start : start + share]


def _by_layer(path: Path, tensors: Mapping[str, Array]) -> dict[str, list[str]]:
    """Sort tensors by layer, each layer's in Keras's order. Raises E915 for other names."""
    layers: dict[str, list[str]] = {}
    for name in tensors:
        layer, _, word = name.rpartition("/")
        if not layer or word not in ORDER:
            raise ArchcError(
                Diagnostic(
                    code="E915",
                    message=f"`{name}` is no tensor of Keras, so {path.name} cannot have it",
                    hint="write a .safetensors, which takes any name",
                ),
                exit_code=USAGE_OR_ENVIRONMENT,
            )
        layers.setdefault(layer, []).append(word)
    for words in layers.values():
        words.sort(key=ORDER.index)
    return layers


def _class_of(layer: str, tensors: Mapping[str, Array]) -> str:
    """Return the class of a layer as Keras writes it, told by the tensors that it has."""
    if f"{layer}/moving_mean" in tensors:
        return "batch_normalization"
    if f"{layer}/depthwise_kernel" in tensors:
        return "separable_conv2d"
    if not {f"{layer}/gamma", f"{layer}/beta"}.isdisjoint(tensors):
        return "layer_normalization"
    kernel = tensors.get(f"{layer}/kernel")
    return "dense" if kernel is not None and kernel.ndim == 2 else "conv2d"


def renumbered(tensors: Mapping[str, Array], classes: Iterable[str]) -> dict[str, Array]:
    """Count Keras's automatic names from 0: `conv2d`, `conv2d_1` or `conv2d_94`, `conv2d_95`."""
    layers = dict.fromkeys(name.rpartition("/")[0] for name in tensors)
    new: dict[str, str] = {}
    for word in classes:
        numbered = re.compile(rf"{re.escape(word)}(?:_(\d+))?")
        found = [(int(m[1] or 0), layer) for layer in layers if (m := numbered.fullmatch(layer))]
        new |= {layer: f"{word}_{number}" for number, (_, layer) in enumerate(sorted(found))}
    renamed = {}
    for name, value in tensors.items():
        layer, slash, word = name.rpartition("/")
        renamed[f"{new.get(layer, layer)}{slash}{word}"] = value
    return renamed


def first_name(name: str, classes: Iterable[str]) -> str:
    """Name the first of Keras's automatic names as a new session does: `conv2d_0` is `conv2d`."""
    layer, slash, word = name.rpartition("/")
    for known in classes:
        if layer == f"{known}_0":
            layer = known
    return f"{layer}{slash}{word}"
