"""Download packs into `cache_root()/packs`: whole or not at all, and on from where it stopped."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from distraction_gym.assets import manifest as manifests
from distraction_gym.assets.files import atomic_file, sha256
from distraction_gym.assets.store import packs_folder
from distraction_gym.errors import AssetsMissing, BrokenAsset
from distraction_gym.registry import unknown

TIMEOUT_S = 30.0
INCOMPLETE = ".incomplete"
"""Packs lie in this folder until all their files are there: a mode never plays half a pack."""

Report = Callable[[str, str], None]
"""Told about each file: its path, and `"kept"`, `"verified"` or `"unverified"`."""


def fetch(
    source: str | Path,
    *,
    packs: Sequence[str] | None = None,
    into: Path | None = None,
    report: Report | None = None,
) -> Path:
    """Fetch packs, file by file; files that are there already are kept.

    Args:
        source: `"dmcgb"`, or the path of another manifest (see `assets.manifest`).
        packs: Which of its packs; None takes all.
        into: Folder to fill, later usable as `assets=`; None takes `packs_folder()`.
        report: Called after each file.

    Returns:
        The folder.

    Raises:
        AssetsMissing: if a file cannot be downloaded. What came before it is kept.
        BrokenAsset: if a file came with another digest than the manifest's.
        UnknownName: for a manifest or a pack that does not exist.
    """
    manifest = manifests.load(source)
    into = packs_folder() if into is None else into
    for pack in manifest.packs if packs is None else packs:
        if pack not in manifest.packs:
            raise unknown(f"pack of {manifest.name!r}", pack, manifest.packs)
        _pack(manifest.base, manifest.packs[pack], into, report or (lambda path, state: None))
    return into


def _pack(base: str, files: Mapping[str, str | None], into: Path, report: Report) -> None:
    """Fetch one pack to the side and move it into place."""
    waiting = into / INCOMPLETE
    for path, digest in files.items():
        here = [root / path for root in (into, waiting) if (root / path).is_file()]
        if here and (digest is None or sha256(here[0]) == digest):
            report(path, "kept")
            continue
        _download(base + path, waiting / path, digest)
        report(path, "unverified" if digest is None else "verified")
    for path in files:
        if (waiting / path).is_file():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (waiting / path).replace(into / path)


def _download(url: str, target: Path, digest: str | None) -> None:
    """Download one file; nothing is left of one that does not come in full."""
    found = hashlib.sha256()
    try:
        with (
            urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer,
            atomic_file(target) as file,
        ):
            length = answer.headers.get("Content-Length")
            while block := answer.read(1 << 20):
                found.update(block)
                file.write(block)
            if length is not None and file.tell() != int(length):
                raise OSError(f"the connection ended after {file.tell()} of {length} bytes")
            if digest is not None and found.hexdigest() != digest:
                raise BrokenAsset(
                    f"{url} has another content than expected: SHA-256 {found.hexdigest()}, "
                    f"expected {digest}. It was not kept."
                )
    # URLError and timeouts are OSErrors as well; an answer in chunks that breaks off is none.
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise AssetsMissing(
            f"could not fetch {url}: {reason}.\n"
            "What came before it is kept: type the same command again to go on. Without a "
            "connection, copy the files from another machine and pass assets=DIR."
        ) from error
