"""SegFormer through the real `transformers`, with a tiny one that is made here: no download."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from balls import pictures  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from distraction_gym.errors import AssetsMissing, BrokenAsset  # noqa: E402
from distraction_gym.segmentation import make_segmenter, segformer  # noqa: E402
from distraction_gym.segmentation import segformer_network as network_module  # noqa: E402
from distraction_gym.segmentation.segformer_network import (  # noqa: E402
    SegFormer,
    cross_entropy,
    found,
    pretrained,
    train_segformer,
)

SIZE = 64
TINY = {
    "num_encoder_blocks": 2,
    "depths": [1, 1],
    "sr_ratios": [2, 1],
    "hidden_sizes": [16, 32],
    "patch_sizes": [7, 3],
    "strides": [4, 2],
    "num_attention_heads": [1, 2],
    "mlp_ratios": [2, 2],
    "decoder_hidden_size": 32,
    "num_labels": 5,
}


class Noise:
    """A source of pictures that costs nothing."""

    def __init__(self, source, size, seed=0):
        self.size = size

    def sample(self, n, rng):
        return rng.integers(0, 256, (n, 3, *self.size), np.uint8)


@pytest.fixture(autouse=True)
def no_network_and_cheap_pictures(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"asked the network: {args} {kwargs}")

    for name in ("socket.getaddrinfo", "socket.create_connection", "socket.socket.connect"):
        monkeypatch.setattr(name, refuse)
    monkeypatch.setattr("distraction_gym.segmentation.disguise.pictures", Noise)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """The folder of a tiny SegFormer of five classes that knows nothing."""
    folder = tmp_path_factory.mktemp("segformer")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.SegformerConfig(**TINY)
        transformers.SegformerForSemanticSegmentation(config).save_pretrained(folder)
    return folder


@pytest.fixture
def saved(start, tmp_path):
    network = SegFormer(pretrained(start, ignore_mismatched_sizes=True), SIZE).eval()
    network.about = {"examples": 5}
    segformer.save(network, tmp_path / "mine")
    return network, tmp_path / "mine"


def test_it_learns_what_is_a_thing_from_five_frames(start, tmp_path):
    samples = pictures(30, 32, np.random.default_rng(0))
    shown = np.flatnonzero(samples.foreground.any((1, 2)))
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(1)
    network = train_segformer(
        samples.of(shown[:5]), start, size=SIZE, steps=120, batch=8, lr=2e-3, seed=1
    )
    torch.set_num_threads(threads)
    assert torch.equal(state, torch.get_rng_state())
    segformer.save(network, tmp_path / "balls")
    segmenter = make_segmenter("segformer", weights=str(tmp_path / "balls"))
    rest = samples.of(shown[5:])
    masks = segmenter.foreground(rest.frames)
    assert masks.shape == rest.foreground.shape and masks.dtype == np.bool_
    both, either = masks & rest.foreground, masks | rest.foreground
    assert both.sum() / either.sum() > 0.5


def test_cross_entropy_is_that_of_two_classes():
    rng = np.random.default_rng(0)
    two = torch.from_numpy(rng.normal(size=(3, 2, 6, 6)))
    truth = torch.from_numpy(rng.integers(0, 2, (3, 3, 3)))
    wanted = F.cross_entropy(two, truth.repeat_interleave(2, 1).repeat_interleave(2, 2))
    loss = cross_entropy(two[:, 1] - two[:, 0], truth.double())
    assert loss.item() == pytest.approx(wanted.item(), abs=1e-12)


def test_pictures_are_prepared_as_transformers_does_it(saved):
    network, _ = saved
    seen = {}
    network.model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.update(kwargs), with_kwargs=True
    )
    frame = pictures(1, SIZE, np.random.default_rng(3)).frames[0]
    logits = network(torch.from_numpy(frame.transpose(2, 0, 1))[None].float())
    assert logits.shape == (1, SIZE, SIZE)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    wanted = ((frame / 255 - mean) / std).transpose(2, 0, 1)
    np.testing.assert_allclose(seen["pixel_values"][0].numpy(), wanted, atol=1e-5)
    small = network(torch.zeros(2, 3, 20, 30))  # scaled up by itself
    assert small.shape == (2, SIZE, SIZE) and seen["pixel_values"].shape == (2, 3, SIZE, SIZE)


def test_a_folder_holds_the_same_network_and_no_code(saved):
    network, folder = saved
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "segmenter.json"}
    read = segformer.load(folder)
    shown = torch.rand(1, 3, SIZE, SIZE) * 255
    assert read.size == SIZE and not read.training and torch.equal(read(shown), network(shown))
    read.about = {"examples": 5, "steps": 1}
    segformer.save(read, folder)  # over itself
    assert torch.equal(segformer.load(folder)(shown), network(shown))
    assert {path.name for path in folder.iterdir()} == names
    assert make_segmenter("segformer", weights=folder).about == read.about


def test_loading_says_nothing_and_changes_nothing(start, capfd, caplog):
    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled(), torch.get_rng_state()
    pretrained(start, ignore_mismatched_sizes=True)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])
    assert capfd.readouterr() == ("", "") and not caplog.records


def test_weights_that_are_absent_are_named_with_what_to_type(tmp_path, start):
    assert found(str(start)) == start
    for name in (network_module.START, str(tmp_path / "none")):
        with pytest.raises(AssetsMissing, match=f"hf download {network_module.START}"):
            found(name)
    with pytest.raises(AssetsMissing, match="train-segmenter --model segformer"):
        make_segmenter("segformer", weights=str(tmp_path))


def test_weights_in_the_cache_are_found_by_name(tmp_path, monkeypatch, start):
    """As `hf download` leaves them there."""
    cached = tmp_path / "models--someone--tiny" / "snapshots" / "abc"
    cached.parent.mkdir(parents=True)
    cached.symlink_to(start)
    (tmp_path / "models--someone--tiny" / "refs").mkdir()
    (tmp_path / "models--someone--tiny" / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert found("someone/tiny").resolve() == start


def test_damaged_folders_are_refused(saved):
    _, folder = saved
    head = json.loads((folder / segformer.HEAD).read_text())
    for wrong, said in (({**head, "format": 9}, "format 9"), ({"format": 1}, "damaged")):
        (folder / segformer.HEAD).write_text(json.dumps(wrong))
        with pytest.raises(BrokenAsset, match=said):
            segformer.load(folder)
    (folder / segformer.HEAD).write_text(json.dumps(head))
    (folder / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BrokenAsset, match="cannot read a SegFormer"):
        segformer.load(folder)


def test_only_the_parts_that_need_it_import_transformers():
    package = Path(segformer.__file__).parents[1]
    line = re.compile(r"^\s*(import|from) (transformers|huggingface_hub)|require\(\"transf", re.M)
    files = {path.name for path in package.rglob("*.py") if line.search(path.read_text("utf-8"))}
    assert files == {"segformer.py", "segformer_network.py"}
