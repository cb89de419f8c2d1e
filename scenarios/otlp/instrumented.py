"""One call of the official OpenAI client, watched by an instrumentation that people use, unmodified.

`instrumented.py openinference|openllmetry|genai|genai-latest|langfuse`: a process each, since they patch the same client.
"""

import json
import os
import re
import sys
import urllib.parse
import urllib.request

URL = os.environ["MAINSPRING_URL"]
MODEL = "smollm2-135m-instruct"
QUESTION = "Name one thing that a lighthouse warns of."


def get(path):
    with urllib.request.urlopen(URL + path, timeout=30) as answer:
        return json.load(answer)


def ask(client):
    messages = [{"role": "user", "content": QUESTION}]
    reply = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=8, temperature=0)
    assert reply.usage.prompt_tokens > 0 and reply.usage.completion_tokens > 0, reply
    return reply


def openai():
    from openai import OpenAI

    return OpenAI(base_url=URL + "/v1", api_key="unused", max_retries=0)


def providers(grpc):
    """Traces, logs and metrics of the SDK, sent when they are flushed; answers how to flush them."""
    from opentelemetry import _logs, metrics, trace
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if grpc:
        from grpc import Compression
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        where = lambda _: {"endpoint": URL, "insecure": True, "compression": Compression.Gzip}
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        where = lambda signal: {"endpoint": f"{URL}/v1/{signal}", "compression": Compression.Deflate}
    resource = Resource.create({"service.name": sys.argv[1]})
    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**where("traces"))))
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(**where("logs"))))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(**where("metrics")), export_interval_millis=3_600_000)
    meters = MeterProvider(resource=resource, metric_readers=[reader])
    trace.set_tracer_provider(traces)
    _logs.set_logger_provider(logs)
    metrics.set_meter_provider(meters)
    return lambda: all(provider.force_flush() for provider in (traces, logs, meters))


def watched(instrumentor, grpc):
    """The trace of one call, which this process began, and what the call answered."""
    from opentelemetry import trace

    flush = providers(grpc)
    instrumentor().instrument()
    with trace.get_tracer("scenario").start_as_current_span("ask") as root:
        reply = ask(openai())
    assert flush(), "what was sent is taken"
    return f"{root.get_span_context().trace_id:032x}", reply


def of_type(trace, kind):
    """The spans of a type, in the one model."""
    query = urllib.parse.urlencode({"filter": f'trace = "{trace}" and type = {kind}'})
    return get(f"/api/v1/spans?{query}")["items"]


def check(trace, reply):
    """What every convention says of a call is in the one model."""
    spans = get(f"/api/v1/traces/{trace}")["spans"]
    # Some instrumentations send a `traceparent`: then this server's own spans stand below theirs.
    ours = {span["span"] for span in spans if any(name.startswith("mainspring.") for name in span["attributes"])}
    calls = [call for call in of_type(trace, "chat") if call["span"] not in ours]
    assert len(calls) == 1, json.dumps(spans, indent=1)
    call, shown = calls[0], json.dumps(spans, indent=1)
    assert call["model"] == MODEL, shown
    # Langfuse does not say whose model it was.
    assert call.get("provider") == (None if sys.argv[1] == "langfuse" else "openai"), shown
    assert call["input_tokens"] == reply.usage.prompt_tokens, shown
    assert call["output_tokens"] == reply.usage.completion_tokens, shown
    # Messages stand in the call, or in the events below it; they are found by what they say.
    said = re.findall("[A-Za-z]{3,}", reply.choices[0].message.content)
    assert QUESTION in shown and said[0] in shown.replace(QUESTION, ""), (said, shown)
    query = urllib.parse.urlencode({"filter": f'trace = "{trace}" and content contains "lighthouse"'})
    assert get(f"/api/v1/spans?{query}")["items"], shown
    return trace, spans, call


def check_metrics():
    points = get("/api/v1/metric-points?" + urllib.parse.urlencode({"name": "gen_ai.client.token.usage", "service": sys.argv[1]}))["items"]
    assert {point["attributes"]["gen_ai.token.type"] for point in points} == {"input", "output"}, points
    assert all(point["kind"] == "histogram" and point["count"] == 1 for point in points), points
    # However often the same total was exported, one call used tokens of each type once.
    asked = urllib.parse.urlencode({"service": sys.argv[1], "by": "gen_ai.token.type", "from": "1h"})
    series = get(f"/api/v1/metrics/gen_ai.client.token.usage/series?{asked}")
    told = {group["value"]: sum(step["values"][0] for step in group["steps"]) for group in series["groups"]}
    assert told == {"input": 1, "output": 1}, series


def openinference():
    from openinference.instrumentation.openai import OpenAIInstrumentor

    check(*watched(OpenAIInstrumentor, grpc=False))


def openllmetry():
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    check(*watched(OpenAIInstrumentor, grpc=True))
    check_metrics()


def genai():
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    trace, reply = watched(OpenAIInstrumentor, grpc=False)
    trace, spans, call = check(trace, reply)
    # Its messages are log records, below the call.
    events = {event["name"]: event["parent"] for event in of_type(trace, "event")}
    assert events == {"gen_ai.user.message": call["span"], "gen_ai.choice": call["span"]}, spans
    # Whoever reads the call reads them.
    reading = get(f"/api/v1/traces/{trace}/reading?span={call['span']}")
    said = [(message["role"], [part["content"].strip() for part in message["parts"]]) for message in reading["input"] + reading["output"]]
    assert said == [("user", [QUESTION]), ("assistant", [reply.choices[0].message.content.strip()])], reading
    assert call["preview"] == QUESTION, call
    check_metrics()


def genai_latest():
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_and_event"
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    trace, _, _ = check(*watched(OpenAIInstrumentor, grpc=True))
    assert [event["name"] for event in of_type(trace, "event")] == ["gen_ai.client.inference.operation.details"]
    check_metrics()


def langfuse():
    os.environ.update(LANGFUSE_BASE_URL=URL, LANGFUSE_PUBLIC_KEY="pk-lf-any", LANGFUSE_SECRET_KEY="sk-lf-any")
    from langfuse import get_client
    from langfuse.openai import OpenAI

    watcher = get_client()
    assert watcher.auth_check()
    with watcher.start_as_current_observation(name="ask", as_type="span"):
        trace = watcher.get_current_trace_id()
        reply = ask(OpenAI(base_url=URL + "/v1", api_key="unused", max_retries=0))
        watcher.score_current_span(name="polite", value=True, data_type="BOOLEAN")
    for value in (0.1, 0.92):
        watcher.create_score(name="accuracy", value=value, trace_id=trace, score_id=f"{trace}-accuracy", comment="near")
    watcher.create_score(name="mood", value="calm", trace_id=trace, data_type="CATEGORICAL")
    watcher.flush()
    check(trace, reply)
    check_scores(trace)


def check_scores(trace):
    """What the client says of a trace is there, each once, and filters find it."""
    found = get(f"/api/v1/scores?trace={trace}")["items"]
    said = {score["name"]: (score["kind"], score["value"]) for score in found}
    wanted = {"polite": ("boolean", True), "accuracy": ("numeric", 0.92), "mood": ("categorical", "calm")}
    assert len(found) == 3 and said == wanted, found
    assert [bool(score.get("span")) for score in found if score["name"] == "polite"] == [True], found
    query = urllib.parse.urlencode({"filter": f'trace = "{trace}" and score.accuracy > 0.9 and score.mood = calm'})
    assert [one["trace_id"] for one in get(f"/api/v1/traces?{query}")["items"]] == [trace]


{"openinference": openinference, "openllmetry": openllmetry, "genai": genai, "genai-latest": genai_latest, "langfuse": langfuse}[sys.argv[1]]()
print(f"  ok a call watched by {sys.argv[1]} shows its model, tokens and messages")
