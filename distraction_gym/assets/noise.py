"""Fields of 1/f noise: the power spectrum of natural pictures falls with the frequency squared.

Source of the statistic: Field, "Relations between the statistics of natural images and the
response properties of cortical cells", 1987.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]

_BAND = 128
"""Highest frequency drawn, in cycles per field: twice this many pixels show every one of them."""


class Noise:
    """A periodic random field, the same whatever the size that it is drawn at.

    Args:
        rng: Draws the phases.
        exponent: Amplitude falls as frequency to the minus this; 1 is natural.
    """

    def __init__(self, rng: np.random.Generator, exponent: float = 1.0) -> None:
        shape = (2 * _BAND, _BAND + 1)
        phases = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        down = np.fft.fftfreq(2 * _BAND, 1 / (2 * _BAND))[:, None]
        across = np.arange(_BAND + 1)[None]
        frequency = np.hypot(down, across)
        frequency[0, 0] = np.inf  # no mean
        amplitude = frequency**-exponent
        # Each frequency off the first column stands for its mirror image as well.
        power = 4 * (amplitude[:, 1:] ** 2).sum() + 2 * (amplitude[:, 0] ** 2).sum()
        self._spectrum = phases * amplitude / np.sqrt(power)

    def draw(self, size: int) -> Field:
        """Return the field as `(size, size)` float32, mean 0, standard deviation about 1."""
        keep = min(size // 2, _BAND)
        rows = np.r_[0:keep, 2 * _BAND - keep : 2 * _BAND]
        spectrum = np.zeros((2 * keep, keep + 1), complex)
        spectrum[:] = self._spectrum[rows, : keep + 1]
        spectrum[keep] = 0  # the highest row and column have no mirror image of their own
        spectrum[:, keep] = 0
        field = np.fft.irfft2(spectrum, (2 * keep, 2 * keep), norm="forward").astype(np.float32)
        return np.asarray(cv2.resize(field, (size, size)), np.float32)
