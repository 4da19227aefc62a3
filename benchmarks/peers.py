"""The speed of emitted code: Inception V3 against the one that the framework's users know.

    python benchmarks/peers.py [--pairs 20] [--batch-size 8] [--backend torch|tensorflow]

torch: against `torchvision.models.inception_v3`, in evaluation under `torch.inference_mode`.
tensorflow: against `keras.applications.InceptionV3`, each in one `tf.function`, training=False.
Both compute the logits of one batch in float32 in this process, in alternating pairs. Their
weights are He-scaled, so that no activation vanishes or explodes.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from pairs import count, environment, measure, medians, ratio

from archcompiler.backend import backend
from archcompiler.build import emit
from archcompiler.compiler import compile_file

SPEC = Path(__file__).parents[1] / "specs" / "inception_v3.yaml"
WARM_UP = 3

Step = Callable[[], object]


def emitted(framework: str) -> ModuleType:
    """Emit the spec for a framework and import the result."""
    files = emit(compile_file(SPEC).network, backend(framework))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.py").write_text(files["model.py"], encoding="utf-8")
        sys.path.insert(0, folder)
        try:
            return importlib.import_module("model")
        finally:
            sys.path.remove(folder)


def torch_steps(batch_size: int) -> tuple[Step, Step, str, str]:
    """Return one forward of ours, one of torchvision's, its name, the environment."""
    import torch

    # Compiled operators for detection, which fail to load beside another build of torch; no
    # classification model has one.
    sys.modules["torchvision._meta_registrations"] = ModuleType("torchvision._meta_registrations")
    from torchvision.models import inception_v3

    images = torch.randn(batch_size, 3, 299, 299)
    peer = inception_v3(weights=None, aux_logits=True, init_weights=False)

    def step(model: torch.nn.Module) -> Step:
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.kaiming_normal_(parameter)
        model.eval()

        def run() -> None:
            with torch.inference_mode():
                model(images)

        return run

    versions = environment(f"torch {torch.__version__}", f"{torch.get_num_threads()} threads")
    ours = emitted("torch").InceptionV3()
    return step(ours), step(peer), "torchvision.models.inception_v3", versions


def tensorflow_steps(batch_size: int) -> tuple[Step, Step, str, str]:
    """Return one forward of ours, one of Keras's, its name, the environment."""
    import keras
    import tensorflow as tf

    images = tf.random.normal((batch_size, 299, 299, 3))
    peer = keras.applications.InceptionV3(weights=None, classifier_activation=None)

    def step(model: keras.Model) -> Step:
        for variable in model.trainable_variables:
            if len(variable.shape) > 1:
                variable.assign(keras.initializers.HeNormal()(variable.shape))

        signature = [tf.TensorSpec(images.shape, images.dtype)]
        forward = tf.function(lambda x: model(x, training=False), input_signature=signature)
        return lambda: forward(images).numpy()  # to read the result is to wait for it

    versions = environment(f"TensorFlow {tf.__version__}", f"Keras {keras.__version__}")
    module = emitted("tensorflow")
    ours = module.inference(module.build())
    return step(ours), step(peer), "keras.applications.InceptionV3", versions


STEPS = {"torch": torch_steps, "tensorflow": tensorflow_steps}


def seconds(step: Step) -> Callable[[], float]:
    """Return a function that runs the step and gives its seconds, after warming it up."""
    for _ in range(WARM_UP):
        step()

    def run() -> float:
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    return run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=count, default=20)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--backend", choices=STEPS, default="torch")
    args = parser.parse_args()
    ours, theirs, peer, versions = STEPS[args.backend](args.batch_size)
    found = measure(seconds(ours), seconds(theirs), args.pairs)
    first, second = medians(found)
    print(f"archc's inception_v3 over {peer}, batch {args.batch_size}: {ratio(found)}")
    print(f"medians {first:.3f} s and {second:.3f} s")
    print(versions)


if __name__ == "__main__":
    main()
