"""How good the search is on public sets with judgements, and which evidence tells that nothing here answers."""

from results import row
from world import data, example, peer

# nDCG@10 of an independent run, made outside of this repository before its engine existed: BM25 with k1 0.9 and b 0.4,
# exact vector search with the same int8 model, RRF with k 60. Neither set has figures a paper or a leaderboard
# publishes for these methods with this model; README.md beside this folder says what was looked for.
REFERENCE = {
    ("Cranfield", "BM25"): .304, ("Cranfield", "vector"): .361, ("Cranfield", "hybrid"): .384,
    ("XQuAD-en", "BM25"): .959, ("XQuAD-en", "vector"): .943, ("XQuAD-en", "hybrid"): .966,
}


def run(large=False):
    lines = example("retrieval_quality", data())
    rows = []
    for line in (line for line in lines if "run" in line):
        key = (line["set"], line["run"])
        reference, found = REFERENCE.get(key), line["ndcg_at_10"]
        note = f"search p50 {line['p50_ms']:.1f} ms, p95 {line['p95_ms']:.1f} ms without the query's embedding"
        rows.append(row(f"{line['set']}, {line['run']}: nDCG@10", round(found, 3), "", reference, "reference", found / reference if reference else None,
                        "matches or beats the reference" if reference else "", round(found, 3) >= reference - .001 if reference else None, note))
        rows.append(row(f"{line['set']}, {line['run']}: recall@100", round(line["recall_at_100"], 3)))
        if line["run"] == "hybrid, reranked":
            change = line["against_the_run_before"]
            low, high = change["mean"] - change["half_width_95"], change["mean"] + change["half_width_95"]
            verdict = "helps" if low > 0 else "hurts" if high < 0 else "no measurable difference"
            rows.append(row(f"{line['set']}, what reranking changes in nDCG@10", round(change["mean"], 4), "", note=f"95 % interval {low:+.4f} to {high:+.4f}: {verdict}"))
    for line in peer("rag", "bm25.py", data()):
        rows.append(row(f"{line['set']}, BM25 outside of the engine, {line['setting']}: nDCG@10", round(line["ndcg_at_10"], 3)))
    for line in (line for line in lines if "evidence" in line and line["similarity"]["count"]):
        similarity, coverage = line["similarity"], line["coverage"]
        spread = lambda of: " / ".join(f"{of[share]:.2f}" for share in ("p5", "p50", "p95"))
        rows.append(row(f"{line['evidence']}, {line['group']} questions: similarity of the nearest chunk, 5 / 50 / 95 %", spread(similarity),
                        note=f"{similarity['count']} questions; share of their words found: {spread(coverage)}"))
    for line in (line for line in lines if "threshold" in line):
        kept, words = line["answerable_kept"], "words count too" if line["words"] else "similarity alone"
        absent = "" if line["set"] == "XQuAD-en" else f"{1 - line['absent_kept']:.3f} of the absent and "
        rows.append(row(f"{line['set']}, `relevance` {line['threshold']:.2f}, {words}: answerable questions kept", round(kept, 3),
                        note=f"refused: {absent}{1 - line['foreign_kept']:.3f} of the foreign questions"))
    return rows
