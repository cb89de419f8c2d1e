"""The official OpenTelemetry SDK and exporters, unmodified, beside the official OpenAI client."""

import json
import os
import time
import urllib.request

import grpc
from openai import OpenAI
from opentelemetry import propagate
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

URL = os.environ["MAINSPRING_URL"]
passed = 0


def scenario(test):
    global passed
    test()
    passed += 1
    print(f"  ok {test.__doc__}")


def get(path):
    with urllib.request.urlopen(URL + path, timeout=30) as answer:
        return json.load(answer)


def finished_spans(make):
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    make(provider.get_tracer("checkout", "1.2"))
    return memory.get_finished_spans()


def exporter(compression):
    return OTLPSpanExporter(endpoint=URL + "/v1/traces", compression=compression)


def exporters():
    yield from (exporter(compression) for compression in Compression)
    for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate):
        yield GrpcExporter(endpoint=URL, insecure=True, compression=compression)


@scenario
def kept():
    """spans of the SDK are found again, over HTTP and gRPC, packed in any way, with their resource, events and status"""
    for export in exporters():
        def make(tracer):
            with tracer.start_as_current_span("order", kind=SpanKind.SERVER) as order:
                order.set_attribute("user.id", "u-7")
                with tracer.start_as_current_span("pay") as pay:
                    pay.add_event("declined", {"try": 2})
                    pay.set_status(Status(StatusCode.ERROR, "no funds"))

        spans = finished_spans(make)
        assert export.export(spans) is SpanExportResult.SUCCESS
        trace = f"{spans[0].context.trace_id:032x}"
        shown = {span["name"]: span for span in get(f"/api/v1/traces/{trace}")["spans"]}
        assert set(shown) == {"order", "pay"}, shown
        assert shown["pay"]["parent"] == shown["order"]["span"], shown
        assert shown["order"]["attributes"]["resource.service.name"] == "shop"
        assert shown["order"]["attributes"]["otel.scope.name"] == "checkout"
        assert shown["pay"]["status"] == {"code": "error", "message": "no funds"}, shown["pay"]
        assert shown["pay"]["events"][0]["name"] == "declined"


@scenario
def large():
    """a span of five megabytes, more than gRPC takes by default, is kept whole"""
    text = "é" * (5 << 19)

    def make(tracer):
        with tracer.start_as_current_span("long") as long:
            long.set_attribute("text", text)

    for export in (exporter(Compression.Gzip), GrpcExporter(endpoint=URL, insecure=True)):
        spans = finished_spans(make)
        assert export.export(spans) is SpanExportResult.SUCCESS
        trace = f"/api/v1/traces/{spans[0].context.trace_id:032x}"
        (shown,) = get(trace)["spans"]
        aside = shown["attributes"]["text"]["mainspring.value"]
        assert text.startswith(aside["beginning"]) and aside["bytes"] == len(text.encode())
        assert get(f"{trace}/spans/{shown['span']}/values/{aside['digest']}")["text"] == text


@scenario
def once():
    """spans that an exporter repeats are there once"""
    spans = finished_spans(lambda tracer: tracer.start_span("again").end())
    for _ in range(3):
        assert exporter(Compression.Gzip).export(spans) is SpanExportResult.SUCCESS
        time.sleep(0.3)
    assert len(get(f"/api/v1/traces/{spans[0].context.trace_id:032x}")["spans"]) == 1


@scenario
def joined():
    """an answer's spans stand under the caller's own span"""
    client = OpenAI(base_url=URL + "/v1", api_key="unused", max_retries=0)

    def make(tracer):
        with tracer.start_as_current_span("handle question", kind=SpanKind.CLIENT):
            headers = {}
            propagate.inject(headers)
            client.chat.completions.create(
                model="smollm2-135m-instruct", messages=[{"role": "user", "content": "hi"}], max_tokens=2, extra_headers=headers
            )

    spans = finished_spans(make)
    assert exporter(Compression.Gzip).export(spans) is SpanExportResult.SUCCESS
    shown = get(f"/api/v1/traces/{spans[0].context.trace_id:032x}")["spans"]
    mine = next(span for span in shown if span["name"] == "handle question")
    below = [span for span in shown if span["parent"] == mine["span"]]
    assert below and len(shown) > 1, shown


print(f"{passed} passed, 0 failed")
