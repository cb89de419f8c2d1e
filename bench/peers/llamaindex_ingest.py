"""LlamaIndex with Chroma, made as quick as it goes: llamaindex_ingest.py DOCS MODEL TOKENIZER

The same int8 model as ours, through ONNX Runtime in batches of 128 texts of like length."""

import sys
import time
from pathlib import Path

from llama_index.core.embeddings import BaseEmbedding

from encoder import Encoder
from llamaindex_pages import ingest

docs, encoder = Path(sys.argv[1]), Encoder(sys.argv[2], sys.argv[3])
encoder.embed(["warm"])
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


ingest(docs, sys.argv[3], Embedding(embed_batch_size=128), spent)
