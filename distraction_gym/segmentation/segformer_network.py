"""SegFormer as a network that says of each pixel whether it shows what matters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distraction_gym.errors import AssetsMissing, BrokenAsset, require
from distraction_gym.segmentation.fitting import Note, fit, silent
from distraction_gym.segmentation.samples import Samples

START = "nvidia/segformer-b0-finetuned-ade-512-512"
"""MiT-B0 trained on ADE20K. NVIDIA's licence, not for commercial use: nothing here downloads it."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class SegFormer(nn.Module):
    """A SegFormer of two classes: logits of the second against the first.

    Source: Xie et al. 2021; pictures are scaled and normalised as `SegformerImageProcessor` does.

    Args:
        model: `transformers.SegformerForSemanticSegmentation` with two labels.
        size: Height and width that pictures are scaled to.

    Attributes:
        about: What it was trained on and how well it did, in JSON types; kept in its folder.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Any, size: int = 512) -> None:
        super().__init__()
        self.model, self.size = model, size
        self.about: dict[str, Any] = {}
        for name, values in (("mean", _MEAN), ("std", _STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits `(B, size, size)` of float pictures `(B, 3, H, W)`, RGB, 0-255."""
        shown = _scaled(pictures / 255, self.size)
        logits = self.model(pixel_values=(shown - self.mean) / self.std).logits
        return _scaled(logits[:, 1:] - logits[:, :1], self.size)[:, 0]


def _scaled(planes: Tensor, size: int) -> Tensor:
    return F.interpolate(planes, (size, size), mode="bilinear")


def cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the cross-entropy of the two classes, at the resolution of the logits.

    Args:
        logits: `(B, H, W)`, of the second class against the first.
        truth: `(B, h, w)`, 0 or 1; scaled to the logits' size without a blend.
    """
    wanted = F.interpolate(truth[:, None], logits.shape[1:], mode="nearest")[:, 0]
    return F.binary_cross_entropy_with_logits(logits, wanted)


def pretrained(folder: Path, **kwargs: Any) -> Any:
    """Return the model of a folder, with two classes.

    Args:
        folder: What `save_pretrained` wrote, or a download of it.
        **kwargs: Of transformers' `from_pretrained`: `ignore_mismatched_sizes` makes a new head
            where the folder's has other classes.

    Raises:
        MissingExtra: without transformers.
        BrokenAsset: if there is none that transformers can read.
    """
    transformers = require("transformers", "segformer")
    with _quiet(transformers.utils.logging), torch.random.fork_rng():
        torch.manual_seed(0)  # of a new head
        try:
            return transformers.SegformerForSemanticSegmentation.from_pretrained(
                folder,
                num_labels=2,
                local_files_only=True,
                dtype=torch.float32,
                **kwargs,
            )
        except Exception as error:  # of many kinds, from OSError to safetensors' own
            raise BrokenAsset(
                f"transformers cannot read a SegFormer in {folder}: {error}"
            ) from error


def found(start: str) -> Path:
    """Return the folder of weights: a path, or a name in Hugging Face's cache on this machine.

    Raises:
        MissingExtra: without transformers.
        AssetsMissing: if they are not here.
    """
    require("transformers", "segformer")
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    folder = Path(start).expanduser()
    if folder.is_dir():
        return folder
    try:
        return Path(huggingface_hub.snapshot_download(start, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise AssetsMissing(
            f"no SegFormer {start!r}: no folder, and not in Hugging Face's cache. Nothing is "
            f"downloaded unasked. Type  hf download {START}  (NVIDIA's licence: not for commercial "
            "use), or name the folder of one:  --start FOLDER"
        ) from error


def train_segformer(
    samples: Samples,
    start: Path,
    *,
    size: int = 512,
    steps: int = 300,
    batch: int = 8,
    lr: float = 6e-5,
    images: str = "generated",
    seed: int = 0,
    device: str = "cpu",
    note: Note = silent,
) -> SegFormer:
    """Fine-tune a SegFormer on frames in disguise: cross-entropy, AdamW, a falling learning rate.

    Source: Xie et al. 2021 (AdamW at 6e-5, a linear decay). How SD fine-tunes its own is not
    published.

    Args:
        samples: Square frames with their labels, as small as they are.
        start: The folder of the model that it starts from.
        size: Height and width that the frames are scaled to, in disguise already.
        steps: Updates.
        batch: Frames per update.
        lr: The learning rate at first.
        images: What is laid behind the things (see `Disguise`).
        seed: Of the draws, the disguises and dropout.
        device: Where it is trained.
        note: Called with the step and the loss after every update.

    Returns:
        The network on the CPU, ready to predict.

    Raises:
        MissingExtra: without transformers.
        BrokenAsset: if transformers can read no model there.
    """
    network = SegFormer(pretrained(start, ignore_mismatched_sizes=True), size).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr)
    rates = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        fit(
            network,
            samples,
            cross_entropy,
            optimizer,
            rates,
            steps=steps,
            batch=batch,
            images=images,
            seed=seed,
            note=note,
        )
    return network.cpu().eval()


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Keep transformers' progress bars and its warning of a new head to itself."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
