"""The int8 MiniLM through ONNX Runtime: texts in, unit vectors out, batches padded to their longest text."""

import os

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

MAX_TOKENS, BATCH_TOKENS = 256, 2048


class Encoder:
    def __init__(self, model, tokenizer):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = os.cpu_count()
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.inputs = {one.name for one in self.session.get_inputs()}
        self.tokenizer = Tokenizer.from_file(tokenizer)
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokens = 0

    def embed(self, texts):
        encoded = self.tokenizer.encode_batch(texts)
        # Like lengths together, so that little is padded: what a careful user of the runtime does, and what we do.
        order = sorted(range(len(texts)), key=lambda at: -len(encoded[at].ids))
        vectors, start = np.zeros((len(texts), 384), np.float32), 0
        while start < len(order):
            width = len(encoded[order[start]].ids)
            batch = order[start:start + max(1, BATCH_TOKENS // width)]
            start += len(batch)
            ids, mask = np.zeros((len(batch), width), np.int64), np.zeros((len(batch), width), np.int64)
            for at, number in enumerate(batch):
                length = len(encoded[number].ids)
                ids[at, :length], mask[at, :length] = encoded[number].ids, 1
                self.tokens += length
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            hidden = self.session.run(None, {name: value for name, value in given.items() if name in self.inputs})[0]
            pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
            vectors[batch] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors
