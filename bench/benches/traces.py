"""Questions about spans as their number grows, beside Phoenix with a million: bytes on disk, a trace that is opened, first pages with a
filter and with words, and measures of a day.

Ours is filled over OTLP, with spans of the last seven days in the order of time. Phoenix takes a hundred spans a second and more: it is
given some thousands, and the rows it made of them are multiplied in its own database, with other ids."""

import os
import random
import sqlite3
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import quote, urlencode

import plot
import results
import telemetry
from results import row
from telemetry import SPANS_PER_TRACE, Asker
from world import bytes_in, needs_disk, percentile, say, scratch

SIZES = [100_000, 300_000, 1_000_000]
LARGE = [3_000_000, 10_000_000]
# What the promises are about.
PROMISED_SIZE = 10_000_000
PHOENIX_SPANS, PHOENIX_SENT = 1_000_000, 20_480
DAYS = 7
WARM, ASKS = 5, 60
# Where so many have taken so many seconds, no more are asked.
FEWEST, LONG = 20, 120
MODELS = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "claude-haiku-4-5", "gemini-2.5-flash", "mistral-small"]
SERVICES = ["handbook", "support-desk", "claims", "shop-assistant"]
# Each question, what it may take at 95 of 100, and what is asked of Phoenix that is most like it.
QUESTIONS = {
    "open": ("a trace opened", 10, ""),
    "model": ("first page of spans of a model that took longer than 2 s", 100, ""),
    "user": ("first page of spans of a user", 100, ""),
    "failed": ("first page of traces of a service that failed", 100, None),
    "newest": ("first page of traces", 100, None),
    "rare": ("first page of spans with a word that few have", 200, "compares the text of every span"),
    "common": ("first page of spans with two words that many have", 200, "is asked for one of them, as a part of the text"),
    "hours": ("24 hours of traces, percentiles by the hour", 500, ""),
    "models": ("24 hours of spans, counts, errors, tokens and percentiles by model and hour", 500, None),
}
# Files and versions that are no longer needed go away within seconds: nobody waits for a quarter of an hour here.
SETTINGS = {"MAINSPRING__LAKE__UPKEEP_EVERY": "5s", "MAINSPRING__LAKE__KEEP_VERSIONS_FOR": "10s"}


def sizes(large):
    tried = os.environ.get("MAINSPRING_BENCH_SIZES")
    return [int(size) for size in tried.split(",")] if tried else SIZES + (LARGE if large else [])


def run(large=False):
    found = {}
    for size in sizes(large):
        with scratch() as folder:
            needs_disk(folder, 2_000 * size, f"a table of {size:,} spans")
            found[size] = ours(folder, size)
    theirs = phoenix(min(PHOENIX_SPANS, max(found))) if telemetry.wanted("phoenix") else None
    if results.is_kept():
        plot.lines(results.HERE / "results/traces.svg", "p95 as the number of spans grows, ms",
                   {QUESTIONS[what][0]: [(size, told["asked"][what]["p95"]) for size, told in found.items()] for what in QUESTIONS})
    return [*rows_of_size(found, theirs), *(one for what in QUESTIONS for one in rows_of(what, found, theirs))]


def ours(folder, size):
    store = telemetry.Ours("Mainspring", folder, settings=SETTINGS)
    try:
        say(f"filling with {size:,} spans")
        told = store.send_and_wait(spans=size, within=DAYS * 86_400, sample=ASKS + WARM)
        settled = settle(store)
        asked = {what: measured(questions(store.base, what, told["sample"])) for what in QUESTIONS}
        if store.stored() != store.sent:
            raise RuntimeError(f"{store.stored():,} spans are there after compaction, and {store.sent:,} were acknowledged")
        return dict(asked=asked, spans=store.sent, bytes=bytes_in(store.data), lake=bytes_in(store.data / "lake"), settled=settled,
                    filled=told["queryable"], resident=store.resident())
    finally:
        store.stop()


def settle(store, still=45, patience=900):
    """Waits until upkeep of the spans has nothing more to do: their files keep their size. Answers how long that took. What is
    made of them beside, an hour of drift after the other, goes on for hours and is let be."""
    began = since = time.monotonic()
    last = None
    while time.monotonic() - since < still:
        now = bytes_in(store.data / "lake/spans.lance")
        if now != last:
            last, since = now, time.monotonic()
        if time.monotonic() - began > patience:
            raise RuntimeError("the table is still compacted a quarter of an hour after the last span")
        time.sleep(1)
    return since - began


def measured(asks):
    """Milliseconds of questions that differ, after some that are not counted; what was found must be something."""
    times, found, began = [], 0, time.monotonic()
    for number, ask in enumerate(asks):
        seconds, items = ask()
        found += items
        if number >= WARM:
            times.append(seconds * 1e3)
        if len(times) >= FEWEST and time.monotonic() - began > LONG:
            break
    if not found:
        raise RuntimeError("nothing was found by any of the questions")
    return dict(p50=percentile(times, .5), p95=percentile(times, .95), found=found / (len(times) + WARM), times=len(times))


def questions(base, what, sample):
    """As many different ones as are asked, in the same order at each size."""
    asker, random_ = Asker(base), random.Random(what)
    day = f"from={quote((datetime.now(timezone.utc) - timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%SZ'))}"

    def page(kind, filter_):
        return f"/api/v1/{kind}?" + urlencode(dict(limit=50, filter=filter_) if filter_ else dict(limit=50)), lambda said: len(said["items"])

    def one(number):
        known = sample[number % len(sample)]
        if what == "open":
            return f"/api/v1/traces/{known['trace']}", whole
        if what in ("hours", "models"):
            rest = ("by=model&measures=count,error_rate,input_tokens,output_tokens,duration_p50,duration_p95,duration_p99" if what == "models"
                    else "filter=entry&measures=duration_p50,duration_p95,duration_p99")
            return f"/api/v1/traces/metrics?bucket=1h&{day}&{rest}", lambda said: len(said["rows"])
        return {
            "model": lambda: page("spans", f'model = "{random_.choice(MODELS)}" and duration > 2s'),
            "user": lambda: page("spans", f'user = "{known["user"]}"'),
            "failed": lambda: page("traces", f'error and service = "{random_.choice(SERVICES)}"'),
            "newest": lambda: page("traces", ""),
            "rare": lambda: page("spans", f'content words "{known["word"]}"'),
            "common": lambda: page("spans", 'content words "refund parcel"'),
        }[what]()

    for number in range(ASKS + WARM):
        path, count = one(number)
        yield lambda path=path, count=count: counted(*asker.ask("GET", path), count)


def counted(seconds, said, count):
    return seconds, count(said)


def whole(said):
    if len(said["spans"]) != SPANS_PER_TRACE:
        raise RuntimeError(f"a trace has {len(said['spans'])} spans of {SPANS_PER_TRACE}")
    return 1


def phoenix(size):
    """The same asked of Phoenix, with its REST interface or its GraphQL, whichever is quicker for it."""
    with scratch() as folder:
        needs_disk(folder, 6_000 * size, f"Phoenix with {size:,} spans")
        try:
            store = telemetry.phoenix(folder)
        except Exception as error:  # a peer that cannot be had does not keep ours from being measured
            say(f"Phoenix is left out: {error}")
            return None
        try:
            say(f"Phoenix: {PHOENIX_SENT:,} spans over OTLP")
            told = store.send_and_wait(spans=min(size, PHOENIX_SENT), within=DAYS * 86_400, sample=ASKS + WARM)
        finally:
            store.stop()
        say(f"Phoenix: its rows multiplied to {size:,}")
        spans = multiplied(store.database, size)
        store = telemetry.phoenix(folder)
        try:
            asked = {}
            for what, (title, _, like) in QUESTIONS.items():
                if like is not None:
                    say(f"Phoenix: {title}")
                    asked[what] = measured(phoenix_questions(store.base, what, told["sample"]))
            return dict(asked=asked, spans=spans, bytes=store.database.stat().st_size, sent=told["spans"], name=store.name)
        finally:
            store.stop()


# What is unique and how it is told from the row it was copied from; and what refers to another row.
COPIED = {
    "traces": ({"trace_id": "printf('%08x', {copy}) || substr(trace_id, 9)"}, {"id": "traces"}),
    "spans": ({"span_id": "printf('%04x', {copy}) || substr(span_id, 5)", "parent_id": "printf('%04x', {copy}) || substr(parent_id, 5)"},
              {"id": "spans", "trace_rowid": "traces"}),
    "span_costs": ({}, {"id": "span_costs", "span_rowid": "spans", "trace_rowid": "traces"}),
    "span_cost_details": ({}, {"id": "span_cost_details", "span_cost_id": "span_costs"}),
}


def multiplied(database, size):
    """Copies the rows that Phoenix wrote until there are so many spans. Words, users, sessions and times are those of the original."""
    base = sqlite3.connect(database)
    try:
        base.execute("PRAGMA synchronous = OFF")
        steps = {table: base.execute(f"SELECT MAX(id) FROM {table}").fetchone()[0] or 0 for table in COPIED}
        spans = base.execute("SELECT COUNT(*) FROM spans").fetchone()[0]
        for copy in range(1, -(-size // spans)):
            for table, (texts, rows) in COPIED.items():
                columns = [column[1] for column in base.execute(f"PRAGMA table_info({table})")]
                value = lambda name: (texts[name].format(copy=copy) if name in texts
                                      else f"{name} + {copy * steps[rows[name]]}" if name in rows else f'"{name}"')
                names = ", ".join(f'"{name}"' for name in columns)
                base.execute(f"INSERT INTO {table} ({names}) SELECT {', '.join(map(value, columns))} FROM {table} WHERE id <= {steps[table]}")
            base.commit()
        base.execute("ANALYZE")
        base.commit()
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return base.execute("SELECT COUNT(*) FROM spans").fetchone()[0]
    finally:
        base.close()


def phoenix_questions(base, what, sample):
    asker, random_ = Asker(base), random.Random(what)
    project = asker.ask("POST", "/graphql", {"query": "{ projects { edges { node { id name } } } }"})[1]["data"]["projects"]["edges"][0]["node"]["id"]
    now = datetime.now(timezone.utc)

    def graphql(inner, count):
        query = f'{{ node(id: "{project}") {{ ... on Project {{ {inner} }} }} }}'

        def ask():
            seconds, said = asker.ask("POST", "/graphql", {"query": query})
            if said.get("errors"):
                raise RuntimeError(f"Phoenix: {said['errors']}")
            return seconds, count(said["data"]["node"])
        return ask

    def page(condition):
        inner = (f'spans(first: 50, sort: {{col: startTime, dir: desc}}, filterCondition: "{condition}") '
                 "{ edges { node { spanId name startTime latencyMs statusCode } } }")
        return graphql(inner, lambda node: len(node["spans"]["edges"]))

    def rest(path, count):
        return lambda: counted(*asker.ask("GET", f"/v1/projects/default/spans?{path}"), count)

    for number in range(ASKS + WARM):
        known = sample[number % len(sample)]
        if what == "open":
            yield rest(f"limit=1000&trace_id={known['trace']}", lambda said: whole({"spans": said["data"]}))
        elif what == "model":
            yield page(f"llm.model_name == '{random_.choice(MODELS)}' and latency_ms > 2000")
        elif what == "user":
            yield page(f"user.id == '{known['user']}'")
        elif what == "rare":
            yield page(f"'{known['word']}' in attributes['gen_ai']['input']['messages']")
        elif what == "common":
            yield page("'refund' in attributes['gen_ai']['input']['messages']")
        else:
            start, end = ((now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (24, 0))
            inner = (f'traceLatencyMsPercentileTimeSeries(timeRange: {{start: "{start}", end: "{end}"}}, '
                     "timeBinConfig: {scale: HOUR, utcOffsetMinutes: 0}) { data { timestamp p50 p95 p99 } }")
            yield graphql(inner, lambda node: sum(one["p95"] is not None for one in node["traceLatencyMsPercentileTimeSeries"]["data"]))


def grown(found, of):
    return ", ".join(f"{size:,}: {of(told)}" for size, told in found.items())


def rows_of_size(found, theirs):
    size = max(found)
    told = found[size]
    own = told["bytes"] / told["spans"]
    peer = theirs and theirs["bytes"] / theirs["spans"]
    limit = 2.5e9 / PROMISED_SIZE
    return [
        row(f"bytes on disk a span, of {size:,} spans, compacted", own, "", peer, theirs["name"] if theirs else "", peer and peer / own,
            "≤ 2.5 GB for 10 M", own <= limit, f"{told['bytes'] / 1e9:.2f} GB, of it the lake {told['lake'] / 1e9:.2f}; by spans "
            + grown(found, lambda one: f"{one['bytes'] / one['spans']:,.0f}")),
        row(f"filled with {size:,} spans over OTLP, server and sender share both processors", told["filled"], "s",
            note=f"{told['spans'] / told['filled']:,.0f} spans/s until all are found; compacted {told['settled']:.0f} s later; "
                 f"resident after all questions {told['resident'] / 1e6:.0f} MB"),
    ]


def rows_of(what, found, theirs):
    """At the largest number what is promised, with the others beside it, and at Phoenix's number what it takes there."""
    title, limit, like = QUESTIONS[what]
    size = max(found)
    told = found[size]["asked"][what]
    late = told["p95"] > limit
    note = (f"p50 {told['p50']:.1f}, {told['found']:,.1f} found; by spans p50/p95 "
            + grown(found, lambda one: f"{one['asked'][what]['p50']:.1f}/{one['asked'][what]['p95']:.1f}"))
    # What is promised of ten million is kept by fewer without saying much.
    met = False if late else True if size >= PROMISED_SIZE else None
    rows = [row(f"{title}, {size:,} spans: p95", told["p95"], "ms", target=f"< {limit} ms with 10 M", met=met, note=note)]
    if theirs and what in theirs["asked"]:
        near = min(found, key=lambda size: abs(size - theirs["spans"]))
        own, peer = found[near]["asked"][what]["p95"], theirs["asked"][what]["p95"]
        said = f"Phoenix has {theirs['spans']:,}, p50 {theirs['asked'][what]['p50']:.0f}, {theirs['asked'][what]['found']:,.1f} found, asked {theirs['asked'][what]['times']} times"
        rows.append(row(f"the same, {near:,} spans: p95", own, "ms", peer, theirs["name"], peer / own, "≥ 10×", peer / own >= 10,
                        said + (f"; it {like}" if like else "")))
    return rows
