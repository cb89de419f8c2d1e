"""The official Python client of Anthropic, unmodified, against a model of this process, an app and a prompt."""

import json
import os

import anthropic
from anthropic import Anthropic

ROOT = os.environ["MAINSPRING_URL"]
client = Anthropic(base_url=ROOT, api_key="unused", max_retries=0)
CHAT = "smollm2-135m-instruct"
passed = 0


def scenario(test):
    global passed
    test()
    passed += 1
    print(f"  ok {test.__doc__}")


def say(text, **more):
    request = dict(model=CHAT, max_tokens=24, messages=[{"role": "user", "content": text}], extra_body={"temperature": 0}) | more
    return client.messages.create(**request)


@scenario
def whole():
    """a message is answered, with usage and the trace in a header"""
    raw = client.messages.with_raw_response.create(
        model=CHAT, max_tokens=12, system="You are brief.", messages=[{"role": "user", "content": "Say hi."}]
    )
    message = raw.parse()
    assert (message.type, message.role, message.content[0].type) == ("message", "assistant", "text"), message
    assert message.content[0].text and message.stop_reason in ("end_turn", "max_tokens"), message
    assert message.usage.input_tokens > 0 and 0 < message.usage.output_tokens <= 12, message.usage
    assert len(raw.headers["x-mainspring-trace-id"]) == 32 and raw.headers["request-id"], raw.headers
    assert raw.headers["x-mainspring-attempts"] == "1" and raw.headers["x-mainspring-provider"], raw.headers


@scenario
def streamed():
    """a stream gives the same text and usage, event by event and through the client's own helper"""
    request = dict(model=CHAT, max_tokens=24, messages=[{"role": "user", "content": "Count to five."}], extra_body={"temperature": 0})
    message = client.messages.create(**request)
    kinds, text = [], ""
    for event in client.messages.create(**request, stream=True):
        kinds.append(event.type)
        if event.type == "content_block_delta":
            text += event.delta.text
    assert text == message.content[0].text, (text, message)
    assert kinds[:2] == ["message_start", "content_block_start"], kinds
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"], kinds
    with client.messages.stream(**request) as stream:
        final = stream.get_final_message()
    assert final.content[0].text == text and final.stop_reason == message.stop_reason, final
    assert final.usage.output_tokens == message.usage.output_tokens > 0, (final.usage, message.usage)


@scenario
def stops():
    """a stop sequence ends the answer and is not part of it"""
    free = say("Count from 1 to 10.", max_tokens=64).content[0].text
    assert "3" in free, free
    assert say("Count from 1 to 10.", max_tokens=64, stop_sequences=["3"]).content[0].text == free.split("3")[0]
    assert say("Tell me a long story.", max_tokens=5).stop_reason == "max_tokens"


@scenario
def structured():
    """an answer under a JSON Schema parses and fits it"""
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 120}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    output = {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    person = json.loads(say("Invent a person. Answer as JSON.", max_tokens=100, extra_body={"temperature": 0} | output).content[0].text)
    assert set(person) == {"name", "age"} and isinstance(person["age"], int), person


@scenario
def agents():
    """what Claude Code sends is taken: betas, blocks with cache marks, metadata, unknown fields"""
    answer = client.post(
        "/v1/messages?beta=true",
        body={
            "model": CHAT,
            "max_tokens": 8,
            "system": [{"type": "text", "text": "You work in a terminal.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "yes?"}]},
                {"role": "user", "content": [{"type": "text", "text": "go on"}]},
            ],
            "metadata": {"user_id": "user_1_account__session_2"},
            "context_management": {"edits": []},
        },
        options={"headers": {"anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14"}},
        cast_to=object,
    )
    assert answer["content"][0]["text"] and answer["stop_reason"] in ("end_turn", "max_tokens"), answer


@scenario
def counted():
    """tokens are counted without an answer, and longer text has more of them"""
    count = lambda text: client.messages.count_tokens(model=CHAT, messages=[{"role": "user", "content": text}]).input_tokens
    assert 0 < count("hi") < count("hi " * 50)


@scenario
def models():
    """models are listed in Anthropic's shape"""
    names = {model.id: model for model in client.models.list()}
    assert CHAT in names and names[CHAT].type == "model", names


@scenario
def apps():
    """an app answers with citations, whole and streamed"""
    question = [{"role": "user", "content": "Which address and port does Mainspring listen on?"}]
    request = dict(model="manual", max_tokens=200, messages=question, extra_body={"temperature": 0})
    message = client.messages.create(**request)
    extra = message.model_extra["mainspring"]
    assert extra["sources"] and extra["citations"] and len(extra["trace_id"]) == 32, extra
    assert message.content[0].text and message.usage.output_tokens > 0, message
    text, last = "", None
    for event in client.messages.create(**request, stream=True):
        text += event.delta.text if event.type == "content_block_delta" else ""
        last = event if event.type == "message_delta" else last
    assert text == message.content[0].text
    assert last.model_extra["mainspring"]["citations"] == extra["citations"], last
    assert client.messages.create(**request | {"model": "app/manual"}).content[0].text == text


def refused(kind, word, code, call):
    try:
        call()
    except kind as error:
        said = error.body
        assert (said["type"], said["error"]["type"], said["error"]["code"]) == ("error", word, code), said
        assert said["error"]["message"] and said["request_id"], said
        return said["error"]["message"]
    raise AssertionError(f"{code} was not refused")


@scenario
def errors():
    """errors have Anthropic's shape, a stable code, and name the field"""
    hello = [{"role": "user", "content": "hello"}]
    create = client.messages.create
    tool = [{"name": "f", "input_schema": {"type": "object"}}]
    unsupported = "anthropic-unsupported-parameter"
    refused(anthropic.NotFoundError, "not_found_error", "chain-unknown-target", lambda: create(model="nothing-here", max_tokens=1, messages=hello))
    message = refused(anthropic.BadRequestError, "invalid_request_error", unsupported, lambda: create(model="manual", max_tokens=9, messages=hello, tools=tool))
    assert message.startswith("tools"), message
    refused(anthropic.BadRequestError, "invalid_request_error", unsupported, lambda: create(model="manual", max_tokens=9, messages=hello, extra_body={"top_k": 4}))
    count = client.messages.count_tokens
    refused(anthropic.BadRequestError, "invalid_request_error", unsupported, lambda: count(model="manual", messages=hello))
    message = refused(anthropic.BadRequestError, "invalid_request_error", "gateway-bad-request", lambda: create(model=CHAT, max_tokens=9, messages=[{"role": "robot", "content": "x"}]))
    assert "messages[0].role" in message, message
    long = [{"role": "user", "content": "word " * 9000}]
    message = refused(anthropic.BadRequestError, "invalid_request_error", "context-length-exceeded", lambda: create(model=CHAT, max_tokens=9, messages=long))
    assert "prompt is too long" in message, message


@scenario
def hang_up():
    """a client that hangs up frees the model for the next one"""
    request = dict(model=CHAT, max_tokens=4000, messages=[{"role": "user", "content": "Write a very long story."}])
    stream = client.messages.create(**request, stream=True)
    next(iter(stream))
    stream.close()
    assert say("hi", max_tokens=2).content[0].text


print(f"{passed} passed, 0 failed")
