"""From a folder of HTML to searchable with the real encoder, beside LlamaIndex with Chroma on the same files and weights."""

import concurrent.futures
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from results import row
from world import ENCODER, ROOT, TOKENIZER, Server, example, peer, say, scratch

PACKAGE, PAGES = "python3.11-doc", Path("/usr/share/doc/python3.11/html")
# The example over these pages, and where it looks for them.
EXAMPLE, PLACE = ROOT / "examples/python-docs/knowledge.yaml", "/usr/share/doc/python3-doc/html"
PARTS = ("tutorial", "howto", "faq", "library", "reference", "c-api")
MIB = 2**20
# Texts of the run's own chunks that the encoders are measured on.
SAMPLE = 2_000


def pages():
    """A fixed part of the documentation of Python: every part that the example has, and every second page of the two largest."""
    if not PAGES.exists():
        say(f"installing the Debian package {PACKAGE}")
        sudo = [] if os.geteuid() == 0 else ["sudo"]
        subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", PACKAGE], check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
    parts = {part: sorted((PAGES / part).glob("*.html")) for part in PARTS}
    return [page for part, found in parts.items() for page in (found[::2] if part in ("library", "c-api") else found)]


def spec(folder, docs):
    """The example's own knowledge `python`, over these pages and changed in nothing else."""
    one = next(text for text in EXAMPLE.read_text().split("\n---\n") if "\nname: python\n" in text)
    assert all(f"{PLACE}/{part}," in one for part in PARTS), f"{EXAMPLE} reads other parts than this bench gives the peers"
    path = folder / "python.yaml"
    path.write_text(one.replace(PLACE, str(docs)))
    return path


def run(large=False):
    with scratch() as folder:
        docs = Path(folder) / "docs"
        for page in pages():
            (docs / page.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(page, docs / page.parent.name / page.name)
        count = sum(1 for _ in docs.rglob("*.html"))
        size = sum(page.stat().st_size for page in docs.rglob("*.html")) / MIB
        with Server(folder) as server:
            server.command("apply", spec(Path(folder), docs))
            # The encoder is loaded before the clock runs, on both sides.
            embed(server, ["warm"])
            loaded = server.resident()
            began = time.perf_counter()
            report = server.command("ingest", "python")["report"]
            seconds = time.perf_counter() - began
            peak, children = server.peak(), server.children_peak
            question = {"query": "How do I sort a list by a key?", "metadata": {"part": ["howto"]}}
            found = json.load(server.post("/api/v1/knowledge/python/search", question))
            assert found["passages"], "nothing is found after the ingestion"
            assert all(passage["metadata"]["part"] == "howto" for passage in found["passages"]), found["passages"]
            assert report["added"] + report["failed"] == count, f"{report['added']} of {count} pages were taken in: {report}"
            texts = chunks(server)
            over_http = encoder(server, texts)
        if report["failed"]:
            say(f"{report['failed']} documents failed")
        sample = Path(folder) / "texts.json"
        sample.write_text(json.dumps(texts))
        plain = Path(folder) / "texts.nul"
        plain.write_text("\0".join(text.replace("\0", " ") for text in texts))
        # In a process of its own, without HTTP: the most the encoder can do.
        alone = example("throughput", plain)[0]["tokens_per_second"]
        onnx = peer("rag", "onnx_speed.py", ENCODER, TOKENIZER, sample)[0]["tokens_per_second"]
        index = peer("rag", "llamaindex_ingest.py", docs, ENCODER, TOKENIZER)[0]
        as_it_comes = peer("rag_torch", "llamaindex_asis.py", docs)[0]
        rate = report["tokens"] / seconds
        what = f"{count} HTML files, {size:.0f} MiB, to searchable"
        return [
            *beside(what, seconds, report, as_it_comes, f"{as_it_comes['name']} as it comes: f32 weights in PyTorch, batches of 10"),
            *beside(what, seconds, report, index, f"{index['name']} made quick: our int8 weights in ONNX Runtime, batches of 128 of like length"),
            row("share of the encoder's own tokens/s", rate / alone, "", target="≥ 0.85", met=rate / alone >= .85,
                note=f"the encoder alone, in a process of its own on {len(texts):,} of the same chunks: {alone:,.0f} tokens/s; "
                     f"the same through /v1/embeddings: {over_http:,.0f}"),
            row("the encoder alone", alone, "tokens/s", onnx, "ONNX Runtime, same file and texts", alone / onnx),
            row("peak memory of the server beyond the loaded encoder", (peak - loaded) / MIB, "MiB", target="< 1 GiB", met=peak - loaded < 2**30,
                note=f"{loaded / MIB:.0f} MiB with the encoder loaded; parser processes at most {children / MIB:.0f} MiB together"),
        ]


def beside(what, seconds, report, index, name):
    """Ours and a peer's time for the same files; the peer's is told by stage."""
    ours, peers = report["tokens"] / seconds, index["tokens"] / index["seconds"]
    ratio = index["seconds"] / seconds
    stages = ", ".join(f"{stage} {index[f'{field}_seconds']:.1f}" for stage, field in (("read and split", "split"), ("embed", "embed"), ("add to Chroma", "add")))
    return [
        row(what, seconds, "s", index["seconds"], name, ratio, "≥ 3×", ratio >= 3,
            f"ours {report['chunks']:,} chunks, peer {index['chunks']:,}; {report['failed']} failed; the peer's seconds: {stages}"),
        row("tokens embedded a second, whole ingestion", ours, "tokens/s", peers, name, ours / peers,
            note=f"ours {report['tokens']:,} tokens, peer {index['tokens']:,}"),
    ]


def embed(server, texts):
    return json.load(server.post("/v1/embeddings", {"model": "all-minilm-l6-v2", "input": texts, "encoding_format": "base64"}))["usage"]["prompt_tokens"]


def chunks(server):
    """Texts of the chunks the run made, spread over the documents."""
    texts, cursor = [], ""
    documents = []
    while True:
        page = server.get(f"/api/v1/knowledge/python/documents?limit=100{cursor}")
        documents += page["items"]
        if not page.get("next"):
            break
        cursor = f"&cursor={page['next']}"
    for document in documents:
        text = server.get(f"/api/v1/knowledge/python/documents/{document['id']}/text")["text"].encode()
        of = server.get(f"/api/v1/knowledge/python/documents/{document['id']}/chunks?limit=100")["items"]
        texts += [f"{one.get('header') or ''}\n{text[one['start']:one['end']].decode(errors='replace')}" for one in of]
    return texts[::max(1, len(texts) // SAMPLE)][:SAMPLE]


def encoder(server, texts):
    """Tokens a second of the encoder when it is never short of work: three calls of 128 texts under way."""
    calls = [texts[at:at + 128] for at in range(0, len(texts), 128)]
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        began = time.perf_counter()
        tokens = sum(pool.map(lambda call: embed(server, call), calls))
        return tokens / (time.perf_counter() - began)
