"""The official Python client, unmodified, against every endpoint it can reach."""

import base64
import json
import os
import struct
import time

import openai
from openai import OpenAI

ROOT = os.environ["MAINSPRING_URL"]
client = OpenAI(base_url=ROOT + "/v1", api_key="unused", max_retries=0)
CHAT = "smollm2-135m-instruct"
passed = 0


def scenario(test):
    global passed
    test()
    passed += 1
    print(f"  ok {test.__doc__}")


@scenario
def models():
    """models are listed and shown, and an unknown one is a 404 that names the nearest"""
    names = [model.id for model in client.models.list()]
    assert {"manual", CHAT, "all-minilm-l6-v2"} <= set(names), names
    assert client.models.retrieve(CHAT).id == CHAT
    try:
        client.models.retrieve("smollm2-135m-instrct")
        raise AssertionError("an unknown model was found")
    except openai.NotFoundError as error:
        assert CHAT in error.message, error.message


@scenario
def demo_question():
    """the question that the demo asks is answered rightly, whatever else was written into the manual meanwhile"""
    question = "Which address does Mainspring listen on, and does it need a key there?"
    answer = client.chat.completions.create(model="manual", messages=[{"role": "user", "content": question}])
    text = answer.choices[0].message.content
    assert "127.0.0.1:7400" in text and "needs no key" in text, answer
    assert answer.model_extra["mainspring"]["citations"], answer


@scenario
def grounded_answer():
    """an app answers with citations that point into its sources"""
    answer = client.chat.completions.create(
        model="manual",
        messages=[{"role": "user", "content": "Which address and port does Mainspring listen on?"}],
        seed=1,
    )
    message = answer.choices[0].message
    extra = answer.model_extra["mainspring"]
    assert message.content and answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert extra["sources"] and len(extra["trace_id"]) == 32
    numbers = {source["number"] for source in extra["sources"]}
    assert extra["citations"], answer
    assert {citation["source"] for citation in extra["citations"]} <= numbers, extra["citations"]
    assert len(message.annotations) == len(extra["citations"])
    for annotation in message.annotations:
        cited = annotation.url_citation
        assert annotation.type == "url_citation"
        assert cited.url.startswith("http") and "/knowledge/" in cited.url, cited
        assert 0 <= cited.start_index < cited.end_index <= len(message.content), cited


@scenario
def abstains():
    """an app says that it does not know instead of guessing"""
    answer = client.chat.completions.create(
        model="manual", messages=[{"role": "user", "content": "Who won the 1974 football world cup final in Munich?"}]
    )
    assert answer.model_extra["mainspring"]["abstained"] is True, answer
    assert answer.choices[0].message.content == "The manual does not say anything about that."
    assert answer.usage.total_tokens == 0


@scenario
def abstains_as_a_refusal():
    """under a JSON format an app that does not know refuses, whole and streamed"""
    request = dict(
        model="manual",
        messages=[{"role": "user", "content": "Who won the 1974 football world cup final in Munich?"}],
        response_format={"type": "json_object"},
    )
    message = client.chat.completions.create(**request).choices[0].message
    assert message.content is None and message.refusal == "The manual does not say anything about that.", message
    deltas = [choice.delta for chunk in client.chat.completions.create(**request, stream=True) for choice in chunk.choices]
    assert "".join(delta.refusal or "" for delta in deltas) == message.refusal
    assert not any(delta.content for delta in deltas), deltas


@scenario
def streamed_answer():
    """a stream gives the same text, its citations in the last chunk, and usage when asked"""
    request = dict(
        model="manual", messages=[{"role": "user", "content": "What happens to acknowledged writes after kill -9?"}], seed=3, temperature=0
    )
    whole = client.chat.completions.create(**request)
    text, last, usage, finish = "", None, None, None
    for chunk in client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}):
        if chunk.usage:
            usage = chunk.usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            if choice.finish_reason:
                finish, last = choice.finish_reason, chunk
    assert text == whole.choices[0].message.content
    assert finish == whole.choices[0].finish_reason
    assert usage.completion_tokens == whole.usage.completion_tokens
    assert last.model_extra["mainspring"]["sources"] == whole.model_extra["mainspring"]["sources"]
    assert last.model_extra["mainspring"]["citations"] == whole.model_extra["mainspring"]["citations"]
    annotations = [annotation.model_dump() for annotation in whole.choices[0].message.annotations]
    assert last.choices[0].delta.model_extra["annotations"] == annotations, (last, annotations)


@scenario
def seeds():
    """one seed gives one text"""
    def ask(seed):
        return client.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": "Tell me a story."}], seed=seed, temperature=1, max_tokens=24
        ).choices[0].message.content

    assert ask(7) == ask(7)
    assert len({ask(seed) for seed in range(4)}) > 1


@scenario
def stops():
    """a stop sequence ends the answer and is not part of it"""
    request = dict(model=CHAT, messages=[{"role": "user", "content": "Count from 1 to 10."}], temperature=0, max_tokens=64)
    free = client.chat.completions.create(**request).choices[0].message.content
    stopped = client.chat.completions.create(**request, stop=["3"]).choices[0]
    assert "3" in free and stopped.message.content == free.split("3")[0], (free, stopped)
    assert stopped.finish_reason == "stop"
    length = client.chat.completions.create(model=CHAT, messages=[{"role": "user", "content": "Tell me a long story."}], max_tokens=5)
    assert length.choices[0].finish_reason == "length" and length.usage.completion_tokens == 5


@scenario
def alternatives():
    """`n` gives several choices, streamed too"""
    request = dict(model=CHAT, messages=[{"role": "user", "content": "Name an animal."}], n=2, max_tokens=8, seed=5)
    answer = client.chat.completions.create(**request)
    assert [choice.index for choice in answer.choices] == [0, 1]
    texts = {0: "", 1: ""}
    for chunk in client.chat.completions.create(**request, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == {choice.index: choice.message.content for choice in answer.choices}


@scenario
def json_schema():
    """an answer under a JSON Schema parses and fits it"""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 120}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "Invent a person. Answer as JSON."}],
        response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}},
        max_tokens=100,
        temperature=0,
    )
    person = json.loads(answer.choices[0].message.content)
    assert set(person) == {"name", "age"} and isinstance(person["age"], int), person


@scenario
def logprobs():
    """log probabilities come with each token and its alternatives"""
    answer = client.chat.completions.create(
        model=CHAT, messages=[{"role": "user", "content": "Say yes."}], logprobs=True, top_logprobs=3, max_tokens=4, temperature=0
    )
    content = answer.choices[0].logprobs.content
    assert "".join(token.token for token in content) == answer.choices[0].message.content
    for token in content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        assert token.top_logprobs[0].logprob >= token.top_logprobs[1].logprob


@scenario
def completions():
    """plain completions continue raw text, whole and streamed"""
    request = dict(model=CHAT, prompt="The capital of France is", max_tokens=6, temperature=0)
    whole = client.completions.create(**request)
    assert whole.choices[0].text and whole.usage.completion_tokens <= 6
    streamed = "".join(choice.text for chunk in client.completions.create(**request, stream=True) for choice in chunk.choices)
    assert streamed == whole.choices[0].text


def joined(stream):
    """The texts of a stream's choices, why each ended, and what was used."""
    texts, ends, usage = {}, {}, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + choice.text
            ends[choice.index] = choice.finish_reason or ends.get(choice.index)
    return texts, ends, usage


@scenario
def several_completions():
    """several prompts and alternatives are the same whole and streamed, with usage, for a model and for an app"""
    for model, prompts in ((CHAT, ["The sky is", "Two and two are"]), ("manual", ["What is an alias?", "What is a chunk?"])):
        request = dict(model=model, prompt=prompts, n=2, max_tokens=5, temperature=0, seed=1, echo=True, user="tester")
        whole = client.completions.create(**request)
        assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
        for choice in whole.choices:
            assert choice.text.startswith(prompts[choice.index // 2]), choice
        texts, ends, usage = joined(client.completions.create(**request, stream=True, stream_options={"include_usage": True}))
        assert texts == {choice.index: choice.text for choice in whole.choices}
        assert ends == {choice.index: choice.finish_reason for choice in whole.choices}
        assert usage.completion_tokens == whole.usage.completion_tokens > 0
        assert usage.prompt_tokens == whole.usage.prompt_tokens > 0
        # Every answer is a trace of its own.
        traces = [choice.model_extra["mainspring"]["trace_id"] for choice in whole.choices]
        assert len(set(traces)) == (4 if model == CHAT else 2), traces


@scenario
def completion_logprobs():
    """log probabilities of a completion have the older shape, for a model and through an app"""
    for model, prompt in ((CHAT, "The capital of France is"), ("manual-chat", "What is an alias?")):
        request = dict(model=model, prompt=prompt, logprobs=2, max_tokens=4, temperature=0)
        choice = client.completions.create(**request).choices[0]
        assert "".join(choice.logprobs.tokens) == choice.text and len(choice.logprobs.top_logprobs[0]) == 2, choice
        chunks = [chunk.choices[0] for chunk in client.completions.create(**request, stream=True) if chunk.choices]
        offsets = [offset for chunk in chunks if chunk.logprobs for offset in chunk.logprobs.text_offset]
        assert offsets == choice.logprobs.text_offset, (offsets, choice.logprobs.text_offset)


@scenario
def replayed():
    """each of several prompts can be replayed by itself"""
    answer = client.completions.create(model="manual", prompt=["What is an alias?", "What is a chunk?"], max_tokens=5)
    for choice in answer.choices:
        trace = choice.model_extra["mainspring"]["trace_id"]
        replay = client.with_options(timeout=240).post(f"{ROOT}/api/v1/traces/{trace}/replay", body={}, cast_to=object)
        assert replay["same"] and replay["original"] == choice.text, (replay, choice)
        assert replay["sources"]["gone"] == replay["sources"]["new"] == [], replay


@scenario
def embeddings():
    """embeddings as floats and as base64 are the same unit vectors"""
    texts = ["A cat sits on the mat.", "Ein Satz.", "x"]
    floats = client.embeddings.create(model="all-minilm-l6-v2", input=texts, encoding_format="float")
    packed = client.embeddings.with_raw_response.create(model="all-minilm-l6-v2", input=texts, encoding_format="base64").http_response.json()
    for plain, coded in zip(floats.data, packed["data"], strict=True):
        decoded = struct.unpack("<384f", base64.b64decode(coded["embedding"]))
        assert max(abs(a - b) for a, b in zip(plain.embedding, decoded, strict=True)) < 1e-3
        assert abs(sum(x * x for x in decoded) - 1) < 1e-3
    assert floats.usage.prompt_tokens > 0
    assert len(client.embeddings.create(model="all-minilm-l6-v2", input="default encoding").data[0].embedding) == 384
    assert len(client.embeddings.create(model="all-minilm-l6-v2", input="x", dimensions=384).data[0].embedding) == 384


def refused(kind, code, call):
    try:
        call()
    except kind as error:
        assert error.code == code, (error.code, error.message)
        return error
    raise AssertionError(f"{code} was not refused")


@scenario
def errors():
    """errors have OpenAI's shape, a stable code, and name the parameter"""
    hello = [{"role": "user", "content": "hello"}]
    chat = client.chat.completions.create
    refused(openai.NotFoundError, "model_not_found", lambda: chat(model="nothing-here", messages=hello))
    error = refused(openai.BadRequestError, "openai-invalid-parameter", lambda: chat(model=CHAT, messages=hello, temperature=9))
    assert error.param == "temperature"
    refused(openai.BadRequestError, "openai-unsupported-parameter", lambda: chat(model=CHAT, messages=hello, logit_bias={"5": 1}))
    refused(openai.BadRequestError, "openai-unsupported-parameter", lambda: chat(model=CHAT, messages=hello, tools=[{"type": "function", "function": {"name": "f"}}]))
    refused(openai.BadRequestError, "openai-unsupported-parameter", lambda: chat(model=CHAT, messages=hello, reasoning_effort="low"))
    refused(openai.BadRequestError, "openai-unsupported-parameter", lambda: chat(model=CHAT, messages=hello, extra_body={"top_k": 4}))
    assert refused(openai.BadRequestError, "openai-invalid-parameter", lambda: chat(model=CHAT, messages=hello, extra_body={"temprature": 0})).param == "temprature"
    refused(openai.BadRequestError, "openai-unsupported-parameter", lambda: client.completions.create(model=CHAT, prompt="x", echo=True, logprobs=1))
    refused(openai.BadRequestError, "openai-unsupported-parameter", lambda: client.completions.create(model="manual", prompt="x", suffix="y"))
    assert chat(model=CHAT, messages=hello, max_tokens=2, store=True, metadata={"a": "b"}, service_tier="auto").choices
    refused(openai.BadRequestError, "context_length_exceeded", lambda: chat(model=CHAT, messages=[{"role": "user", "content": "word " * 9000}]))
    refused(openai.BadRequestError, "openai-invalid-parameter", lambda: client.embeddings.create(model="all-minilm-l6-v2", input="x", dimensions=12))


@scenario
def content_parts():
    """text parts are read, other parts are refused by name"""
    parts = [{"type": "text", "text": "Say"}, {"type": "text", "text": "hi."}]
    assert client.chat.completions.create(model=CHAT, messages=[{"role": "user", "content": parts}], max_tokens=4).choices
    image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    refused(openai.BadRequestError, "openai-unsupported-parameter", lambda: client.chat.completions.create(model=CHAT, messages=[{"role": "user", "content": image}]))


@scenario
def hang_up():
    """a client that hangs up frees the model for the next one"""
    stream = client.chat.completions.create(model=CHAT, messages=[{"role": "user", "content": "Write a very long story."}], stream=True, max_tokens=4000)
    next(iter(stream))
    stream.close()
    assert client.chat.completions.create(model=CHAT, messages=[{"role": "user", "content": "hi"}], max_tokens=2).choices


@scenario
def files():
    """files are sent, listed page by page, read and deleted"""
    made = [client.files.create(file=(f"notes-{n}.txt", f"note {n}".encode()), purpose="user_data") for n in range(3)]
    assert [file.bytes for file in made] == [6, 6, 6] and made[0].status == "processed", made
    listed = [file.id for file in client.files.list(purpose="user_data", limit=2)]
    assert listed == [file.id for file in reversed(made)], listed
    assert client.files.retrieve(made[0].id) == made[0]
    assert client.files.content(made[1].id).read() == b"note 1"
    for file in made:
        assert client.files.delete(file.id).deleted
    assert client.files.list(purpose="user_data").data == []
    kept = client.files.create(file=("kept.jsonl", b"x"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600})
    assert kept.expires_at == kept.created_at + 3600, kept
    client.files.delete(kept.id)


def ended(batch):
    """The batch when it is at its end; request counts only ever grow."""
    deadline, done = time.monotonic() + 240, 0
    while batch.status in ("validating", "in_progress", "finalizing", "cancelling"):
        assert time.monotonic() < deadline, batch
        time.sleep(0.2)
        batch = client.batches.retrieve(batch.id)
        counts = batch.request_counts
        assert done <= counts.completed + counts.failed <= counts.total or counts.total == 0, counts
        done = counts.completed + counts.failed
    return batch


def submitted(lines, endpoint="/v1/chat/completions", **more):
    file = client.files.create(file=("lines.jsonl", "\n".join(lines).encode()), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


def line(name, model, text):
    body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 4}
    return json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": body})


def results(file):
    return {result["custom_id"]: result for result in map(json.loads, client.files.content(file).text.splitlines())}


@scenario
def batches():
    """a batch of an app, a model and a name nobody has is answered line by line, with its errors apart"""
    batch = submitted(
        [line("app", "manual", "What is an alias?"), line("model", CHAT, "Say hi."), line("nobody", "nothing-here", "Hello.")],
        metadata={"for": "scenarios"},
    )
    assert batch.status == "validating" and batch.metadata == {"for": "scenarios"}, batch
    assert batch.expires_at == batch.created_at + 86400, batch
    batch = ended(batch)
    counts = batch.request_counts
    assert (batch.status, counts.total, counts.completed, counts.failed) == ("completed", 3, 2, 1), batch
    good, failed = results(batch.output_file_id), results(batch.error_file_id)
    assert set(good) == {"app", "model"} and all(result["response"]["status_code"] == 200 for result in good.values()), good
    assert good["app"]["response"]["body"]["mainspring"]["sources"], good["app"]
    assert failed["nobody"]["response"]["body"]["error"]["code"] == "model_not_found", failed
    assert client.batches.list(limit=1).data[0].id == batch.id
    refused(openai.ConflictError, "batch-ended", lambda: client.batches.cancel(batch.id))


@scenario
def batches_that_end_early():
    """a batch with bad lines fails with their numbers, and a cancelled one keeps what it has"""
    batch = ended(submitted([line("a", CHAT, "Hi."), "nonsense", line("a", CHAT, "Hi.")]))
    assert batch.status == "failed" and batch.output_file_id is None, batch
    told = [(error.code, error.line) for error in batch.errors.data]
    assert told == [("invalid_json_line", 2), ("duplicate_custom_id", 3)], told
    batch = submitted([line(f"n{n}", CHAT, "Tell me a story.") for n in range(200)])
    assert client.batches.cancel(batch.id).status == "cancelling"
    batch = ended(batch)
    assert batch.status == "cancelled" and batch.cancelled_at >= batch.cancelling_at, batch
    assert batch.request_counts.completed < 200, batch


print(f"{passed} passed, 0 failed")
