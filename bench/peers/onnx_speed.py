"""Tokens a second of ONNX Runtime alone: onnx_speed.py MODEL TOKENIZER TEXTS.json"""

import json
import sys
import time

from encoder import Encoder

encoder = Encoder(sys.argv[1], sys.argv[2])
texts = json.load(open(sys.argv[3]))
encoder.embed(texts[:8])
encoder.tokens, began = 0, time.perf_counter()
for start in range(0, len(texts), 128):
    encoder.embed(texts[start:start + 128])
print(json.dumps({"tokens_per_second": encoder.tokens / (time.perf_counter() - began)}))
