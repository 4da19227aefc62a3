"""HDF5 with care: no links out of the file, no objects, no sizes that the file does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from archcompiler.errors import ArchcError, Diagnostic
from archcompiler.weights.libraries import library
from archcompiler.weights.problems import broken

if TYPE_CHECKING:
    from archcompiler.emitted import Array

MOST_COMPRESSED = 1100
"""What deflate can do at best is 1032 to 1: a dataset that claims more is made to fill memory."""


@contextmanager
def opened(path: Path, content: BinaryIO | None = None) -> Iterator[H5]:
    """Open a file, or the bytes of one. Raises E901 for what is damaged or no HDF5, now or later.

    HDF5 raises many kinds of errors over a damaged file, so all of its own become that one.
    """
    h5py = library("h5py", "this file is read with it")
    try:
        with h5py.File(content or path, "r") as file:
            yield H5(path, file, h5py)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError):
        raise broken(path, "the file is cut off, damaged, or no HDF5") from None


class H5:
    """An open file, and what is safe to do with it."""

    def __init__(self, path: Path, file: Any, h5py: Any) -> None:
        self.path, self.file, self.h5py = path, file, h5py

    def child(self, group: Any, name: str) -> Any:
        """Return what is behind a name, or None; only hard links lead anywhere."""
        for part in [p for p in name.split("/") if p]:
            if not isinstance(group, self.h5py.Group):
                return None
            link = group.get(part, getlink=True)
            if link is None:
                return None
            if not isinstance(link, self.h5py.HardLink):
                raise broken(self.path, f"`{part}` is a link, which archc does not follow")
            group = group[part]
        return group

    def array(self, dataset: Any, name: str) -> Array | None:
        """Read a dataset of numbers, float16 and bfloat16 as float32; None for what is no dataset.

        Raises E905 for objects and texts, E901 for data outside the file.
        """
        if not isinstance(dataset, self.h5py.Dataset):
            return None
        if dataset.external or dataset.is_virtual:
            raise broken(self.path, f"the values of `{name}` are in another file")
        if dataset.dtype.kind not in "fiubV" or dataset.dtype.hasobject:
            raise wrong_kind(name, str(dataset.dtype))
        if dataset.nbytes > MOST_COMPRESSED * dataset.id.get_storage_size():
            raise broken(self.path, f"`{name}` claims more values than the file has")
        value = dataset[()]
        if "dtype" in dataset.attrs and str(dataset.attrs["dtype"]) == "bfloat16":
            return (value.view("<u2").astype("<u4") << 16).view("<f4")  # type: ignore[no-any-return]
        if dataset.dtype.kind == "V":
            raise wrong_kind(name, str(dataset.dtype))
        return value.astype("float32") if dataset.dtype.itemsize == 2 else value  # type: ignore[no-any-return]


def wrong_kind(name: str, dtype: str) -> ArchcError:
    """Return E905 for a dataset that holds no numbers."""
    return ArchcError(Diagnostic(code="E905", message=f"`{name}` is {dtype}, no numbers"))
