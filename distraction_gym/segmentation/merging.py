"""Regions of one colour, grown from pixels by merging neighbours: Borůvka's algorithm in NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Regions:
    def __init__(self, colors: npt.NDArray[np.float32]) -> None:
        h, w = colors.shape[:2]
        n = h * w
        self.labels = np.arange(n).reshape(h, w)
        self.sizes = np.ones(n)
        self._sums = colors.reshape(n, -1).astype(np.float64)
        g = self.labels
        pairs = [(g[:, :-1], g[:, 1:]), (g[:-1], g[1:])]
        self._edges = np.stack(
            [
                np.concatenate([a.ravel() for a, _ in pairs]),
                np.concatenate([b.ravel() for _, b in pairs]),
            ]
        )

    @property
    def means(self):
        return self._sums / self.sizes[:, None]

    def merge(self, tolerance):
        for t in (tolerance / 4, tolerance / 2, tolerance):
            while self._round(t):
                pass

    def absorb(self, area):
        while len(self.sizes) > 1 and self._round(np.inf, self.sizes < area):
            pass

    def _round(self, tolerance, movers=None):
        a, b = self._edges
        means = self.means
        d = np.sqrt(((means[a] - means[b]) ** 2).sum(1))
        order = np.argsort(d, kind="stable")[::-1]
        order = order[d[order] <= tolerance]
        n = len(self.sizes)
        parent = np.arange(n)
        src = np.concatenate([a[order], b[order]]).reshape(2, -1).T.ravel()
        dst = np.concatenate([b[order], a[order]]).reshape(2, -1).T.ravel()
        if movers is not None:
            keep = movers[src]
            src, dst = src[keep], dst[keep]
        if not len(src):
            return False
        parent[src] = dst  # the last write wins: the nearest neighbour
        i = np.arange(n)
        mutual = parent[parent] == i
        parent[mutual & (i < parent)] = i[mutual & (i < parent)]
        while True:
            up = parent[parent]
            if (up == parent).all():
                break
            parent = up
        self._relabel(parent)
        return True

    def _relabel(self, parent):
        roots, new = np.unique(parent, return_inverse=True)
        n = len(roots)
        self.labels = new[self.labels]
        self.sizes = np.bincount(new, self.sizes, n)
        self._sums = np.stack([np.bincount(new, c, n) for c in self._sums.T], 1)
        e = new[self._edges]
        e = np.sort(e[:, e[0] != e[1]], axis=0)
        keys = np.unique(e[0] * n + e[1])
        self._edges = np.stack([keys // n, keys % n])
