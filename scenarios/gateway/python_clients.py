"""The official Python clients of OpenAI, Anthropic and Cohere, unmodified, against a provider of every kind."""

import json
import os
import time

import cohere
import openai
from anthropic import Anthropic
from openai import OpenAI

from scripted import KINDS, Upstream, apply

ROOT = os.environ["MAINSPRING_URL"]
theirs = OpenAI(base_url=ROOT + "/v1", api_key="unused", max_retries=0)
claude = Anthropic(base_url=ROOT, api_key="unused", max_retries=0)
first, second = (client(base_url=ROOT, api_key="unused") for client in (cohere.Client, cohere.ClientV2))
HELLO = [{"role": "user", "content": "hello"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
passed = 0


def scenario(test, kinds=KINDS):
    global passed
    for kind in kinds:
        test(kind)
    passed += 1
    print(f"  ok {test.__doc__}")


def refused(kind, status):
    target = {"provider": f"a-{kind}", "model": f"do:status={status},retry-after=7"}
    return "route", f"refused-{kind}-{status}", {"targets": [target], "retry": {"attempts": 0}}


def model(kind, behaviour="text=one two three"):
    return f"a-{kind}/do:{behaviour}"


with Upstream() as upstream:
    local = ("provider", "a-local", {"type": "local"})
    apply([local] + [upstream.provider(kind) for kind in KINDS] + [refused(kind, status) for kind in KINDS for status in (429, 400, 404)])

    @scenario
    def chat(kind):
        """OpenAI's client: chat completions, whole and streamed, with usage"""
        request = dict(model=model(kind), messages=HELLO, max_tokens=50)
        raw = theirs.chat.completions.with_raw_response.create(**request)
        whole = raw.parse()
        assert whole.choices[0].message.content == "one two three" and whole.choices[0].finish_reason == "stop", (kind, whole)
        assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens) == (12, 8, 20), (kind, whole)
        assert raw.headers["x-mainspring-provider"] == f"a-{kind}" and raw.headers["x-mainspring-usage"] == "reported", raw.headers
        chunks = list(theirs.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}))
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        ends = [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason]
        assert (text, ends) == ("one two three", ["stop"]), (kind, chunks)
        assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 20, (kind, chunks[-1])
        assert len({chunk.id for chunk in chunks}) == 1 and chunks[0].id, (kind, "one name for one stream")

    @scenario
    def tools(kind):
        """OpenAI's client: a tool is called, whole and streamed, and its result goes back"""
        functions = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
        request = dict(model=model(kind, "tool=weather"), messages=HELLO, tools=functions, max_tokens=50)
        choice = theirs.chat.completions.create(**request).choices[0]
        call = choice.message.tool_calls[0]
        assert choice.finish_reason == "tool_calls" and call.function.name == "weather", (kind, choice)
        assert json.loads(call.function.arguments) == {"city": "Paris"}, (kind, call)
        deltas = [choice.delta for chunk in theirs.chat.completions.create(**request, stream=True) for choice in chunk.choices]
        pieces = [piece for delta in deltas for piece in delta.tool_calls or []]
        assert {piece.index for piece in pieces} == {0} and pieces[0].function.name == "weather", (kind, pieces)
        assert json.loads("".join(piece.function.arguments or "" for piece in pieces)) == {"city": "Paris"}, (kind, pieces)
        back = HELLO + [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
        again = theirs.chat.completions.create(model=model(kind), messages=back, tools=functions, max_tokens=50)
        assert again.choices[0].message.content == "one two three", (kind, again)

    @scenario
    def parsed(kind):
        """OpenAI's client: an answer under a JSON Schema, parsed by the client"""
        answer = theirs.chat.completions.create(
            model=model(kind, 'text={"city":"Paris"}'),
            messages=HELLO,
            max_tokens=50,
            response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}},
        )
        assert json.loads(answer.choices[0].message.content) == {"city": "Paris"}, (kind, answer)

    @scenario
    def responses(kind):
        """OpenAI's client: responses, whole and streamed"""
        whole = theirs.responses.create(model=model(kind), input="hello", max_output_tokens=50)
        assert (whole.output_text, whole.status) == ("one two three", "completed"), (kind, whole)
        assert (whole.usage.input_tokens, whole.usage.output_tokens) == (12, 8), (kind, whole.usage)
        with theirs.responses.stream(model=model(kind), input="hello", max_output_tokens=50) as stream:
            text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
            final = stream.get_final_response()
        assert text == final.output_text == "one two three" and final.usage.total_tokens == 20, (kind, final)
        functions = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": True}]
        asked = theirs.responses.create(model=model(kind, "tool=weather"), input="hello", tools=functions)
        call = next(item for item in asked.output if item.type == "function_call")
        assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Paris"}), (kind, asked)

    @scenario
    def kept(kind):
        """OpenAI's client: a response is read, listed, polled, cancelled and deleted where it is kept"""
        made = theirs.responses.create(model=model(kind), input="hello", store=True)
        if kind != "azure":
            # Whoever has no such endpoint keeps nothing.
            for ask, error, code in [
                (lambda: theirs.responses.retrieve(made.id), openai.NotFoundError, "response-not-kept"),
                (lambda: theirs.responses.create(model=model(kind), input="x", background=True), openai.BadRequestError, "upstream-unsupported"),
            ]:
                try:
                    ask()
                except error as refused:
                    assert refused.code == code, (kind, refused)
                else:
                    raise AssertionError(f"{kind}: {code}")
            return
        again = theirs.responses.retrieve(made.id)
        assert (again.id, again.output_text, again.usage.output_tokens) == (made.id, "one two three", 8), again
        items = list(theirs.responses.input_items.list(made.id))
        assert [item.content[0].text for item in items] == ["hello"], items
        theirs.responses.delete(made.id)
        try:
            theirs.responses.retrieve(made.id)
            raise AssertionError("it was deleted")
        except openai.NotFoundError as gone:
            assert "not found" in gone.message, gone
        begun = theirs.responses.create(model=model(kind), input="hello", background=True)
        assert begun.status == "queued" and begun.usage is None, begun
        while begun.status in ("queued", "in_progress"):
            time.sleep(0.1)
            begun = theirs.responses.retrieve(begun.id)
        assert (begun.status, begun.output_text) == ("completed", "one two three"), begun
        other = theirs.responses.create(model=model(kind), input="hello", background=True)
        assert theirs.responses.cancel(other.id).status == "cancelled", other

    @scenario
    def messages(kind):
        """Anthropic's client: messages, whole and streamed, with usage"""
        request = dict(model=model(kind), messages=HELLO, max_tokens=50, system="You are brief.")
        whole = claude.messages.create(**request)
        assert (whole.content[0].text, whole.stop_reason) == ("one two three", "end_turn"), (kind, whole)
        assert (whole.usage.input_tokens, whole.usage.output_tokens) == (12, 8), (kind, whole.usage)
        assert whole.id.startswith("msg_"), (kind, whole.id)
        with claude.messages.stream(**request) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        assert text == final.content[0].text == "one two three" and final.stop_reason == "end_turn", (kind, final)
        assert final.usage.output_tokens == 8 and final.id.startswith("msg_") and len(final.id) > 4, (kind, final)

    @scenario
    def claudes_tools(kind):
        """Anthropic's client: a tool is called, whole and streamed, and its result goes back"""
        functions = [{"name": "weather", "description": "Tells it.", "input_schema": SCHEMA}]
        request = dict(model=model(kind, "tool=weather"), messages=HELLO, max_tokens=50, tools=functions)
        message = claude.messages.create(**request)
        use = next(block for block in message.content if block.type == "tool_use")
        assert (use.name, use.input, message.stop_reason) == ("weather", {"city": "Paris"}, "tool_use"), (kind, message)
        with claude.messages.stream(**request) as stream:
            final = stream.get_final_message()
        assert [block.input for block in final.content if block.type == "tool_use"] == [{"city": "Paris"}], (kind, final)
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "rain"}]}
        back = HELLO + [{"role": "assistant", "content": message.content}, result]
        again = claude.messages.create(model=model(kind), messages=back, max_tokens=50, tools=functions)
        assert again.content[0].text == "one two three", (kind, again)
        assert claude.messages.count_tokens(model=model(kind), messages=HELLO).input_tokens > 0, kind

    @scenario
    def refusals(kind):
        """both clients: a provider's refusal is the client's own exception, with the time to come back"""
        for status, wanted in [(429, "RateLimitError"), (400, "BadRequestError"), (404, "NotFoundError")]:
            name = f"refused-{kind}-{status}"
            for ask in [
                lambda: theirs.chat.completions.create(model=name, messages=HELLO, max_tokens=5),
                lambda: claude.messages.create(model=name, messages=HELLO, max_tokens=5),
            ]:
                try:
                    ask()
                except Exception as error:
                    assert type(error).__name__ == wanted, (kind, status, error)
                    if status == 429:
                        assert error.response.headers["retry-after"] == "7", (kind, error.response.headers)
                else:
                    raise AssertionError(f"{kind} {status}: it was answered")

    @scenario
    def completions(kind):
        """OpenAI's client: raw completions, whole and streamed"""
        request = dict(model=model(kind), prompt="hello", max_tokens=50)
        whole = theirs.completions.create(**request)
        assert (whole.choices[0].text, whole.choices[0].finish_reason) == ("one two three", "stop"), (kind, whole)
        assert whole.usage.total_tokens == 20, (kind, whole)
        chunks = theirs.completions.create(**request, stream=True)
        text = "".join(choice.text for chunk in chunks for choice in chunk.choices)
        assert text == "one two three", (kind, text)

    @scenario
    def images(kind):
        """both clients: an image goes with the question"""
        part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
        asked = [{"role": "user", "content": [{"type": "text", "text": "what is it?"}, part]}]
        answer = theirs.chat.completions.create(model=model(kind), messages=asked, max_tokens=50)
        assert answer.choices[0].message.content == "one two three", (kind, answer)
        assert PIXEL in upstream.seen()[-1], kind
        block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
        asked = [{"role": "user", "content": [block, {"type": "text", "text": "what is that?"}]}]
        answer = claude.messages.create(model=model(kind), messages=asked, max_tokens=50)
        assert answer.content[0].text == "one two three", (kind, answer)
        sent = upstream.seen()[-1]
        assert PIXEL in sent and "what is that?" in sent, kind

    @scenario
    def thinking(kind):
        """Anthropic's client: thinking comes in blocks of its own, whole and streamed, and goes back"""
        thinks = dict(thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000)
        request = dict(model=model(kind, "think=let me see,text=one two three"), messages=HELLO, **thinks)
        whole = claude.messages.create(**request)
        with claude.messages.stream(**request) as stream:
            final = stream.get_final_message()
        for message in (whole, final):
            assert [block.type for block in message.content] == ["thinking", "text"], (kind, message)
            assert (message.content[0].thinking, message.content[1].text) == ("let me see", "one two three"), (kind, message)
        back = HELLO + [{"role": "assistant", "content": whole.content}, {"role": "user", "content": "go on"}]
        again = claude.messages.create(model=model(kind), messages=back, **thinks)
        assert again.content[-1].text == "one two three", (kind, again)

    @scenario
    def moderations(kind):
        """OpenAI's client: moderations, of those who have them"""
        if kind != "openai":
            try:
                theirs.moderations.create(model=model(kind), input="hello")
                raise AssertionError(f"{kind} has no moderations")
            except openai.BadRequestError as error:
                assert error.code == "upstream-unsupported", (kind, error)
            return
        results = theirs.moderations.create(model=model(kind), input=["hello", "violence"]).results
        assert [result.flagged for result in results] == [False, True], (kind, results)

    @scenario
    def rerank(kind):
        """both of Cohere's clients: rerank, of those who have it"""
        request = dict(model=model(kind), query="red fox", documents=["nothing", "a red fox", "a red hen"], top_n=2)
        for client in (first, second):
            if kind != "openai":
                try:
                    client.rerank(**request)
                    raise AssertionError(f"{kind} orders no passages")
                except cohere.BadRequestError as error:
                    assert "upstream-unsupported" in str(error.body), (kind, error.body)
                continue
            answer = client.rerank(**request)
            assert [result.index for result in answer.results] == [1, 2], (kind, answer)
            assert answer.results[0].relevance_score > answer.results[1].relevance_score, (kind, answer)
            if client is second:
                assert answer.id and answer.meta.billed_units.input_tokens == 12, answer

    @scenario
    def embeddings(kind):
        """OpenAI's client: embeddings, in base64 as it asks for them, of those who have them"""
        if kind == "anthropic":
            try:
                theirs.embeddings.create(model=model(kind), input="hello")
                raise AssertionError("Anthropic has no embeddings")
            except openai.BadRequestError as error:
                assert error.code == "upstream-unsupported", error
            return
        name = "a-bedrock/amazon.titan-embed-text-v2:0" if kind == "bedrock" else model(kind)
        answer = theirs.embeddings.create(model=name, input=["hello"])
        assert len(answer.data) == 1 and all(isinstance(number, float) for number in answer.data[0].embedding), (kind, answer)
        assert len(answer.data[0].embedding) == 8, (kind, answer)

    def of_this_process(kind):
        """both clients: a model of the server's own process answers behind a provider, whole and streamed, with usage"""
        # It cannot be told what to say; without chance it says the same again.
        request = dict(model=f"a-{kind}/smollm2-135m-instruct", messages=HELLO, max_tokens=12)
        raw = theirs.chat.completions.with_raw_response.create(**request, temperature=0)
        whole = raw.parse()
        said, used = whole.choices[0].message.content, whole.usage
        assert said and whole.choices[0].finish_reason in ("stop", "length"), (kind, whole)
        assert used.prompt_tokens > 0 and 0 < used.completion_tokens <= 12, (kind, used)
        assert used.total_tokens == used.prompt_tokens + used.completion_tokens, (kind, used)
        assert raw.headers["x-mainspring-provider"] == f"a-{kind}" and raw.headers["x-mainspring-usage"] == "counted", raw.headers
        chunks = list(theirs.chat.completions.create(**request, temperature=0, stream=True, stream_options={"include_usage": True}))
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        assert (text, chunks[-1].usage.total_tokens) == (said, used.total_tokens), (kind, chunks)
        request["extra_body"] = {"temperature": 0}
        message = claude.messages.create(**request)
        assert message.content[0].text == said and message.stop_reason in ("end_turn", "max_tokens"), (kind, message)
        # Anthropic counts what was read before apart.
        asked = message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0)
        assert (asked, message.usage.output_tokens) == (used.prompt_tokens, used.completion_tokens), (kind, message)
        with claude.messages.stream(**request) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        assert text == final.content[0].text == said and final.stop_reason == message.stop_reason, (kind, final)
        assert final.usage.output_tokens == used.completion_tokens, (kind, final.usage)

    scenario(of_this_process, ["local"])

print(f"{passed} passed, 0 failed")
