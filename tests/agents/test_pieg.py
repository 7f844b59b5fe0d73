"""PIE-G's frozen backbone: what it computes, where its weights come from."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pictures import OWN, SMALL, Bandit, equal_updates, moved, random_batch, small, weights

from distraction_gym.agents import PIEG
from distraction_gym.agents.common.visual_ddpg import VisualDDPG
from distraction_gym.agents.pieg.encoder import (
    FILE,
    STAGES,
    ResNetEncoder,
    calibrate,
    load_backbone,
)
from distraction_gym.errors import AssetsMissing, BrokenAsset

models = pytest.importorskip("torchvision.models")


def pictures(stack, side=36):
    return spaces.Box(0, 255, (3 * stack, side, side), np.uint8)


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(3)
    return models.resnet18(weights=None).eval()


@pytest.fixture
def file(resnet, tmp_path):
    torch.save(resnet.state_dict(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


class TestEncoder:
    def test_sizes_are_the_papers(self):
        encoder = ResNetEncoder(pictures(3, 84))
        assert encoder.maps(torch.rand(1, 9, 84, 84)).shape == (1, 512, 11, 11)
        assert encoder.head[0].in_features == 61_952
        assert encoder.features_dim == 1024

    def test_each_frame_is_read_by_itself_and_differences_follow(self, resnet, file):
        encoder = ResNetEncoder(pictures(3))
        load_backbone(encoder, str(file))
        obs = torch.rand(2, 9, 36, 36)

        def maps(frame):
            for stage in STAGES:
                frame = getattr(resnet, stage)(frame)
            return frame

        for sample in range(2):
            with torch.no_grad():
                one, two, three = (
                    maps(obs[sample : sample + 1, 3 * k : 3 * k + 3] - 0.5)[0] for k in range(3)
                )
            expected = torch.cat([two, three, two - one, three - two])
            torch.testing.assert_close(encoder.maps(obs)[sample], expected)

    def test_a_single_frame_goes_in_alone(self):
        assert ResNetEncoder(pictures(1)).maps(torch.rand(2, 3, 36, 36)).shape[1] == 128

    def test_updates_leave_the_backbone_and_its_statistics_alone(self):
        model = small(PIEG)
        encoder = model.critic.features_extractor
        before, head = weights(encoder.backbone), weights(encoder.head)
        statistics = encoder.backbone[1].running_mean.clone()
        model.policy.set_training_mode(True)
        model._update(random_batch())
        assert not moved(encoder.backbone, before)
        assert torch.equal(encoder.backbone[1].running_mean, statistics)
        assert moved(encoder.head, head)
        assert not encoder.backbone.training and encoder.head.training


class TestRandomBackbone:
    def test_calibrated_features_are_normalised_over_the_pictures(self):
        torch.manual_seed(0)
        encoder = ResNetEncoder(pictures(2))
        obs = torch.rand(8, 6, 36, 36)
        calibrate(encoder, obs)
        frames = obs.reshape(16, 3, 36, 36) - 0.5
        first = encoder.backbone[:2](frames)  # the first convolution and its batch norm
        torch.testing.assert_close(first.mean(dim=(0, 2, 3)), torch.zeros(64), atol=1e-5, rtol=0)
        # The epsilon of batch norm takes a little where filters answer faintly.
        torch.testing.assert_close(first.var(dim=(0, 2, 3)), torch.ones(64), atol=1e-2, rtol=0)
        assert not encoder.backbone[1].training and encoder.backbone[1].momentum == 0.1

    def test_it_happens_once_before_the_first_update(self):
        model = small(PIEG)
        norm = model.critic.features_extractor.backbone[1]
        assert torch.equal(norm.running_mean, torch.zeros(64))
        model.learn(model.learning_starts + 2)
        found = norm.running_mean.clone()
        assert found.abs().sum() > 0
        model.learn(2, reset_num_timesteps=False)
        assert torch.equal(norm.running_mean, found)

    def test_trained_weights_keep_their_statistics(self, resnet, file):
        model = small(PIEG, backbone=str(file))
        model.learn(model.learning_starts + 2)
        norm = model.critic.features_extractor.backbone[1]
        assert torch.equal(norm.running_mean, resnet.bn1.running_mean)


def test_with_no_weight_on_the_augmented_half_it_is_drqv2_on_that_encoder():
    parent = type("Parent", (VisualDDPG,), {"policy_aliases": PIEG.policy_aliases})
    settings = {**SMALL, **OWN[PIEG]}
    surplus = {name: settings.pop(name) for name in ("augment", "backbone")}
    model = PIEG("CnnPolicy", Bandit(), svea_alpha=1.0, svea_beta=0.0, **settings, **surplus)
    equal_updates(model, parent("CnnPolicy", Bandit(), **settings))


class TestWeights:
    def test_a_path(self, resnet, file):
        model = small(PIEG, backbone=str(file))
        found = model.critic.features_extractor.backbone[0].weight
        assert torch.equal(found, resnet.conv1.weight)

    def test_torchs_hub_cache(self, resnet, tmp_path, monkeypatch):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        folder = tmp_path / "hub" / "checkpoints"
        folder.mkdir(parents=True)
        torch.save(resnet.state_dict(), folder / FILE)
        model = small(PIEG, backbone="imagenet")
        found = model.critic.features_extractor.backbone[5][1].bn2.running_var
        assert torch.equal(found, resnet.layer2[1].bn2.running_var)

    def test_where_there_are_none_it_says_what_to_type(self, tmp_path, monkeypatch):
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        with pytest.raises(AssetsMissing, match=r"curl -L(.|\n)*backbone='random'"):
            PIEG("CnnPolicy", Bandit(), buffer_size=300)

    def test_a_file_that_was_cut_short(self, file):
        file.write_bytes(file.read_bytes()[:5000])
        with pytest.raises(BrokenAsset, match="cut short"):
            small(PIEG, backbone=str(file))

    def test_a_file_of_another_network(self, tmp_path):
        torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pth")
        with pytest.raises(BrokenAsset, match="ResNet-18"):
            small(PIEG, backbone=str(tmp_path / "other.pth"))

    def test_a_saved_model_brings_its_own(self, file, tmp_path):
        model = small(PIEG, backbone=str(file))
        model.save(tmp_path / "model")
        file.unlink()
        loaded = PIEG.load(tmp_path / "model")
        pair = (m.critic.features_extractor.backbone[0].weight for m in (model, loaded))
        assert torch.equal(*pair)
