"""How soon the first token of an answer comes with some 1,500 tokens of context, on the local chat model."""

import json
import random
import time

from results import row
from world import CHAT, Server, peer, percentile, scratch

MODEL, ROUNDS, TOKENS = "smollm2-135m-instruct", 7, 1_500
WORDS = ("the pump valve spring wheel engine pressure water oil shaft gear drive motor belt frame bolt plate seal ring cover "
         "turn check replace open close fill drain clean every week month year before after when until and or with from into").split()


def context(seed):
    """Plain words of a manual, other ones each time, so that nothing of the prompt is known from before."""
    random.seed(seed)
    sentences, count = [], 0
    while count < TOKENS - 60:
        sentence = [random.choice(WORDS) for _ in range(11)]
        sentences.append(" ".join(sentence).capitalize() + ".")
        count += 12.4
    return " ".join(sentences)


def ask(server, seed, max_tokens=24):
    content = f"Here is a page of a manual.\n\n{context(seed)}\n\nUsing only the text above: what is replaced every year?"
    body = {"model": MODEL, "messages": [{"role": "user", "content": content}], "temperature": 0, "max_tokens": max_tokens, "stream": True,
            "stream_options": {"include_usage": True}}
    began, first, last, usage, pieces = time.perf_counter(), None, None, None, 0
    with server.post("/v1/chat/completions", body) as answer:
        for line in answer:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            usage = event.get("usage") or usage
            if any(choice["delta"].get("content") for choice in event.get("choices", [])):
                last = time.perf_counter()
                first = first or last
                pieces += 1
    if first is None:
        raise RuntimeError("no token came")
    return first - began, usage, (last - first), pieces


def run(large=False):
    with scratch() as folder, Server(folder) as server:
        ask(server, 0)  # loads the model
        asked = [ask(server, seed) for seed in range(1, ROUNDS + 1)]
        again = ask(server, ROUNDS)[0]
    tokens = asked[0][1]["prompt_tokens"]
    firsts = [seconds for seconds, *_ in asked]
    prefill = percentile([usage["prompt_tokens"] / seconds for seconds, usage, *_ in asked], .5)
    decode = percentile([(usage["completion_tokens"] - 1) / after for _, usage, after, pieces in asked if after], .5)
    note = f"p50 of {ROUNDS}, slowest {max(firsts):.2f} s, {tokens:,} tokens of prompt"
    try:
        engine = peer("llama", "llama_speed.py", CHAT, tokens)[0]
    except Exception as error:
        engine, note = None, f"{note}; the engine's own could not be measured: {str(error)[:160]}"
    name = engine and f"llama.cpp through llama-cpp-python {engine['version']}, 2 threads"
    first = percentile(firsts, .5)
    return [
        row("time to the first token through /v1/chat/completions", first, "s", engine and engine["prefill_seconds"], name or "",
            engine and engine["prefill_seconds"] / first, "as short as the engine allows", None, note),
        row("prefill", prefill, "tokens/s", engine and engine["prefill_tokens_per_second"], name or "", engine and prefill / engine["prefill_tokens_per_second"]),
        row("decode", decode, "tokens/s", engine and engine["decode_tokens_per_second"], name or "", engine and decode / engine["decode_tokens_per_second"]),
        row("time to the first token, the same question again", again, "s", note="the prompt's computed prefix is kept"),
    ]
