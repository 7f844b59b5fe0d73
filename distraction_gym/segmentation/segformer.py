"""SegFormer, of the `transformers` package, that `distraction-gym train-segmenter` fine-tuned."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distraction_gym.assets.files import atomic_file
from distraction_gym.errors import AssetsMissing, BrokenAsset, require
from distraction_gym.segmentation.learned import LearnedSegmenter

if TYPE_CHECKING:
    from distraction_gym.segmentation.segformer_network import SegFormer

FORMAT = 1
"""Version of the folders' layout; a reader takes only its own."""
HEAD = "segmenter.json"
"""What we say of a network, beside transformers' `config.json` and `model.safetensors`."""


class SegFormerSegmenter(LearnedSegmenter):
    """What a SegFormer takes for foreground, in connected pieces, largest first.

    Frames are scaled up to the network's resolution; its probabilities are averaged over the area
    of each of the frame's pixels, and foreground is what reaches the threshold.

    Args:
        weights: A folder that `distraction-gym train-segmenter --model segformer` wrote.
        k: Most pieces per frame.
        threshold: Pixels from this probability on are foreground.
        device: As in torch; None: the CPU.
        batch: Most frames per pass of the network.

    Raises:
        MissingExtra: without transformers.
        AssetsMissing: if there is no such folder.
        BrokenAsset: for a folder that holds no such network.
        ValueError: for a threshold outside of (0, 1).
    """

    def __init__(
        self,
        weights: str | Path,
        k: int = 4,
        threshold: float = 0.5,
        device: str | None = None,
        batch: int = 8,
    ) -> None:
        super().__init__(k, weights, threshold, device, batch)

    def _load(self, weights: str | Path | None) -> Any:
        return load(Path(weights or "").expanduser())


def save(network: SegFormer, folder: Path) -> None:
    """Write a network as a folder: what we say of it comes last, and nothing is read without."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HEAD).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as part:
        network.model.save_pretrained(part)
        for file in Path(part).iterdir():
            file.replace(folder / file.name)  # one that is read from at the moment stays as it is
    head = {"format": FORMAT, "size": network.size, "about": network.about}
    with atomic_file(folder / HEAD) as out:
        out.write(json.dumps(head, indent=1).encode())


def load(folder: Path) -> SegFormer:
    """Read a network. Its files are data, JSON and safetensors: reading a stranger's runs no code.

    Raises:
        MissingExtra: without torch or transformers.
        AssetsMissing: if there is no such folder.
        BrokenAsset: for a folder that holds no such network.
    """
    require("torch", "agents")
    require("transformers", "segformer")
    from distraction_gym.segmentation.segformer_network import SegFormer, pretrained

    if not (folder / HEAD).is_file():
        raise AssetsMissing(
            f"no SegFormer in {folder} (no {HEAD}). Type  distraction-gym train-segmenter "
            f"--model segformer --examples 5 --env ID --out {folder}"
        )
    try:
        head = json.loads((folder / HEAD).read_text("utf-8"))
        if head["format"] != FORMAT:
            raise BrokenAsset(f"{folder} has format {head['format']}, expected {FORMAT}")
        network = SegFormer(pretrained(folder, use_safetensors=True), int(head["size"]))
        network.about = dict(head["about"])
    except (LookupError, TypeError, ValueError) as error:
        raise BrokenAsset(f"{folder / HEAD} is damaged: {error}") from error
    return network.eval()
