"""Makes the vectors that both sides search: clusters with low-rank noise, as embeddings of texts have.

vectors.py FOLDER ROWS: writes vectors.f32, queries.f32 (300 rows) and, computed exactly, the ten nearest rows of each
query among all (nearest.u32) and among every tenth row (nearest-tenth.u32)."""

import json
import sys
from pathlib import Path

import numpy as np

WIDTH, CLUSTERS, DIRECTIONS, QUERIES, BLOCK, TOP = 384, 500, 12, 300, 20_000, 10

folder, rows = Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(20240607)
centres = random.uniform(-0.5, 0.5, (CLUSTERS, WIDTH)).astype(np.float32)
directions = random.uniform(-0.5, 0.5, (CLUSTERS, DIRECTIONS, WIDTH)).astype(np.float32)


def make(count):
    cluster = random.integers(0, CLUSTERS, count)
    weights = random.uniform(-0.7, 0.7, (count, DIRECTIONS)).astype(np.float32)
    vectors = centres[cluster] + random.uniform(-0.125, 0.125, (count, WIDTH)).astype(np.float32)
    for at in range(DIRECTIONS):
        vectors += weights[:, at, None] * directions[cluster, at]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def merge(best, scores, numbers):
    """Keeps the nearest of what was found and what is new."""
    scores = np.concatenate([best[0], scores], axis=1)
    numbers = np.concatenate([best[1], np.broadcast_to(numbers, (QUERIES, len(numbers)))], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(numbers, order, 1)


queries = make(QUERIES)
queries.tofile(folder / "queries.f32")
nothing = (np.full((QUERIES, 0), -2, np.float32), np.zeros((QUERIES, 0), np.uint32))
every, tenth = nothing, nothing
with open(folder / "vectors.f32.part", "wb") as file:
    for start in range(0, rows, BLOCK):
        vectors = make(min(BLOCK, rows - start))
        vectors.tofile(file)
        numbers = np.arange(start, start + len(vectors), dtype=np.uint32)
        scores = queries @ vectors.T
        every = merge(every, scores, numbers)
        tenth = merge(tenth, scores[:, numbers % 10 == 0], numbers[numbers % 10 == 0])
every[1].astype(np.uint32).tofile(folder / "nearest.u32")
tenth[1].astype(np.uint32).tofile(folder / "nearest-tenth.u32")
(folder / "vectors.f32.part").rename(folder / "vectors.f32")
print(json.dumps({"rows": rows, "queries": QUERIES}))
