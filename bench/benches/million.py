"""Search over a million chunks of 384 numbers, the query's embedding excluded: as `search`, without a peer."""

import shutil

from benches.search import by, parts, vectors
from results import row
from world import example

CHUNKS = 1_000_000


def run(large=False):
    folder = vectors(CHUNKS)
    rows = [*of_the_lake(example("legs", folder)), *of_the_product(example("room_speed", folder))]
    shutil.rmtree(folder)
    return rows


def of_the_lake(told):
    rows = []
    for label, line in by(told, "filter").items():
        p95, found = line["hybrid"]["p95_ms"], line["recall_at_10"]
        rows.append(row(f"lake alone, {CHUNKS:,} chunks, filter {label}: p95", p95, "ms", target="≤ 40 ms", met=p95 <= 40,
                        note=f"p50 {line['hybrid']['p50_ms']:.1f}"))
        rows.append(row("the same: recall@10", found, "", target="≥ 0.95", met=found >= .95))
    whole = by(told, "load")["legs"]
    rows.append(row(f"load {CHUNKS:,} rows, all indexes built", whole["append_seconds"] + whole["index_seconds"], "s", note=parts(whole)))
    return rows


def of_the_product(told):
    searches, recalls, rows = by(told, "search"), by(told, "recall"), []
    for label in ["none", "10 % label"]:
        one, found = searches["hybrid" if label == "none" else f"hybrid, {label}"], recalls[label]["recall_at_10"]
        rows.append(row(f"hybrid search of the product, {CHUNKS:,} chunks, filter {label}: p95", one["p95_ms"], "ms", target="≤ 40 ms",
                        met=one["p95_ms"] <= 40, note=f"p50 {one['p50_ms']:.1f}"))
        rows.append(row("the same: recall@10 of the vector index against exact search", found, "", target="≥ 0.95", met=found >= .95))
    first = by(told, "ingest")["first ingest"]
    before = next(line["resident_mib"] for line in told if "files" in line)
    rows.append(row(f"ingest {CHUNKS:,} chunks with a free embedder: peak memory", first["peak_mib"] - before, "MiB", note=f"{first['seconds']:.0f} s"))
    return rows
