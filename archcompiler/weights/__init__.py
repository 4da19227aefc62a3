"""Weights of a network in one neutral file, and to and from the files of other libraries.

    from archcompiler.compiler import compile_file
    from archcompiler import weights

    network = compile_file(Path("specs/inception_v3.yaml")).network
    imported = weights.import_weights(Path("inception_v3.ckpt"), network, "slim")
    weights.write(Path("inception_v3.safetensors"), network, imported.tensors)

Importing this package imports no library; its functions need numpy, and what the file's kind needs.
"""

from archcompiler.weights.neutral import read, write
from archcompiler.weights.report import Report, Used
from archcompiler.weights.transfer import Imported, export_weights, import_weights

__all__ = ["Imported", "Report", "Used", "export_weights", "import_weights", "read", "write"]
