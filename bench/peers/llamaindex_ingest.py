"""LlamaIndex with Chroma over the same files: llamaindex_ingest.py DOCS MODEL TOKENIZER

Text by BeautifulSoup, LlamaIndex's sentence splitter at the chunk size and overlap of our default, the same int8 model
through ONNX Runtime in batches of 128 texts (LlamaIndex's own default of 10 would be slower), vectors into Chroma on disk."""

import json
import logging
import sys
import tempfile
import time
from pathlib import Path

import chromadb
import llama_index.core
from bs4 import BeautifulSoup
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.ingestion import run_transformations
from llama_index.core.node_parser import SentenceSplitter
from llama_index.vector_stores.chroma import ChromaVectorStore

from encoder import Encoder

CHUNK, OVERLAP = 240, 32
logging.disable(logging.WARNING)
docs, encoder = Path(sys.argv[1]), Encoder(sys.argv[2], sys.argv[3])
encoder.embed(["warm"])
encoder.tokens = 0
spent = {"embed": 0.0}


class Embedding(BaseEmbedding):
    def _get_text_embeddings(self, texts):
        began = time.perf_counter()
        vectors = encoder.embed(texts).tolist()
        spent["embed"] += time.perf_counter() - began
        return vectors

    def _get_text_embedding(self, text):
        return self._get_text_embeddings([text])[0]

    _get_query_embedding = _get_text_embedding

    async def _aget_query_embedding(self, query):
        return self._get_text_embedding(query)


def text_of(path):
    page = BeautifulSoup(path.read_bytes(), "lxml")
    return (page.find(attrs={"role": "main"}) or page.body or page).get_text(" ", strip=False)


unlimited = encoder.tokenizer.from_file(sys.argv[3])
unlimited.no_padding()
unlimited.no_truncation()
began = time.perf_counter()
splitter = SentenceSplitter(chunk_size=CHUNK, chunk_overlap=OVERLAP, tokenizer=lambda text: unlimited.encode(text, add_special_tokens=False).ids)
documents = [Document(text=text_of(path), metadata={"path": str(path.relative_to(docs))}) for path in sorted(docs.rglob("*.html"))]
nodes = run_transformations(documents, [splitter])
split = time.perf_counter() - began
with tempfile.TemporaryDirectory() as home:
    client = chromadb.PersistentClient(home, settings=chromadb.Settings(anonymized_telemetry=False))
    store = ChromaVectorStore(chroma_collection=client.create_collection("bench", configuration={"hnsw": {"space": "cosine"}}))
    index = VectorStoreIndex(nodes, storage_context=StorageContext.from_defaults(vector_store=store), embed_model=Embedding(embed_batch_size=128))
    seconds = time.perf_counter() - began
    assert index.as_retriever(similarity_top_k=3).retrieve("How do I sort a list by a key?")
print(json.dumps({
    "name": f"LlamaIndex {llama_index.core.__version__} + Chroma {chromadb.__version__}", "seconds": seconds, "chunks": len(nodes), "tokens": encoder.tokens,
    "split_seconds": split, "embed_seconds": spent["embed"], "add_seconds": seconds - split - spent["embed"],
}))
