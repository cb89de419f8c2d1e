"""What the gateway adds to a model call, beside LiteLLM, TensorZero and Portkey in the same run, on the same cores.

A scripted upstream and the load generator (`load` of the test servers) stand on either side. Every round asks the upstream
directly, then each gateway; what a gateway adds is the median of the differences within rounds. Ours is `mainspring gateway`."""

import random
import threading
import time
from statistics import median

import gateways
from results import row
from world import say, scratch

MB = 1e6
ROUNDS, SECONDS = 5, 3
# A question of a kilobyte, and one with a long context.
SHORT, LONG = 1_000, 400_000
# How often rounds are drawn anew for an interval.
DRAWS = 2_000
CALLER = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def run(large=False):
    gateways.many_descriptors()
    with scratch() as folder:
        upstream = gateways.Upstream()
        places = {"direct": upstream}
        try:
            places.update(gateways.ours(folder, upstream))
            idle = {name: place.resident() for name, place in places.items()}
            places.update(gateways.peers(folder, upstream))
            return measured(places, upstream, idle)
        finally:
            for place in places.values():
                place.stop()


def measured(places, upstream, idle):
    for place in places.values():
        place.ask("closed", connections=4, seconds=2, bytes=SHORT)
    rounds = Rounds(places)
    rounds.several("one", "closed", connections=1, seconds=SECONDS, bytes=SHORT)
    # The machine's own pace differs from round to round by more than gateways do.
    rounds.several("sixteen", "closed", times=9, connections=16, seconds=SECONDS, bytes=SHORT)
    # The promise is of a call at a time and of 16; 64 at once are measured too, and what they leave is told beside it.
    at_sixteen = {name: place.resident() for name, place in places.items()}
    # A caller's own trace goes on in ours, and one that may be big is written otherwise than one that begins here.
    rounds.several("traced", "closed", ["direct", "ours"], connections=1, seconds=SECONDS, bytes=SHORT, header=CALLER)
    alone = [name for name in places if name != "serve"]
    rounds.several("many", "closed", alone, times=3, connections=64, seconds=SECONDS, bytes=SHORT)
    # By then one of ours may have a process at work that brings traces to the lake. It counts, and the note tells them apart.
    resident = {name: place.resident() for name, place in places.items()}
    itself = places["ours"].resident_itself()
    fast = [name for name in ("direct", "ours", "tensorzero") if name in places]
    rounds.several("long", "closed", fast, times=3, connections=1, seconds=SECONDS, bytes=LONG)
    pace = min(rounds.middle("sixteen", name, "per_second") for name in fast[1:]) / 2
    rounds.several("open", "open", fast, connections=256, seconds=5, rate=round(pace), bytes=SHORT)
    streaming = [name for name in alone if places[name].streams]
    upstream.manner(chunks=200)
    rounds.several("events", "closed", streaming, times=3, connections=1, seconds=SECONDS, bytes=SHORT, stream="yes")
    upstream.manner(first=300, gap=20, chunks=20)
    rounds.several("real", "closed", alone, times=3, connections=64, seconds=5, bytes=SHORT)
    rounds.several("real events", "closed", streaming, times=3, connections=64, seconds=5, bytes=SHORT, stream="yes")
    slow = slow_streams(places, upstream, fast)
    return [*rows_of_latency(rounds), *rows_of_throughput(rounds, at_sixteen, (resident, itself), idle), *rows_of_streams(rounds, slow),
            *rows_of_the_whole(rounds, resident, idle), *rows_of_records(places)]


class Rounds:
    """Every measure of every place, round by round."""

    def __init__(self, places):
        self.places, self.found = places, {}

    def several(self, what, mode, names=None, times=ROUNDS, **options):
        order = list(names or self.places)
        for number in range(times):
            # Otherwise one would always be asked while the one before it still writes what it was asked.
            for name in order if number % 2 == 0 else reversed(order):
                say(f"{what}, round {number + 1} of {times}: {self.places[name].name}")
                self.found.setdefault((what, name), []).append(self.places[name].ask(mode, **options))

    def has(self, what, name):
        return (what, name) in self.found

    def values(self, what, name, *path):
        values = []
        for told in self.found[what, name]:
            for key in path:
                # Where nothing was answered, there is nothing to tell.
                told = float("inf") if told is None else told[key]
            values.append(told)
        return values

    def middle(self, what, name, *path):
        return median(self.values(what, name, *path))

    def added(self, what, name, *path):
        """The differences to the upstream itself, round by round."""
        return [ours - direct for ours, direct in zip(self.values(what, name, *path), self.values(what, "direct", *path))]

    def ratios(self, what, name, *path, better_is_less=True):
        """How many times better ours is than this peer, round by round; nothing where one of them answered nothing."""
        ours, theirs = self.values(what, "ours", *path), self.values(what, name, *path)
        if not all(0 < value < float("inf") for value in ours + theirs):
            return []
        return [theirs / ours if better_is_less else ours / theirs for ours, theirs in zip(ours, theirs)]

    def others(self, what):
        return [name for name in self.places if name not in ("direct", "ours", "serve") and self.has(what, name)]

    def name(self, place):
        return self.places[place].name

    def errors(self, what):
        return sum(told["errors"] for told in self.found[what, "ours"])


def spread(values):
    return f"{min(values):.2f} to {max(values):.2f} in {len(values)} rounds"


def interval(values):
    """Where the median lies with 95 %: as many rounds are drawn from these again and again, in every run the same ones."""
    chance = random.Random(1)
    middles = sorted(median(chance.choices(values, k=len(values))) for _ in range(DRAWS))
    beyond = DRAWS // 40
    return middles[beyond], middles[-1 - beyond]


def spread_of_added(values):
    low, high = interval(values)
    return f"{spread(values)}, 95 % interval {low:.3f} to {high:.3f}"


def by_rounds(ratios):
    """A note on ratios within rounds, where there are some."""
    if not ratios:
        return ""
    low, high = interval(ratios)
    return f"ratio by rounds {median(ratios):.3f}, 95 % interval {low:.3f} to {high:.3f}"


def compared(rounds, what, value, better_is_less=True):
    """Ours and each peer's: `value` of a place; TensorZero's first, as it is the fastest of them."""
    ours = value("ours")
    for name in rounds.others(what) or [None]:
        peer = None if name is None else value(name)
        ratio = None
        if peer is not None and min(ours, peer) > 0:
            ratio = peer / ours if better_is_less else ours / peer
        yield ours, peer, name and rounds.name(name), ratio, name


def added_rows(rounds, what, title, path, target="", limit=None):
    """What a gateway adds to a percentile, a line for each peer; the promise stands in the first."""
    own = rounds.added(what, "ours", *path)
    note = (f"{spread_of_added(own)}; no gateway {rounds.middle(what, 'direct', *path):.2f}, "
            f"with ours {rounds.middle(what, 'ours', *path):.2f}, its p99 {rounds.middle(what, 'ours', path[0], 'p99'):.2f}")
    rows = []
    for ours, peer, peer_name, ratio, _ in compared(rounds, what, lambda name: median(rounds.added(what, name, *path))):
        first = not rows
        rows.append(row(title if first else "the same", ours, "ms", peer, peer_name or "", ratio, target if first else "",
                        ours <= limit if first and limit is not None else None, note if first else ""))
    return rows


def rows_of_latency(rounds):
    return [
        *added_rows(rounds, "one", "added to a call of 1 KB at one connection, p50", ("whole_ms", "p50"), "≤ 0.25 ms", .25),
        *added_rows(rounds, "traced", "the same within a trace of the caller's (`traceparent`)", ("whole_ms", "p50"), "≤ 0.25 ms", .25),
        *added_rows(rounds, "long", "added to a call of 400 KB at one connection, p50", ("whole_ms", "p50")),
        *added_rows(rounds, "real", "added at 64 connections where the upstream takes 300 ms, p50", ("whole_ms", "p50")),
        *added_rows(rounds, "real events", "the same as a stream, 20 ms between chunks, to the first chunk, p50", ("first_ms", "p50")),
        *added_rows(rounds, "events", "added to a stream of 200 chunks at once, to the first chunk, p50", ("first_ms", "p50")),
        *added_rows(rounds, "events", "the same, to the last", ("whole_ms", "p50")),
        *open_rows(rounds),
    ]


def open_rows(rounds):
    rate = rounds.found["open", "ours"][0]["rate"]
    kept = rounds.middle("open", "ours", "per_second")
    rows = []
    for share in ("p50", "p99"):
        for ours, peer, peer_name, ratio, _ in compared(rounds, "open", lambda name, share=share: rounds.middle("open", name, "whole_ms", share)):
            direct = rounds.middle("open", "direct", "whole_ms", share)
            rows.append(row(f"open loop at {rate:,.0f} calls/s, half of what the slower can do, from when a call was due: {share}", ours, "ms",
                            peer, peer_name or "", ratio, note=f"answered {kept:,.0f}/s; no gateway {direct:.2f}"))
    return rows


def rows_of_throughput(rounds, at_sixteen, after, idle):
    rows, (resident, itself) = [], after
    for what, connections in (("sixteen", 16), ("many", 64)):
        for ours, peer, peer_name, ratio, name in compared(rounds, what, lambda place, what=what: rounds.middle(what, place, "per_second"), False):
            target, met = "", None
            if what == "sixteen" and name in ("tensorzero", None):
                target, met = "≥ 8,000", ours >= 8_000
            elif what == "sixteen" and name == "litellm":
                target, met = "≥ 20× LiteLLM", ratio is not None and ratio >= 20
            note = f"{rounds.errors(what)} errors; no gateway {rounds.middle(what, 'direct', 'per_second'):,.0f}"
            if what == "sixteen" and name == "tensorzero":
                paired = by_rounds(rounds.ratios(what, name, "per_second", better_is_less=False))
                note += f"; {paired}" if paired else ""
            rows.append(row(f"calls a second at {connections} connections", ours, "/s", peer, peer_name or "", ratio, target, met, note))
        for ours, peer, peer_name, ratio, name in compared(rounds, what, lambda place, what=what: rounds.middle(what, place, "whole_ms", "p99")):
            promised = what == "sixteen" and name == "tensorzero"
            note = by_rounds(rounds.ratios(what, name, "whole_ms", "p99")) if promised else ""
            rows.append(row(f"p99 at {connections} connections", ours, "ms", peer, peer_name or "", ratio,
                            "not above TensorZero's" if promised else "", ours <= peer if promised else None, note))
    for ours, peer, peer_name, ratio, _ in compared(rounds, "sixteen", lambda place: rounds.middle("sixteen", place, "processor_us")):
        rows.append(row("processor time of a call at 16 connections", ours, "µs", peer, peer_name or "", ratio))
    for ours, peer, peer_name, ratio, name in compared(rounds, "sixteen", lambda place: at_sixteen[place] / MB):
        first = name in ("tensorzero", None)
        rows.append(row("resident after 16 connections", ours, "MB", peer, peer_name or "", ratio, "< 60 MB" if first else "",
                        ours < 60 if first else None, f"{idle['ours'] / MB:.0f} MB before the first call" if first else ""))
    for ours, peer, peer_name, ratio, name in compared(rounds, "many", lambda place: resident[place] / MB):
        note = f"{itself / MB:.0f} MB of it in the process that answers calls" if name in ("tensorzero", None) else ""
        rows.append(row("resident after 64 connections", ours, "MB", peer, peer_name or "", ratio, note=note))
    return rows


def rows_of_the_whole(rounds, resident, idle):
    """The server that does everything else too, beside the process that is only a gateway."""
    if "serve" not in rounds.places:
        return []
    added = rounds.added("one", "serve", "whole_ms", "p50")
    return [
        row("`mainspring serve`: added to a call of 1 KB at one connection, p50", median(added), "ms", note=spread_of_added(added)),
        row("`mainspring serve`: calls a second at 16 connections", rounds.middle("sixteen", "serve", "per_second"), "/s",
            note=f"p99 {rounds.middle('sixteen', 'serve', 'whole_ms', 'p99'):.2f} ms, {rounds.middle('sixteen', 'serve', 'processor_us'):.0f} µs a call"),
        row("`mainspring serve`: resident after these", resident["serve"] / MB, "MB", note=f"{idle['serve'] / MB:.0f} MB before the first call"),
    ]


def slow_streams(places, upstream, names):
    """Chunks' delays of 500 streams, and the memory of 2,000."""
    found = {}
    for streams, gap, seconds in ((500, 100, 10), (2_000, 500, 12)):
        # No stream ends before the time is up: they are all there at once.
        upstream.manner(gap=gap, chunks=100_000)
        for name in names:
            place = places[name]
            say(f"{streams} streams: {place.name}")
            with Peak(place) as peak:
                told = place.ask("streams", connections=streams, ramp=4, seconds=seconds, bytes=SHORT, stream="yes")
            expected = streams * seconds * 1000 / gap
            found[streams, name] = dict(told, peak=peak.bytes, came=told["chunks"] / expected, gap=gap)
            time.sleep(2)
    upstream.manner()
    return found


class Peak:
    """The most memory a place's processes had, four times a second."""

    def __init__(self, place):
        self.place, self.bytes, self.over = place, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.over.wait(.25):
            self.bytes = max(self.bytes, self.place.resident())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def rows_of_streams(rounds, slow):
    rows = []
    peer = (500, "tensorzero") in slow
    name = rounds.name("tensorzero") if peer else ""
    ours, direct = slow[500, "ours"], slow[500, "direct"]
    for share, limit in (("p50", None), ("p99", 2)):
        delay = (ours["chunk_ms"] or {}).get(share, float("inf"))
        other = (slow[500, "tensorzero"]["chunk_ms"] or {}).get(share) if peer else None
        note = f"{ours['open']} open, {ours['came']:.0%} of the chunks came; no gateway {direct['chunk_ms'][share]:.2f}"
        rows.append(row(f"500 streams, a chunk each {ours['gap']} ms: from the upstream's send to the client's read, {share}", delay, "ms",
                        other, name, other / delay if other else None, "< 2 ms" if limit else "", delay < limit if limit else None, note))
    ours = slow[2_000, "ours"]
    other = slow[2_000, "tensorzero"] if peer else None
    late = (ours["chunk_ms"] or {}).get("p99", float("inf"))
    whole = ours["open"] == 2_000 and ours["errors"] == 0
    rows.append(row(f"2,000 streams at once, a chunk each {ours['gap']} ms: peak resident", ours["peak"] / MB, "MB",
                    other and other["peak"] / MB, name, other and other["peak"] / ours["peak"], "< 300 MB", whole and ours["peak"] < 300 * MB,
                    f"{ours['open']:,} open at the end, {ours['errors']} errors, {ours['came']:.0%} of the chunks came, "
                    f"p99 of their delay {late:.1f} ms"))
    return rows


def rows_of_records(places):
    """Nothing may be missing in the ledger: every answered call is there, and none that was not made."""
    ours = places["ours"]
    say("reading the ledger")
    recorded = ours.recorded()
    return [row("calls in the ledger afterwards", recorded, "", target="every one", met=ours.answered <= recorded <= ours.sent,
                note=f"{ours.answered:,} were answered to the end, {ours.sent - ours.answered:,} more were begun")]
