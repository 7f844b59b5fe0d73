import hashlib
import http.client
import io
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from distraction_gym.assets import manifest
from distraction_gym.assets.fetch import INCOMPLETE, fetch
from distraction_gym.assets.store import cache_root, clips
from distraction_gym.errors import AssetsMissing, BrokenAsset, UnknownName

FILES = {"clips/video0.mp4": b"zero" * 1000, "clips/video1.mp4": b"one", "colors.pt": b"colours"}


class _Server(SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()


@pytest.fixture
def remote(tmp_path):
    """A small upstream: its folder, its URL, and what was asked of it."""
    folder = tmp_path / "remote"
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    _Server.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}/", _Server.asked
    server.shutdown()
    server.server_close()


def _manifest(tmp_path, base):
    known = {path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()}
    known["colors.pt"] = None
    packs = {
        "clips": {path: known[path] for path in FILES if path.startswith("clips/")},
        "colors": {"colors.pt": known["colors.pt"]},
    }
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"name": "small", "base": base, "terms": "ours", "packs": packs}))
    return path


def test_everything_arrives_and_is_said_to_be_verified_or_not(tmp_path, remote):
    seen = {}
    source = _manifest(tmp_path, remote[1])
    into = fetch(source, into=tmp_path / "here", report=seen.__setitem__)
    for path, content in FILES.items():
        assert (into / path).read_bytes() == content
    assert seen == {
        "clips/video0.mp4": "verified",
        "clips/video1.mp4": "verified",
        "colors.pt": "unverified",
    }
    assert [clip.name for clip in clips("clips", str(into))] == ["video0.mp4", "video1.mp4"]


def test_a_second_call_downloads_nothing(tmp_path, remote):
    source = _manifest(tmp_path, remote[1])
    fetch(source, into=tmp_path / "here")
    remote[2].clear()
    fetch(source, into=tmp_path / "here")
    assert remote[2] == []


def test_an_interrupted_pack_is_not_shown_and_goes_on_where_it_stopped(tmp_path, remote):
    folder, url, asked = remote
    (folder / "clips/video1.mp4").unlink()
    source, into = _manifest(tmp_path, url), tmp_path / "here"
    with pytest.raises(AssetsMissing, match=r"(?s)video1\.mp4.*same command again"):
        fetch(source, into=into, packs=["clips"])
    assert not (into / "clips").exists(), "half a pack must not be played"
    (folder / "clips/video1.mp4").write_bytes(FILES["clips/video1.mp4"])
    asked.clear()
    fetch(source, into=into, packs=["clips"])
    assert asked == ["/clips/video1.mp4"]
    assert len(clips("clips", str(into))) == 2


def test_a_damaged_file_is_refused_and_fetched_again_later(tmp_path, remote):
    folder, url, _ = remote
    source, into = _manifest(tmp_path, url), tmp_path / "here"
    (folder / "clips/video0.mp4").write_bytes(b"something else")
    with pytest.raises(BrokenAsset, match=r"video0\.mp4 has another content"):
        fetch(source, into=into)
    assert [path for path in into.rglob("*") if path.is_file()] == []
    (folder / "clips/video0.mp4").write_bytes(FILES["clips/video0.mp4"])
    fetch(source, into=into)
    (into / "clips/video0.mp4").write_bytes(b"rotten")
    fetch(source, into=into)
    assert (into / "clips/video0.mp4").read_bytes() == FILES["clips/video0.mp4"]


def test_an_answer_that_breaks_off_between_chunks_is_a_clear_error(tmp_path, monkeypatch):
    class Answer(io.BytesIO):
        headers = {}  # noqa: RUF012

        def read(self, size=-1):
            raise http.client.IncompleteRead(b"ab")

    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: Answer())
    with pytest.raises(AssetsMissing, match=r"(?s)IncompleteRead.*same command again"):
        fetch(_manifest(tmp_path, "http://example.org/"), into=tmp_path / "here")
    assert [path for path in (tmp_path / "here").rglob("*") if path.is_file()] == []


def test_offline_is_a_clear_error(tmp_path, remote):
    folder, _, _ = remote
    source = _manifest(tmp_path, "http://127.0.0.1:9/")  # nobody listens there
    with pytest.raises(AssetsMissing, match=r"(?s)could not fetch .*assets=DIR"):
        fetch(source, into=tmp_path / "here")
    fetch(_manifest(tmp_path, f"{folder.as_uri()}/"), into=tmp_path / "here")


def test_unknown_names_and_broken_manifests(tmp_path):
    with pytest.raises(UnknownName, match="dmcgb"):
        fetch("dmcgbb")
    with pytest.raises(UnknownName, match="video_hard"):
        fetch("dmcgb", packs=["video_hrd"])
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(BrokenAsset, match="no manifest"):
        manifest.load(tmp_path / "bad.json")
    evil = {"name": "x", "base": "x", "terms": "", "packs": {"p": {"../../outside": None}}}
    (tmp_path / "bad.json").write_text(json.dumps(evil))
    with pytest.raises(BrokenAsset, match="leads out"):
        manifest.load(tmp_path / "bad.json")


def test_the_manifest_of_dmcgb():
    known = manifest.load("dmcgb")
    assert {pack: len(files) for pack, files in known.packs.items()} == {
        "video_easy": 10,
        "video_hard": 100,
        "color_easy": 1,
        "color_hard": 1,
    }
    assert "RealEstate10K" in known.terms
    for files in known.packs.values():
        assert all(digest is None or len(digest) == 64 for digest in files.values())


def test_the_manifest_has_the_digests_of_the_real_clips(dmcgb_data):
    for files in manifest.load("dmcgb").packs.values():
        for path, digest in files.items():
            if digest is not None and path.endswith(("0.mp4", "1.mp4")):
                assert hashlib.sha256((dmcgb_data / path).read_bytes()).hexdigest() == digest


def test_packs_go_where_auto_looks(tmp_path, remote, monkeypatch):
    monkeypatch.setenv("DISTRACTION_GYM_CACHE", str(tmp_path / "cache"))
    assert fetch(_manifest(tmp_path, remote[1])) == cache_root() / "packs"
    assert len(clips("clips", "auto")) == 2
    waiting = cache_root() / "packs" / INCOMPLETE
    assert not [path for path in waiting.rglob("*") if path.is_file()]
