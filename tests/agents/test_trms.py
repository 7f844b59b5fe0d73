"""TRMS: its losses, who trains what in which phase, and who is asked for masks."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pictures import OWN, SIDE, SMALL, Bandit, Halves, moved_parts, random_batch, small

from distraction_gym.agents import TRMS, TRMSSAC
from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.agents.trms.planes import pack
from distraction_gym.errors import UnknownName

BOTH = (TRMS, TRMSSAC)
CRITIC = {"trunk", "critic projection", "critic heads"}


def carried(batch, k=3, seed=0):
    """Put three random planes behind each frame of a batch, as the replay buffer does."""
    rng = np.random.default_rng(seed)

    def with_masks(obs):
        count, stacked = obs.shape[:2]
        frames = obs.view(count, stacked // 3, 3, SIDE, SIDE)
        masks = rng.random((count * stacked // 3, k, SIDE, SIDE)) < 0.4
        packed = torch.from_numpy(pack(masks)).float().view(count, -1, 1, SIDE, SIDE)
        return torch.cat([frames, packed], dim=2).flatten(1, 2)

    return batch._replace(obs=with_masks(batch.obs), next_obs=with_masks(batch.next_obs))


def after_teaching(model):
    model.num_timesteps = model.teach_steps + 1
    return model


class TestLosses:
    @pytest.mark.parametrize("cls", BOTH)
    @pytest.mark.parametrize("own_target", [True, False])
    def test_both_branches_wear_the_raw_frames_masks(self, cls, own_target, monkeypatch):
        model = small(cls, stack=2, own_target=own_target, augment="overlay")
        batch = carried(random_batch(stack=2))
        model.augmentation = lambda obs: 255.0 - obs  # something without chance
        monkeypatch.setattr(model, "_noise", lambda n: torch.zeros(n, 1))
        sampler, student = model.extras["sampler"], model.extras["student"]

        def split(obs):
            parts = obs.view(6, 2, 4, SIDE, SIDE)
            bits = parts[:, :, 3].to(torch.uint8)
            planes = torch.stack([(bits >> i) & 1 for i in range(3)], dim=2).float()
            return parts[:, :, :3], planes

        def seen(frames, mask):
            return torch.stack([f * m for f, m in zip(frames.flatten(0, 1), mask, strict=True)])

        def q(obs, actions, target=False):
            return model.policy.q_values(
                model.policy.encode(obs.view(6, 6, SIDE, SIDE), target), actions, target
            )

        torch.manual_seed(5)
        found = model.losses(batch)

        frames, planes = split(batch.obs)
        after, after_planes = split(batch.next_obs)
        targets = []
        with torch.no_grad():
            later = sampler.eval()(after_planes.flatten(0, 1)).mask
            for pictures in (after, 255.0 - after if own_target else after):
                encoded = seen(pictures, later).view(6, 6, SIDE, SIDE)
                action, log = model.policy.act(model.policy.encode(encoded), torch.zeros(6, 1))
                value = q(encoded, action, target=True).min(1, keepdim=True).values
                value = value - model._alpha() * log
                targets.append(batch.reward + batch.discount * value)
        torch.manual_seed(5)
        choice = sampler.train()(planes.flatten(0, 1))
        loss = torch.zeros(())
        for pictures, target in zip((frames, 255.0 - frames), targets, strict=True):
            for values in q(seen(pictures, choice.mask), batch.action).unbind(1):
                loss = loss + 0.5 * 0.5 * (values - target[:, 0]).pow(2).mean()
        torch.testing.assert_close(found["critic_loss"], loss)

        guess = torch.sigmoid(student.train()((255.0 - frames).flatten(0, 1)))
        expected = F.binary_cross_entropy(guess, choice.mask.detach())
        torch.testing.assert_close(found["student_loss"], expected)

    def test_after_teaching_each_branch_masks_itself(self, monkeypatch):
        model = after_teaching(small(TRMS, n_steps=1))
        model.augmentation = lambda obs: 255.0 - obs
        monkeypatch.setattr(model, "_noise", lambda n: torch.zeros(n, 1))
        batch = random_batch()
        found = model.losses(batch)
        student = model.extras["student"]
        with torch.no_grad():
            targets = []
            for pictures in (batch.next_obs, 255.0 - batch.next_obs):
                seen = pictures * torch.sigmoid(student.eval()(pictures))
                action, _ = model.policy.act(model.policy.encode(seen), torch.zeros(6, 1))
                value = model.policy.q_values(model.policy.encode(seen, True), action, True)
                value = value.min(1, keepdim=True).values
                targets.append(batch.reward + batch.discount * value)
            both = torch.cat([batch.obs, 255.0 - batch.obs])
            student.train()  # one batch for batch norm
            q = model.policy.q_values(
                model.policy.encode(both * torch.sigmoid(student(both))),
                torch.cat([batch.action] * 2),
            )
            student.eval()
            error = sum((q[:, i] - torch.cat(targets)[:, 0]).pow(2).mean() for i in range(2))
        torch.testing.assert_close(found["critic_loss"].detach(), 0.5 * error)
        assert set(found) == {"critic_loss"}

    def test_frames_without_masks_teach_the_student_nothing(self):
        model = small(TRMS)
        model.augmentation = lambda obs: obs
        empty = carried(random_batch())
        empty.obs[:, 3:] = 0
        assert model.losses(empty)["student_loss"].item() == 0.0
        # Batch norm and noise as in evaluation, so that one frame says nothing of another.
        for name in ("sampler", "student"):
            model.extras[name].train = lambda mode=True: None
        some = carried(random_batch())
        some.obs[1:, 3:] = 0
        fields = ("obs", "action", "reward", "next_obs", "discount")
        one = some._replace(**{name: getattr(some, name)[:1] for name in fields})
        torch.testing.assert_close(
            model.losses(some)["student_loss"], model.losses(one)["student_loss"]
        )


class TestGradients:
    @pytest.mark.parametrize("cls", BOTH)
    def test_while_it_teaches(self, cls):
        model = small(cls)
        batch = carried(random_batch())
        losses = model.losses(batch)
        losses["student_loss"].backward()
        parts = {name: list(m.parameters()) for name, m in model.extras.items()}
        reached = {name for name, part in parts.items() if any(p.grad is not None for p in part)}
        assert reached == {"student"}
        assert all(p.grad is None for p in model.critic.parameters())
        model.extras.zero_grad(set_to_none=True)
        model.losses(batch)["critic_loss"].backward()
        reached = {name for name, part in parts.items() if any(p.grad is not None for p in part)}
        assert reached == {"sampler"}
        assert any(p.grad.abs().sum() > 0 for p in model.extras["sampler"].parameters())

    @pytest.mark.parametrize("cls", BOTH)
    @pytest.mark.parametrize(("after", "also"), [("rl", {"student"}), ("frozen", set())])
    def test_after_teaching(self, cls, after, also):
        model = after_teaching(small(cls, student_after=after))
        found = moved_parts(model, lambda: model._update_critic(random_batch()))
        assert found == CRITIC | also

    def test_statistics_of_batches_are_for_updates(self):
        model = small(TRMS)
        batch = carried(random_batch())
        modes = {name: m.training for name, m in model.extras.items()}
        model._update(batch)
        assert {name: m.training for name, m in model.extras.items()} == modes
        assert not any(modes.values())

    def test_the_target_has_a_trunk_of_its_own(self):
        model = small(TRMS)
        assert model.critic.features_extractor is not model.critic_target.features_extractor
        before = [p.clone() for p in model.critic_target.features_extractor.parameters()]
        with torch.no_grad():
            for parameter in model.critic.parameters():
                parameter.add_(1.0)
        model._update_target()
        after = model.critic_target.features_extractor.parameters()
        for old, new in zip(before, after, strict=True):
            torch.testing.assert_close(new - old, torch.full_like(old, 0.05))


class TestPhases:
    @pytest.fixture
    def asked(self, monkeypatch):
        monkeypatch.setattr(Halves, "asked", 0)
        return lambda: Halves.asked

    def test_batches_are_small_while_it_teaches(self):
        model = small(TRMS, teach_batch=4)
        sizes = []
        sample = model._sample
        model._sample = lambda size: sizes.append(size) or sample(size)
        model.learn(60)
        assert set(sizes[:20]) == {4} and sizes[-1] == 8
        assert sizes == sorted(sizes)

    def test_each_frame_is_segmented_once_and_none_after_teaching(self, asked):
        model = small(TRMS, learning_starts=10, teach_steps=40)
        model.learn(40)
        # The blank one in front, and as many as the bandit drew: one per step, one to begin with.
        assert asked() <= 1 + 2 * 40 + 1
        drawn = asked()
        model.learn(40, reset_num_timesteps=False)
        assert not model.teaching
        assert asked() <= drawn + 2

    def test_updates_never_ask_the_segmenter(self, asked):
        model = small(TRMS)
        model.learn(20)
        before = asked()
        with model._learning():
            for _ in range(3):
                model._update(model._sample(8))
        assert asked() == before

    def test_masks_from_the_buffer_equal_those_made_in_updates(self):
        kept, made = (small(TRMS, segment_in_updates=anew).learn(30) for anew in (False, True))
        assert type(made.replay_buffer) is FrameReplayBuffer
        for one, other in zip(kept.policy.parameters(), made.policy.parameters(), strict=True):
            assert torch.equal(one, other)
        for one, other in zip(kept.extras.parameters(), made.extras.parameters(), strict=True):
            assert torch.equal(one, other)

    def test_to_predict_and_to_explain_only_the_student_is_asked(self, asked, tmp_path):
        model = small(TRMS)
        model.learn(20)
        model.save(tmp_path / "model.zip")
        before = asked()
        loaded = TRMS.load(tmp_path / "model.zip")
        obs, _ = Bandit().reset(seed=1)
        action, _ = loaded.predict(obs, deterministic=True)
        frames = torch.from_numpy(obs)[None].float()
        with torch.no_grad():
            mask = torch.sigmoid(loaded.extras["student"](frames))
            seen = loaded.actor(frames * mask, deterministic=True)
        np.testing.assert_allclose(action, seen[0].numpy(), atol=1e-6)
        torch.testing.assert_close(loaded.explain(obs), mask[:, 0])
        assert loaded.teaching and asked() == before

    def test_to_act_while_it_teaches_the_teacher_is_asked(self):
        model = small(TRMS)
        model.learn(20)
        obs, _ = Bandit().reset(seed=1)
        frames = torch.from_numpy(obs)[None].float()
        with model._learning():
            seen = model.encode_inputs(frames)
        torch.testing.assert_close(seen, frames * model.choose(obs).mask)

    def test_what_is_over_is_over_though_steps_are_counted_anew(self, asked, tmp_path):
        model = small(TRMS, teach_steps=20)
        model.learn(30)
        model.save(tmp_path / "model")
        again = TRMS.load(tmp_path / "model", env=model.get_env(), device="cpu")
        drawn = asked()
        for each in (model, again):
            each.learn(5)
            assert not each.teaching
        assert asked() == drawn

    def test_teaching_may_end_by_itself(self):
        model = small(TRMS, teach_steps="auto")
        model.learn(15)
        assert model.teaching
        model.extras["clock"].done.fill_(True)
        assert not model.teaching
        model.learn(5, reset_num_timesteps=False)

    def test_the_number_of_masks_may_be_found_and_stays(self, tmp_path):
        model = small(TRMS, k="auto")
        assert model.k == 2  # halves
        assert model.extras["sampler"].convolutions[0].in_channels == 2
        model.learn(12).save(tmp_path / "model.zip")
        assert TRMS.load(tmp_path / "model.zip").k == 2

    @pytest.mark.parametrize(
        ("settings", "error", "told"),
        [
            ({"segmenter": "fastsm"}, UnknownName, "Did you mean 'fastsam'"),
            ({"student_after": "gone"}, UnknownName, "Known: frozen, rl"),
            ({"teach_steps": -1}, ValueError, "0 or more steps, or 'auto', got -1"),
            ({"k": 0}, ValueError, "1 or more masks, or 'auto', got 0"),
            ({"teach_steps": "soon"}, ValueError, "got 'soon'"),
        ],
    )
    def test_bad_settings(self, settings, error, told):
        with pytest.raises(error, match=told):
            TRMS("CnnPolicy", Bandit(), **{**SMALL, **OWN[TRMS], **settings}).learn(1)


class TestPictures:
    def test_panels_show_every_mask_with_its_weight(self):
        model = small(TRMS)
        rows = model.panels(random_batch(size=2).obs)
        assert rows.shape == (2 * 108, (1 + 3 + 2) * 108, 3) and rows.dtype == np.uint8

    def test_a_film_shows_candidates_brightest_where_the_weight_is(self):
        model = small(TRMS)
        obs, _ = Bandit().reset(seed=1)
        views = model.views(obs)
        assert list(views) == ["mask", "teacher", "candidates"]
        choice = model.choose(obs)
        heaviest = choice.planes[0, choice.weights[0].argmax()].bool().numpy()
        assert views["candidates"][heaviest].max() == 255
        np.testing.assert_array_equal(views["teacher"], choice.mask[0, 0].numpy())

    def test_without_the_segmenter_a_film_shows_the_student(self):
        model = small(TRMS, segmenter={"name": "fastsam", "weights": "nowhere.pt"})
        obs, _ = Bandit().reset(seed=1)
        assert list(model.views(obs)) == ["mask"]

    def test_the_logger_gets_pictures_while_it_teaches(self):
        model = small(TRMS, panel_interval=5)
        seen = []
        model.learn(12)
        record = model.logger.record
        model.logger.record = lambda name, *args, **kwargs: (
            seen.append(name) or record(name, *args, **kwargs)
        )
        with model._learning():
            model.train(5, 8)
            assert "trms/masks" in seen
            seen.clear()
            after_teaching(model).train(5, 8)
        assert "trms/masks" not in seen
