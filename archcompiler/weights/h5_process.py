"""The process that reads a file of Keras: `FILE SAFETENSORS`, wanted names on the lines of a third.

What is wrong with the file goes to stdout as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from archcompiler.errors import ArchcError
from archcompiler.weights import keras_file, safetensors_file


def main() -> None:
    """Do what the command line says."""
    file, between, names = map(Path, sys.argv[1:])
    wanted = frozenset(names.read_text("utf-8").split("\n"))
    try:
        tensors = keras_file.read_here(file, wanted)
    except ArchcError as error:
        print(json.dumps([[d.code, d.message, d.hint] for d in error.diagnostics]))
        sys.exit(keras_file.FILE_IS_WRONG)
    safetensors_file.write(between, tensors, {})


if __name__ == "__main__":
    main()
