"""Faster arithmetic: the same numbers but for rounding, in files and copies too."""

import copy
import io
import pickle
import shutil

import pytest
import torch
import torch.nn.functional as F
from pictures import OWN, drift, random_batch, small

from distraction_gym.agents import SVEA, DrQv2, MaDi
from distraction_gym.agents.common.acceleration import Convolutions
from distraction_gym.agents.madi.masker import Masker
from distraction_gym.errors import MissingExtra, UnknownName


def losses(model, batch):
    """Return the critic's and the actor's loss at fixed noise, and the critic's gradient."""
    torch.manual_seed(3)
    critic = model.critic_loss(batch)
    weights = [*model.critic.parameters(), *model.extras.parameters()]
    found = torch.autograd.grad(critic, weights, allow_unused=True)
    actor = model.actor_loss(batch, torch.ones(len(batch.obs), 1))
    actor = actor[0] if isinstance(actor, tuple) else actor
    return critic.detach(), actor.detach(), [g for g in found if g is not None]


def pair(cls, **kwargs):
    """Build a plain model and one with options, of the same weights."""
    plain, fast = small(cls), small(cls, **kwargs)
    for source, copied in ((plain.policy, fast.policy), (plain.extras, fast.extras)):
        drift(source)
        copied.load_state_dict(source.state_dict())
    return plain, fast


def assert_same(found, expected, rtol):
    """Compare losses, and each gradient as a whole."""
    torch.testing.assert_close(found[:2], expected[:2], rtol=rtol, atol=rtol)
    for mine, theirs in zip(found[2], expected[2], strict=True):
        assert (mine - theirs).norm() <= 20 * rtol * theirs.norm() + 1e-9


def slow_masks(masker, frames):
    """Mask with plain convolutions."""
    layers = [layer for layer in masker.convolutions if isinstance(layer, torch.nn.Conv2d)]
    out = frames / 255
    for layer in layers[:-1]:
        out = F.conv2d(out, layer.weight, layer.bias, padding=1).relu()
    return torch.sigmoid(F.conv2d(out, layers[-1].weight, layers[-1].bias, padding=1))


class TestMasker:
    @pytest.mark.parametrize("layers", [2, 3, 4])
    def test_equals_plain_convolutions_in_float64_with_their_gradients(self, layers):
        masker = Masker(filters=5, layers=layers).double()
        drift(masker)
        frames = 255 * torch.rand(4, 3, 9, 13, dtype=torch.float64)
        found, slow = masker(frames), slow_masks(masker, frames)
        torch.testing.assert_close(found, slow)
        weight = torch.rand_like(found)  # tells the kernel's taps and the borders apart
        grads = [torch.autograd.grad(x, [*masker.parameters()], weight) for x in (found, slow)]
        torch.testing.assert_close(grads[0], grads[1])

    def test_leaves_its_input_alone(self):
        frames = 255 * torch.rand(2, 3, 8, 8)
        before = frames.clone()
        Masker(filters=4)(frames)
        assert torch.equal(frames, before)


class TestLayout:
    @pytest.mark.parametrize("cls", [SVEA, MaDi, DrQv2])
    def test_losses_are_the_same_either_way(self, cls):
        plain, fast = pair(cls, channels_last=False)
        batch = random_batch()
        assert_same(losses(fast, batch), losses(plain, batch), rtol=1e-5)

    def test_weights_lie_channels_last_on_a_cpu_and_keep_their_optimizer(self):
        for wanted, chosen in ((True, None), (True, True), (False, False)):
            model = small(MaDi, channels_last=chosen)
            for network in (model.critic, model.critic_target, model.extras["masker"]):
                kernel = next(p for p in network.parameters() if p.ndim == 4 and p.shape[1] > 1)
                assert kernel.is_contiguous(memory_format=torch.channels_last) is wanted
                assert kernel.is_contiguous() is not wanted
            stepped = {id(p) for g in model.critic.optimizer.param_groups for p in g["params"]}
            assert {id(p) for p in model.critic.parameters()} <= stepped


class TestPrecision:
    @pytest.mark.parametrize("cls", [SVEA, MaDi, DrQv2])
    def test_losses_are_close_and_not_the_same(self, cls):
        plain, fast = pair(cls, precision="bfloat16")
        batch = random_batch()
        found, expected = losses(fast, batch), losses(plain, batch)
        assert_same(found, expected, rtol=2e-2)
        assert not torch.equal(found[0], expected[0])

    def test_only_convolutions_are_rounded(self):
        model = small(MaDi, precision="bfloat16")
        seen = []
        for name, module in model.critic.named_modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_hook(lambda m, i, out, n=name: seen.append(out.dtype))
        batch = random_batch()
        loss = model.critic_loss(batch)
        assert loss.dtype == torch.float32
        assert seen and set(seen) == {torch.float32}
        assert model.masks(batch.obs).dtype == torch.float32
        assert all(p.dtype == torch.float32 for p in model.policy.parameters())

    def test_learns_saves_and_is_copied(self, tmp_path):
        model = small(MaDi, precision="bfloat16")
        model.learn(24)
        model.save(tmp_path / "model.zip")
        again = MaDi.load(tmp_path / "model.zip")
        assert again.precision == "bfloat16"
        plain = MaDi.load(tmp_path / "model.zip", precision="float32")
        batch = random_batch()
        found = losses(again, batch)
        assert_same(found, losses(model, batch), rtol=0)
        assert_same(losses(plain, batch), found, rtol=2e-2)
        trunk = model.critic.features_extractor.convolutions
        assert isinstance(trunk, Convolutions)
        assert copy.deepcopy(trunk).low_precision
        assert pickle.loads(pickle.dumps(trunk)).low_precision


class TestBadInput:
    def test_unknown_words_name_the_known_ones(self):
        with pytest.raises(UnknownName, match=r"precision 'bf16'.*bfloat16"):
            small(SVEA, precision="bf16")
        with pytest.raises(UnknownName, match=r"compile mode 'fast'.*reduce-overhead"):
            small(SVEA, compile_mode="fast")

    def test_no_compiler(self, monkeypatch):
        monkeypatch.setattr(shutil, "which", lambda name: None)
        with pytest.raises(MissingExtra, match=r"C\+\+ compiler.*apt install g\+\+"):
            small(SVEA, compile_mode="default")
        small(SVEA)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
class TestCompiled:
    def test_losses_are_the_same_and_so_are_files_and_copies(self):
        plain, fast = pair(MaDi, compile_mode="default")
        batch = random_batch()
        expected = losses(plain, batch)
        assert_same(losses(fast, batch), expected, rtol=1e-4)
        file = io.BytesIO()
        fast.save(file)
        file.seek(0)
        again = MaDi.load(file, compile_mode=None)
        assert_same(losses(again, batch), expected, rtol=1e-5)
        trunk = fast.critic.features_extractor
        pictures = batch.obs / 255
        for copied in (copy.deepcopy(trunk), pickle.loads(pickle.dumps(trunk))):
            torch.testing.assert_close(copied(pictures), trunk(pictures), rtol=1e-4, atol=1e-4)
        fast.learn(14)


def test_the_options_reach_every_agent():
    for cls in OWN:
        model = small(cls, precision="bfloat16", channels_last=False)
        assert (model.precision, model.channels_last) == ("bfloat16", False)
        stacks = [m for m in model.policy.modules() if isinstance(m, Convolutions)]
        assert all(stack.low_precision for stack in stacks)
