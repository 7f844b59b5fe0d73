"""Faster arithmetic for convolutions, by choice: memory layout, bfloat16, compiled code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from distraction_gym.errors import MissingExtra
from distraction_gym.registry import unknown

PRECISIONS = ("float32", "bfloat16")
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune")


class Convolutions(nn.Sequential):
    """Layers in a row, convolutions among them, that may compute in bfloat16.

    What goes in and comes out keeps its type; what lies between, and its gradients, are rounded.
    """

    low_precision = False

    def forward(self, pictures: Tensor) -> Tensor:
        """Apply the layers to float pictures `(B, C, H, W)`."""
        with torch.autocast(pictures.device.type, torch.bfloat16, enabled=self.low_precision):
            features: Tensor = super().forward(pictures)  # type: ignore[no-untyped-call]
        return features.to(pictures.dtype)


class AccelerationMixin:
    """Options of an agent that make its convolutions faster; put it before SB3's class.

    None is needed, and none changes what a model file holds but for the option itself.

    Args:
        *args: As the algorithm.
        precision: `"float32"`, or `"bfloat16"` inside convolutions: about twice as fast where the
            processor has it, at 8 bits of mantissa. Projections, Q values and losses stay float32.
        compile_mode: A mode of `torch.compile` for them: `"default"`, `"reduce-overhead"` (CUDA
            graphs) or `"max-autotune"`; None compiles nothing. Copies of a model are not compiled.
        channels_last: Memory layout of all convolutions. On a CPU it spares oneDNN to reorder each
            layer's pictures, a tenth of the papers' trunk: None for there, and only there.
        **kwargs: As the algorithm.

    Raises:
        UnknownName: for a precision or mode that does not exist.
        MissingExtra: if code is to be compiled for a CPU and there is no C++ compiler.
    """

    def __init__(
        self,
        *args: Any,
        precision: str = "float32",
        compile_mode: str | None = None,
        channels_last: bool | None = None,
        **kwargs: Any,
    ) -> None:
        if precision not in PRECISIONS:
            raise unknown("precision", precision, PRECISIONS)
        if compile_mode is not None and compile_mode not in COMPILE_MODES:
            raise unknown("compile mode", compile_mode, COMPILE_MODES)
        self.precision, self.compile_mode = precision, compile_mode
        self.channels_last = channels_last
        super().__init__(*args, **kwargs)

    def _accelerate(self, networks: Iterable[nn.Module], device: torch.device) -> None:
        """Apply the options to networks, in place; their parameters stay the same objects."""
        if self.compile_mode is not None and device.type == "cpu":
            _check_compiler()
        last = device.type == "cpu" if self.channels_last is None else self.channels_last
        layout = torch.channels_last if last else torch.contiguous_format
        for network in networks:
            network.to(memory_format=layout)  # type: ignore[call-overload]
            for module in network.modules():
                if isinstance(module, Convolutions):
                    module.low_precision = self.precision == "bfloat16"
                    if self.compile_mode is not None:
                        module.compile(mode=self.compile_mode)


def _check_compiler() -> None:
    found = [os.environ.get("CXX", "g++"), "clang++"]
    if not any(shutil.which(name) for name in found):
        raise MissingExtra(
            f"compile_mode needs a C++ compiler, and neither {' nor '.join(found)} is in PATH. "
            "Leave compile_mode out, or type:  apt install g++   (or set CXX)"
        )
