"""Pictures side by side, and mp4 files that browsers play."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
import numpy.typing as npt

from distraction_gym.typing import Frame

# VP9 first: OpenCV's wheels carry no H.264 encoder, and no browser plays MPEG-4 part 2 (mp4v),
# which is what remains on a build without libvpx.
CODECS = ("vp09", "avc1", "mp4v")
_PAPER, _INK = 250, 30
_GAP = 8
_LINE = 22


class Mp4Writer:
    """Write RGB frames `(H, W, 3)` uint8, all of one even size, to an mp4 file.

    The file appears under its name when it is complete: on `close`, or at the end of a `with`
    block that raised nothing.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(f".{self.path.stem}.{os.getpid()}.partial.mp4")
        self._fps = fps
        self._writer: cv2.VideoWriter | None = None

    def write(self, frame: Frame) -> None:
        """Add one frame.

        Raises:
            OSError: if no encoder can write there.
        """
        if self._writer is None:
            self._writer = self._open(frame.shape[1], frame.shape[0])
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            for codec in CODECS:
                fourcc = cv2.VideoWriter.fourcc(*codec)
                size = (width, height)
                writer = cv2.VideoWriter(
                    str(self._partial), cv2.CAP_FFMPEG, fourcc, self._fps, size
                )
                if writer.isOpened():
                    return writer
        finally:
            cv2.utils.logging.setLogLevel(before)
        raise OSError(f"OpenCV cannot write {self.path}: tried the codecs {', '.join(CODECS)}")

    def close(self) -> None:
        """Finish the file; without frames there is none. A second call does nothing."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            os.replace(self._partial, self.path)

    def discard(self) -> None:
        """Throw away what was written."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def enlarge(picture: npt.NDArray, size: int) -> Frame:
    """Return a picture, about `size` pixels high where it was smaller, pixels kept square.

    Args:
        picture: `(H, W, 3)` uint8, or a matte `(H, W)`, booleans or weights in [0, 1], drawn grey.
        size: Height to come near, in pixels; the factor is a whole number (nearest neighbour).
    """
    if picture.ndim == 2:
        grey = np.rint(255.0 * picture.astype(np.float32)).astype(np.uint8)
        picture = np.repeat(grey[..., None], 3, axis=2)
    factor = max(1, round(size / picture.shape[0]))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def side_by_side(pictures: Mapping[str, npt.NDArray], caption: str = "", size: int = 192) -> Frame:
    """Return titled panels in a row over a caption, `(H, W, 3)` uint8, H and W even.

    Args:
        pictures: Title -> picture or matte (see `enlarge`), all of one height.
        caption: A line under the panels.
        size: Height of a panel in pixels, about.
    """
    panels = [_titled(title, enlarge(picture, size)) for title, picture in pictures.items()]
    gap = np.full((panels[0].shape[0], _GAP, 3), _PAPER, np.uint8)
    row = np.hstack([part for panel in panels for part in (gap, panel)] + [gap])
    page = np.vstack([row, np.full((_LINE + 4, row.shape[1], 3), _PAPER, np.uint8)])
    _text(page, caption, (_GAP, page.shape[0] - 8))
    # Codecs that halve the colour planes need even sizes.
    odd = [(0, side % 2) for side in page.shape[:2]]
    return np.pad(page, [*odd, (0, 0)], constant_values=_PAPER)


def _titled(title: str, picture: Frame) -> Frame:
    head = np.full((_LINE, picture.shape[1], 3), _PAPER, np.uint8)
    _text(head, title, (1, _LINE - 7))
    return np.vstack([head, picture])


def _text(image: Frame, text: str, place: tuple[int, int]) -> None:
    ink = (_INK, _INK, _INK)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, ink, 1, cv2.LINE_AA)
