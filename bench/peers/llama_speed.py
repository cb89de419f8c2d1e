"""llama.cpp's own prefill and decode speed on the same file: llama_speed.py MODEL.gguf TOKENS"""

import json
import os
import random
import sys
import time

import llama_cpp

tokens, decoded, rounds = int(sys.argv[2]), 24, 5
model = llama_cpp.Llama(sys.argv[1], n_ctx=4096, n_batch=512, n_threads=os.cpu_count(), n_threads_batch=os.cpu_count(), verbose=False)
prefill, decode = [], []
for number in range(rounds + 1):
    random.seed(number)
    prompt = [random.randrange(1_000, 40_000) for _ in range(tokens)]
    model.reset()
    began = time.perf_counter()
    model.eval(prompt)
    first = model.sample(temp=0)
    middle = time.perf_counter()
    for _ in range(decoded):
        model.eval([first])
        first = model.sample(temp=0)
    if number:  # the first round warms
        prefill.append(middle - began)
        decode.append(decoded / (time.perf_counter() - middle))
prefill.sort()
decode.sort()
middle = prefill[len(prefill) // 2]
print(json.dumps({"version": llama_cpp.__version__, "prefill_seconds": middle, "prefill_tokens_per_second": tokens / middle,
                  "decode_tokens_per_second": decode[len(decode) // 2]}))
