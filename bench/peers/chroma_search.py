"""Chroma on the same vectors: time to add, time to search without and with a filter that a tenth of the rows pass."""

import json
import sys
import tempfile
import time
from pathlib import Path

import chromadb
import numpy as np

WIDTH, WARM, TOP, BATCH = 384, 60, 10, 5_000

folder = Path(sys.argv[1])
vectors = np.memmap(folder / "vectors.f32", dtype=np.float32, mode="r").reshape(-1, WIDTH)
queries = np.fromfile(folder / "queries.f32", dtype=np.float32).reshape(-1, WIDTH)
with tempfile.TemporaryDirectory() as home:
    client = chromadb.PersistentClient(home, settings=chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection("bench", configuration={"hnsw": {"space": "cosine"}})
    batch = min(BATCH, client.get_max_batch_size())
    began = time.perf_counter()
    for start in range(0, len(vectors), batch):
        numbers = range(start, min(start + batch, len(vectors)))
        collection.add(ids=[str(number) for number in numbers], embeddings=np.array(vectors[numbers.start:numbers.stop]),
                       metadatas=[{"label": "hr" if number % 10 == 0 else "all"} for number in numbers])
    print(json.dumps({"rows": len(vectors), "add_seconds": time.perf_counter() - began, "version": chromadb.__version__}), flush=True)
    for name, where, truth in [("none", None, "nearest.u32"), ("10 % label", {"label": "hr"}, "nearest-tenth.u32")]:
        nearest = np.fromfile(folder / truth, dtype=np.uint32).reshape(-1, TOP)
        times, found = [], 0
        for number, query in enumerate(queries):
            began = time.perf_counter()
            answer = collection.query(query_embeddings=[query], n_results=TOP, where=where, include=["distances"])
            if number >= WARM:
                times.append((time.perf_counter() - began) * 1e3)
            found += len(set(map(int, answer["ids"][0])) & set(nearest[number].tolist()))
        times.sort()
        at = lambda share: times[int((len(times) - 1) * share)]
        print(json.dumps({"filter": name, "recall_at_10": found / len(queries) / TOP, "p50_ms": at(.5), "p95_ms": at(.95)}), flush=True)
