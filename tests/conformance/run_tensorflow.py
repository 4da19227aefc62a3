"""Runs emitted Keras code: `run_tensorflow.py JOB`, with the job as `harness.py` lays it out."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from runner import load, main, weighings


def prepare(case: Any, dtype: str) -> None:
    """Import the model and build it with the case's weights."""
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    case.model = load(case.folder)
    case.network = case.model.build()
    case.fresh = {v.path: v.numpy() for v in case.network.weights}
    variables = {v.path: v for v in case.network.weights}
    assert variables.keys() == case.weights.keys(), variables.keys() ^ case.weights.keys()
    for path, values in case.weights.items():
        variables[path].assign(values)
    case.x = tf.constant(case.images)
    # Only `chance` depends on chance.
    dropouts = [x for x in case.network.layers if isinstance(x, keras.layers.Dropout)]
    case.rates = {layer: layer.rate for layer in dropouts}
    for layer in dropouts:
        layer.rate = 0.0


def points(case: Any) -> dict[str, Any]:
    """Compute every end point."""
    return dict(case.model.end_points(case.network)(case.x, training=False))


def nodes(case: Any) -> dict[str, Any]:
    """Return what every layer gives, by its name, but of layers that give several."""
    layers = {layer.name: layer.output for layer in case.network.layers}
    single = {name: given for name, given in layers.items() if not isinstance(given, list | tuple)}
    found = keras.Model(case.network.inputs, single)(case.x, training=False)
    return dict(found)


def facts(case: Any) -> dict[str, Any]:
    """Return every tensor's shape, and counts."""
    found: dict[str, Any] = {f"shape {v.path}": [*v.shape] for v in case.network.weights}
    found["params"] = case.network.count_params()
    found["trainable"] = sum(int(np.prod(v.shape)) for v in case.network.trainable_weights)
    return found


def output(case: Any) -> None:
    """Hold the output against its end point, and the model's against both."""
    given = case.model.inference(case.network)(case.x, training=False)
    found = case.model.end_points(case.network)(case.x, training=False)
    whole = case.network(case.x, training=False)
    np.testing.assert_array_equal(given, found[case.output])
    for name in case.heads:
        np.testing.assert_array_equal(whole[name], found[name])


def gradients(case: Any) -> dict[str, Any]:
    """Return the output in evaluation, and gradients of its weighed sum."""
    return differentiated(case, training=False)


def training(case: Any) -> dict[str, Any]:
    """Return the same in training, and the moved statistics."""
    before = [v.numpy() for v in case.network.weights]
    found = differentiated(case, training=True)
    moved = {v.path: v.numpy() for v in case.network.weights}
    for variable, values in zip(case.network.weights, before, strict=True):
        variable.assign(values)
    return found | {k: moved[k] for k in case.statistics}


def point_gradients(case: Any) -> dict[str, Any]:
    """Return gradients of the weighed sum of each end point, in evaluation."""
    view = case.model.end_points(case.network)
    variables = view.trainable_variables
    named = {"input": case.x, **{v.path: v for v in variables}}
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(case.x)
        given = view(case.x, training=False)
        totals = {k: tf.reduce_sum(given[k] * w) for k, w in weighings(case).items()}
    found = {}
    for point, total in totals.items():
        known = zip(named, tape.gradient(total, [*named.values()]), strict=True)
        found |= {f"{point}:{k}": g for k, g in known if g is not None}
    return found


def differentiated(case: Any, *, training: bool) -> dict[str, Any]:
    network = case.model.inference(case.network)
    variables = network.trainable_variables
    with tf.GradientTape() as tape:
        tape.watch(case.x)
        given = network(case.x, training=training)
        total = tf.reduce_sum(given * case.weighing)
    first, *others = tape.gradient(total, [case.x, *variables])
    named = {v.path: g for v, g in zip(variables, others, strict=True)}
    return {"output": given, "input": first, **named}


def chance(case: Any) -> dict[str, Any]:
    """Return the output in training, dropout included."""
    for layer, rate in case.rates.items():
        layer.rate = rate
    return {"output": case.network(case.x, training=True)[case.output]}


def step(case: Any) -> dict[str, Any]:
    """Train once: gradients are finite; return the loss and what decay adds to it."""
    return _step(case, lambda train: train)


def graph_step(case: Any) -> dict[str, Any]:
    """Train once in a graph, whose tracing takes its time."""
    return _step(case, tf.function)


def _step(case: Any, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> dict[str, Any]:
    network = case.network
    before = [v.numpy() for v in network.weights]
    labels = tf.range(len(case.images)) % case.units
    optimizer = keras.optimizers.SGD(1e-3)
    variables = network.trainable_variables
    optimizer.build(variables)

    @wrap
    def train(x: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            outputs = network(x, training=True)
            if case.has_loss:
                total = case.model.loss(outputs, labels)
            else:
                total = sum(tf.reduce_mean(t**2) for t in outputs.values())
        found = tape.gradient(total, variables)
        known = [(g, v) for g, v in zip(found, variables, strict=True) if g is not None]
        optimizer.apply([g for g, _ in known], [v for _, v in known])
        return total, {v.path: g for g, v in known}

    decay = [float(term) for term in network.losses]
    total, found = train(case.x)
    for variable, values in zip(network.weights, before, strict=True):
        variable.assign(values)
    assert np.isfinite(total.numpy())
    if case.has_loss:
        assert {*found} == {*case.trained}, {*found} ^ {*case.trained}
    assert all(np.isfinite(g.numpy()).all() for g in found.values())
    return {"loss": total, "decay": np.sum(decay)}


def init(case: Any) -> dict[str, Any]:
    """Return the weights as they were drawn."""
    return case.fresh


def traces(case: Any) -> None:
    """Trace once for all batches."""
    count = 0

    @tf.function(input_signature=[tf.TensorSpec([None, *case.images.shape[1:]], case.dtype)])
    def forward(x: tf.Tensor) -> Any:
        nonlocal count
        count += 1
        return case.model.inference(case.network)(x, training=False)

    forward(case.x[:1])
    given = forward(case.x)
    assert count == 1
    wanted = case.model.inference(case.network)(case.x, training=False)
    np.testing.assert_allclose(given, wanted, rtol=1e-4, atol=1e-5)


def keras_file(case: Any) -> None:
    """Save and load as one file."""
    path = case.folder / "saved.keras"
    case.network.save(path)
    again = keras.models.load_model(path)
    wanted = case.network(case.x, training=False)
    given = again(case.x, training=False)
    assert given.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(given[name], wanted[name])


def saved_model(case: Any) -> None:
    """Export as a SavedModel and load."""
    path = str(case.folder / "saved_model")
    view = case.model.end_points(case.network)
    view.export(path, verbose=False)
    again = tf.saved_model.load(path)
    given = again.serve(case.x)

    # Traced as the export is, for the graph optimizer rewrites what has a fixed batch.
    @tf.function(input_signature=[tf.TensorSpec([None, *case.images.shape[1:]], case.dtype)])
    def forward(x: tf.Tensor) -> Any:
        return view(x, training=False)

    wanted = forward(case.x)
    assert given.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(given[name], wanted[name])


CHECKS = (
    points, nodes, facts, output, gradients, point_gradients, training, chance, step, init,
    graph_step, traces, keras_file, saved_model,
)  # fmt: skip

if __name__ == "__main__":
    gc.freeze()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    main(prepare, {check.__name__: check for check in CHECKS})
