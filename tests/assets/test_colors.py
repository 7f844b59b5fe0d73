"""Colour tables: JSON, the original pickles without their code, and our own."""

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from distraction_gym.assets.colors import KEYS, default_table, read_table
from distraction_gym.assets.store import color_table
from distraction_gym.errors import AssetsMissing, BrokenAsset, UnknownName

ARRAYS = [
    {key: np.random.default_rng([i, k]).random(3) for k, key in enumerate(KEYS)} for i in range(4)
]
PLAIN = [{key: tuple(value.tolist()) for key, value in entry.items()} for entry in ARRAYS]

STOCK = {"grid_rgb1": (0.1, 0.2, 0.3), "skybox_rgb": (0.4, 0.6, 0.8), "self_rgb": (0.7, 0.5, 0.3)}
# Means and deviations of DMC-GB's tables, read off its files.
SPREAD = {
    "color_easy": {
        "grid_rgb1": (0.076, 0.100, 0.098),
        "self_rgb": (0.101, 0.091, 0.107),
        "skybox_rgb": (0.094, 0.107, 0.110),
    },
    "color_hard": {
        "grid_rgb1": (0.150, 0.194, 0.164),
        "self_rgb": (0.181, 0.198, 0.176),
        "skybox_rgb": (0.198, 0.183, 0.184),
    },
}


def _legacy_torch(protocol=2):
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, ARRAYS, [])
    return b"".join(pickle.dumps(part, protocol) for part in parts)


def _zipped_torch():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("color_easy/data.pkl", pickle.dumps(ARRAYS, 2))
        archive.writestr("color_easy/version", "3\n")
    return file.getvalue()


def _old_numpy(content):
    """Rename NumPy 2's modules to NumPy 1's, in a pickle of protocol 2 (names end with a line)."""
    return content.replace(b"cnumpy._core.", b"cnumpy.core.")


WRITERS = {
    "legacy": _legacy_torch,
    "zip": _zipped_torch,
    "old numpy": lambda: _old_numpy(_legacy_torch()),
    "pickle 2": lambda: pickle.dumps(ARRAYS, 2),
    "pickle 4": lambda: pickle.dumps(ARRAYS, 4),
    "pickle 5": lambda: pickle.dumps(ARRAYS, 5),
    "float32": lambda: pickle.dumps([{k: np.float32(v) for k, v in ARRAYS[0].items()}], 2),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_pickles_of_every_format_are_read(tmp_path, writer):
    path = tmp_path / "color_easy.pt"
    path.write_bytes(WRITERS[writer]())
    table = read_table(path)
    tolerance = 1e-7 if writer == "float32" else 0
    for entry, expected in zip(table, PLAIN, strict=False):
        for key in KEYS:
            assert entry[key] == pytest.approx(expected[key], abs=tolerance)
    assert all(type(channel) is float for channel in table[0]["self_rgb"])


def test_files_that_torch_writes_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    for new in (True, False):
        path = tmp_path / f"{new}.pt"
        torch.save(ARRAYS, path, _use_new_zipfile_serialization=new)
        assert read_table(path) == PLAIN


def test_json_is_read(tmp_path):
    (tmp_path / "color_easy.json").write_text(json.dumps(PLAIN))
    assert color_table("color_easy", str(tmp_path)) == PLAIN


class _Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("zipped", [False, True])
def test_a_pickle_runs_no_code(tmp_path, zipped):
    trap = tmp_path / "trap"
    content = pickle.dumps([_Evil(str(trap))], 2)
    if zipped:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("x/data.pkl", content)
        content = file.getvalue()
    path = tmp_path / "color_easy.pt"
    path.write_bytes(content)
    with pytest.raises(BrokenAsset, match=r"(?s)color_easy\.pt.*io\.open"):
        read_table(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        pickle.dumps({}),
        pickle.dumps([]),
        pickle.dumps([{"self_rgb": np.zeros(3)}]),
        pickle.dumps([{key: np.zeros(4) for key in KEYS}]),
        pickle.dumps([{key: np.full(3, np.nan) for key in KEYS}]),
        pickle.dumps([{key: np.full(3, 200.0) for key in KEYS}]),
        pickle.dumps([{key: np.array(["a", None, 1], object) for key in KEYS}]),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path, content):
    path = tmp_path / "color_hard.pt"
    path.write_bytes(content)
    with pytest.raises(BrokenAsset, match=r"color_hard\.pt"):
        read_table(path)


@pytest.mark.parametrize("name", SPREAD)
def test_our_own_tables_have_the_statistics_of_the_originals(name):
    table = default_table(name)
    assert len(table) == 100
    assert table == default_table(name)
    for key, spread in SPREAD[name].items():
        colors = np.array([entry[key] for entry in table])
        assert colors.min() >= 0
        assert colors.max() <= 1
        # Three standard errors of a mean and of a deviation over 100 entries, twice: both sampled.
        np.testing.assert_allclose(colors.mean(0), STOCK[key], atol=0.6 * max(spread))
        np.testing.assert_allclose(colors.std(0), spread, rtol=0.35)
    first, second = (
        np.array([entry[key] for entry in table]) for key in ("grid_rgb1", "grid_rgb2")
    )
    np.testing.assert_allclose(second - first, 0.1)


def test_hard_colours_are_further_from_stock_than_easy_ones():
    assert default_table("color_easy") != default_table("color_hard")


def test_where_tables_come_from(tmp_path, monkeypatch):
    assert color_table("color_easy", "generated") == default_table("color_easy")
    assert color_table("color_easy", "auto") == default_table("color_easy")
    (tmp_path / "color_easy.pt").write_bytes(_legacy_torch())
    monkeypatch.setenv("DISTRACTION_GYM_ASSETS", str(tmp_path))
    assert color_table("color_easy", "auto") == PLAIN
    assert color_table("color_easy", "generated") == default_table("color_easy")
    with pytest.raises(AssetsMissing, match=r"color_hard\.json nor color_hard\.pt"):
        color_table("color_hard", str(tmp_path))
    with pytest.raises(UnknownName, match="Did you mean 'color_hard'"):
        color_table("color_hrd", "generated")


def test_the_real_tables_are_read(dmcgb_data):
    for name in ("color_easy", "color_hard"):
        table = color_table(name, str(dmcgb_data))
        assert len(table) == 100
        for entry in table:
            np.testing.assert_allclose(np.subtract(entry["grid_rgb2"], entry["grid_rgb1"]), 0.1)
    assert table[0].keys() == set(KEYS)
