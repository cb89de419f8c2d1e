"""Spans over OTLP: how many a second one processor takes until they are acknowledged and until they are found, how soon after the
acknowledgement a trace can be opened, and what that takes of memory; beside Phoenix and MLflow, fed by the same program.

The server has one processor and what sends to it has the other. `examples/spans` of the test servers sends requests of 512 spans
with some 1,000 bytes of attributes each, and sends a request again until it is acknowledged, so that the spans that must be there
in the end are known exactly."""

import os
from statistics import median

import telemetry
from results import row
from telemetry import Sampled
from world import bytes_in, needs_disk, say, scratch

MB = 1e6
ROUNDS = 3
# Enough for ten seconds and more at what is promised. For trying the bench out, fewer.
SPANS = int(os.environ.get("MAINSPRING_BENCH_SPANS", 500_000))
PEER_SPANS = min(SPANS, 6_144)
MODES = {
    "disk": "`lake.durability = disk`, the default",
    "process": "`lake.durability = process`",
}
PROMISED = {"disk": 20_000, "process": 50_000}
STEADY_RATE, STEADY_MINUTES, STEADY_MINUTES_LARGE = 5_000, 4, 60
# On disk, with the versions that are kept for a while.
BYTES_A_SPAN = 1_000


def run(large=False):
    core, load = telemetry.cores()
    rows = []
    with scratch() as folder:
        needs_disk(folder, 10 * SPANS * BYTES_A_SPAN, "the bench")
        found = {mode: ours(mode, f"{folder}/{mode}", core, load) for mode in MODES}
        others = {name: peer(name, f"{folder}/{name}", core, load) for name in telemetry.PEERS if telemetry.wanted(name)}
        others = {name: told for name, told in others.items() if told}
        for mode in MODES:
            rows += rows_of(mode, found[mode], others)
    with scratch() as folder:
        rows += steady(folder, STEADY_MINUTES_LARGE if large else STEADY_MINUTES, core, load)
    return rows


def ours(mode, folder, core, load):
    """Rounds at full speed, one at half of it, and what is there after the process was killed."""
    store = telemetry.Ours(f"Mainspring, {mode}", folder, core, {"MAINSPRING__LAKE__DURABILITY": mode})
    try:
        idle = store.resident()
        store.send_and_wait(load, spans=telemetry.BATCH * 8)
        rounds = []
        with Sampled(store) as sampled:
            for number in range(ROUNDS):
                say(f"{store.name}, round {number + 1} of {ROUNDS}")
                rounds.append(store.send_and_wait(load, spans=SPANS, follow=store.follow()))
        pace = median(told["spans"] / told["queryable"] for told in rounds) / 2
        say(f"{store.name}, at {pace:,.0f} spans/s")
        half = store.send_and_wait(load, spans=SPANS // 2, rate=pace, follow=store.follow())
        store.send(load, spans=SPANS // 4)
        store.killed()
        after = store.wait_for(store.sent, patience=120)
        return dict(rounds=rounds, half=half, pace=pace, idle=idle, peak=sampled.peak(), sent=store.sent, after=after,
                    name=store.name, bytes=bytes_in(store.data))
    finally:
        store.stop()


def peer(name, folder, core, load):
    """A peer that cannot be had does not keep ours from being measured; one that loses spans is said to."""
    try:
        store = telemetry.PEERS[name](folder, core)
    except Exception as error:
        say(f"{name} is left out: {error}")
        return None
    try:
        store.warm(load)
        rounds = []
        with Sampled(store) as sampled:
            for number in range(ROUNDS):
                say(f"{store.name}, round {number + 1} of {ROUNDS}")
                rounds.append(store.send_and_wait(load, spans=PEER_SPANS))
        return dict(rounds=rounds, peak=sampled.peak(), name=store.name)
    except Exception as error:
        say(f"{store.name} is left out: {error}")
        return None
    finally:
        store.stop()


def values(told, what):
    of = {
        "acknowledged": lambda one: one["per_second"],
        "queryable": lambda one: one["spans"] / one["queryable"],
        "behind": lambda one: one["queryable"] - one["seconds"],
    }[what]
    return [of(one) for one in told["rounds"]]


def compared(found, others, value, better_is_less=False):
    """Ours and each peer's."""
    own = value(found)
    for name in others or [None]:
        theirs = None if name is None else value(others[name])
        ratio = None
        if theirs is not None and min(own, theirs) > 0:
            ratio = theirs / own if better_is_less else own / theirs
        yield own, theirs, "" if name is None else others[name]["name"], ratio


def spread(numbers):
    return f"{min(numbers):,.0f} to {max(numbers):,.0f} in {len(numbers)} rounds"


def rows_of(mode, found, others):
    promised = PROMISED[mode]
    one = found["rounds"][0]
    rows = []
    shape = ("synced to the disk before each 200; "
             f"{one['attribute_bytes_per_span']:,.0f} bytes of attributes a span, {telemetry.CONNECTIONS} connections, requests of "
             f"{telemetry.BATCH} spans, {one['request_bytes'] / 1e3:,.0f} kB each; {spread(values(found, 'acknowledged'))}; "
             f"{sum(told['refused'] for told in found['rounds'])} requests were told to come again")
    middle = lambda what: lambda told: median(values(told, what))
    for number, (own, theirs, name, ratio) in enumerate(compared(found, others, middle("acknowledged"))):
        target, met = (f"≥ {promised:,}", own >= promised) if number == 0 else ("", None)
        rows.append(row(f"spans acknowledged a second, one processor, {MODES[mode]}", own, "/s", theirs, name, ratio, target, met, shape if number == 0 else ""))
    for number, (own, theirs, name, ratio) in enumerate(compared(found, others, middle("queryable"))):
        enough, better = own >= promised, ratio is None or ratio >= 20
        target = "; ".join([*([f"≥ {promised:,}"] if number == 0 else []), *(["≥ 20×"] if theirs is not None else [])])
        met = better and (enough or number > 0)
        note = spread(values(found, "queryable")) if number == 0 else f"the peer was sent {PEER_SPANS:,} spans a round, ours {SPANS:,}"
        rows.append(row(f"spans a second until all of them are found; {mode}", own, "/s", theirs, name, ratio, target, met, note))
    for number, (own, theirs, name, ratio) in enumerate(compared(found, others, middle("behind"), True)):
        rows.append(row(f"from the last acknowledgement until all are found; {mode}", own, "s", theirs, name, ratio))
    rows += rows_of_visible(mode, found)
    for own, theirs, name, ratio in compared(found, others, lambda told: told["peak"] / MB, True):
        rows.append(row(f"resident at most meanwhile; {mode}", own, "MB", theirs, name, ratio, "< 150 MB", own < 150,
                        f"{found['idle'] / MB:.0f} MB before the first span"))
    rows.append(row(f"spans in the table after `kill -9` right behind the last acknowledgement; {mode}", found["after"], "", target="every one, once",
                    met=found["after"] == found["sent"], note=f"{found['sent']:,} were acknowledged; {found['bytes'] / found['after']:,.0f} bytes on disk a span, "
                    "before compaction and with the versions that are kept for a while"))
    return rows


def rows_of_visible(mode, found):
    """A second client opens a trace that was just acknowledged."""
    rows = []
    for what, told in (("at full speed", found["rounds"]), (f"at {found['pace']:,.0f} spans/s, half of it", [found["half"]])):
        followed = [one["followed"] for one in told]
        asked, missed, lost = (sum(one[key] for one in followed) for key in ("asked", "missed", "lost"))
        if any(one["visible_ms"] is None for one in followed):
            raise RuntimeError(f"no trace could be opened meanwhile: {followed}")
        at = lambda share: max(one["visible_ms"][share] for one in followed)
        rows.append(row(f"from the 200 to the open trace, {what}, p99; {mode}", at("p99"), "ms", target="< 1 s", met=at("p99") < 1_000 and lost == 0,
                        note=f"p50 {at('p50'):.1f}, at most {at('max'):.0f}, of {asked:,} traces; of several rounds the worst"))
        rows.append(row(f"traces that were not whole when they were first asked for, {what}; {mode}", missed, "", target="none", met=missed == 0,
                        note=f"of {asked:,}; {lost} were not there after half a minute" + (f"; {followed[-1]['last_miss']}" if missed else "")))
        acknowledged = max(one["acknowledged_ms"]["p99"] for one in told)
        rows.append(row(f"from when a request is due to its 200, {what}, p99; {mode}", acknowledged, "ms",
                        note=f"p50 {median(one['acknowledged_ms']['p50'] for one in told):.1f}"))
    return rows


def steady(folder, minutes, core, load):
    """Memory while spans keep coming and the table is compacted beneath them."""
    minutes = float(os.environ.get("MAINSPRING_BENCH_MINUTES", minutes))
    needs_disk(folder, STEADY_RATE * 60 * minutes * BYTES_A_SPAN, f"{minutes:g} minutes of ingest")
    store = telemetry.Ours("Mainspring, steady", folder, core)
    files = lambda: sum(1 for _ in store.data.glob("lake/**/*.lance/data/*"))
    try:
        say(f"{minutes:g} minutes at {STEADY_RATE:,} spans/s")
        with Sampled(store, files, every=1) as sampled:
            told = store.send_and_wait(load, seconds=minutes * 60, rate=STEADY_RATE, follow=store.follow(), follow_every=250)
    finally:
        store.stop()
    quarter = len(sampled.resident) // 4
    if not quarter:
        raise RuntimeError("there was no time to look at the memory")
    quarters = [median(sampled.resident[at * quarter:(at + 1) * quarter]) / MB for at in range(4)]
    compactions = sum(later < earlier for earlier, later in zip(sampled.other, sampled.other[1:]))
    if not any(sampled.other):
        raise RuntimeError(f"no file of a table was found in {store.data}")
    last, followed = quarters[3], told["followed"]
    return [
        row(f"resident in the last quarter of {minutes:g} minutes at {STEADY_RATE:,} spans/s", last, "MB", target="< 150 MB, ≤ 1.1× the second quarter",
            met=last < 150 and last <= 1.1 * quarters[1],
            note="quarters " + " / ".join(f"{one:.0f}" for one in quarters) + f", at most {sampled.peak() / MB:.0f}; {told['spans']:,} spans"),
        row("data files of tables meanwhile, at most", max(sampled.other), "", note=f"{sampled.other[-1]} in the end, fewer than a second before {compactions} times"),
        row("from the 200 to the open trace meanwhile, p99", followed["visible_ms"]["p99"], "ms", target="< 1 s",
            met=followed["visible_ms"]["p99"] < 1_000 and followed["lost"] == 0,
            note=f"p50 {followed['visible_ms']['p50']:.1f} of {followed['asked']:,}; {followed['missed']} were not whole when they were first asked for"),
    ]
