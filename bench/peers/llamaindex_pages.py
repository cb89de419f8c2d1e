"""Both peers of `ingest` that are LlamaIndex with Chroma: read, split, embed, store, and what that took.

Text by BeautifulSoup, LlamaIndex's sentence splitter at the chunk size and overlap of our default, vectors into Chroma on disk."""

import json
import logging
import tempfile
import time

import chromadb
import llama_index.core
from bs4 import BeautifulSoup
from llama_index.core import Document, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import run_transformations
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import MetadataMode
from llama_index.vector_stores.chroma import ChromaVectorStore
from tokenizers import Tokenizer

CHUNK, OVERLAP, MAX_TOKENS = 240, 32, 256
logging.disable(logging.WARNING)


def text_of(path):
    page = BeautifulSoup(path.read_bytes(), "lxml")
    return (page.find(attrs={"role": "main"}) or page.body or page).get_text(" ", strip=False)


def ingest(docs, tokenizer_file, embedding, spent):
    """Takes the pages in; `spent` holds the seconds of the embedding, which it keeps itself. Prints one line of JSON."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    began = time.perf_counter()
    splitter = SentenceSplitter(chunk_size=CHUNK, chunk_overlap=OVERLAP, tokenizer=lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
    documents = [Document(text=text_of(path), metadata={"path": str(path.relative_to(docs))}) for path in sorted(docs.rglob("*.html"))]
    nodes = run_transformations(documents, [splitter])
    split = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as home:
        client = chromadb.PersistentClient(home, settings=chromadb.Settings(anonymized_telemetry=False))
        store = ChromaVectorStore(chroma_collection=client.create_collection("bench", configuration={"hnsw": {"space": "cosine"}}))
        index = VectorStoreIndex(nodes, storage_context=StorageContext.from_defaults(vector_store=store), embed_model=embedding)
        seconds = time.perf_counter() - began
        embedded = spent["embed"]
        assert index.as_retriever(similarity_top_k=3).retrieve("How do I sort a list by a key?")
    # What the model saw: the path stands before each text, and what is longer was cut.
    tokens = sum(min(len(tokenizer.encode(node.get_content(MetadataMode.EMBED)).ids), MAX_TOKENS) for node in nodes)
    print(json.dumps({
        "name": f"LlamaIndex {llama_index.core.__version__} + Chroma {chromadb.__version__}", "seconds": seconds, "chunks": len(nodes), "tokens": tokens,
        "split_seconds": split, "embed_seconds": embedded, "add_seconds": seconds - split - embedded,
    }))
