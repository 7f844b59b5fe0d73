"""Read arrays out of a pickle without trusting it.

`torch.save` and `pickle.dump` write lists and dictionaries of NumPy arrays as calls: "make an
array, then fill it". A pickle may name any function of any module; here four names are known, and
they stand for the small classes below instead of NumPy's own.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import Any

import numpy as np

_LEGACY_TORCH = 0x1950A86A20F9469CFC6C
"""The first of the pickles in a file of torch before 1.6; the fourth is the content."""
_FLOATS = ("f4", "f8")


class _Dtype:
    """Stands for `numpy.dtype`; floats only."""

    def __init__(self, code: str, *_: Any) -> None:
        if code not in _FLOATS:
            raise pickle.UnpicklingError(f"arrays of dtype {code!r} are not expected here")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for `numpy.ndarray`."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        self._fill(content, dtype, shape, "F" if fortran else "C")

    def _fill(self, content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str) -> None:
        flat = np.frombuffer(content, dtype.dtype).astype(np.float64)
        self.value = flat.reshape(shape, order="F" if order == "F" else "C")

    @classmethod
    def empty(cls, *_: Any) -> _Array:
        """Stand for `_reconstruct`, which makes an array to be filled."""
        return cls()

    @classmethod
    def from_buffer(
        cls, content: bytes, dtype: _Dtype, shape: tuple[int, ...], order: str
    ) -> _Array:
        """Stand for `_frombuffer`, which protocol 5 writes."""
        array = cls()
        array._fill(content, dtype, shape, order)
        return array


def _latin1(text: str, encoding: str) -> bytes:
    """Stand for `_codecs.encode`: how protocol 2 writes bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not expected here")
    return text.encode("latin1")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin1,
}
for _module in ("numpy.core", "numpy._core"):  # before and since NumPy 2
    _KNOWN[f"{_module}.multiarray", "_reconstruct"] = _Array.empty
    _KNOWN[f"{_module}.numeric", "_frombuffer"] = _Array.from_buffer


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no table needs")
        return _KNOWN[module, name]


def load_restricted(content: bytes) -> Any:
    """Read lists, dictionaries, numbers, strings and float arrays.

    Args:
        content: A file written by `torch.save` (old or new format) or `pickle.dump`.

    Returns:
        The content; every array as float64.

    Raises:
        pickle.UnpicklingError: if it asks for anything else. Damaged files raise other errors too.
    """
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            content = archive.read(name)
    file = io.BytesIO(content)
    loaded = _Unpickler(file).load()
    if loaded == _LEGACY_TORCH:
        for _ in range(3):  # torch's protocol, the writer's machine, the content
            loaded = _Unpickler(file).load()
    return _plain(loaded)


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
