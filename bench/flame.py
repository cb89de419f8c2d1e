"""Samples the gateway under load and draws its stacks: flame.py OUT.svg BYTES"""

import re
import subprocess
import sys
from collections import Counter
from html import escape
from pathlib import Path

import gateways
from world import scratch

SECONDS, CONNECTIONS, HERTZ = 12, 16, 499
# The drawing: points, and the share of samples below which a frame is not drawn.
WIDTH, LINE, FONT, LEAST = 1200, 15, 11, .002
SIZE_MOST = 190_000
# Wrappers that every stack goes through, and that do nothing themselves; where a sample was in one it is kept.
PLUMBING = re.compile(r"^<?(std|core|tokio::runtime|tokio::loom|tokio::task|tokio::coop|futures_util|futures_core|tower|tower_service|tower_layer|tracing|axum_core)::|"
                      r"^<(core|alloc|std|tokio|futures_util|tower|tower_http|axum|pin_project_lite|tracing)[^>]* as (core|futures_core|tower_service|tower)[^>]*>|"
                      r"^(start_thread|clone3?|__libc_start.*|_start|main|\[unknown\]|__rust_try|__rust_begin_short_backtrace)$|{{closure}}$")
GROUPS = [
    ("memory: allocate and free", re.compile(r"^(__GI_)?(___?libc_|__)?(malloc|free|calloc|realloc|cfree|_int_malloc|_int_free.*|malloc_consolidate|unlink_chunk.*|sysmalloc|_?mi_.*|_rjem.*|__rust_alloc.*|__rustc::__rust_.*|__rdl_.*)$|^alloc::alloc::|tcache")),
    ("JSON", re.compile(r"serde_json|^serde::|scan::|simd_json")),
    ("copies", re.compile(r"mem(cpy|move|set)|rep_movs")),
    ("hashes and signatures", re.compile(r"sha2|sha256|ring::|ring_core|blake|hmac")),
]
KERNEL = "kernel"


def main(out, size):
    gateways.many_descriptors()
    with scratch() as folder:
        upstream = gateways.Upstream()
        try:
            ours = gateways.ours(folder, upstream)
            try:
                stacks, rate = sampled(folder, ours["ours"], size)
            finally:
                for place in ours.values():
                    place.stop()
        finally:
            upstream.stop()
    drawn(Path(out), stacks, f"{CONNECTIONS} connections, questions of {size:,} bytes, {rate:,.0f} calls/s while sampled")


def sampled(folder, ours, size):
    ours.ask("closed", connections=CONNECTIONS, seconds=2, bytes=size)
    data = f"{folder}/perf.data"
    # The clock of the processor's time: hardware counters are missing in many virtual machines.
    perf = subprocess.Popen(["perf", "record", "--quiet", "--output", data, "--event", "cpu-clock", "--freq", str(HERTZ),
                             "--call-graph", "dwarf,32768", "--pid", str(ours.process.pid), "--", "sleep", str(SECONDS)])
    told = ours.ask("closed", connections=CONNECTIONS, seconds=SECONDS + 1, bytes=size)
    if perf.wait() != 0:
        raise RuntimeError("perf could not record")
    text = subprocess.run(["perf", "script", "--input", data, "--no-inline", "--fields", "ip,sym"], capture_output=True, text=True, check=True).stdout
    return stacks_of(text), told["per_second"]


def stacks_of(text):
    """Stacks, the outermost frame first, and how often each was seen."""
    found = Counter()
    for block in text.split("\n\n"):
        frames = [(int(ip, 16), short(sym)) for ip, sym in re.findall(r"^\s*([0-9a-f]+) (.+)$", block, re.MULTILINE)]
        if not frames:
            continue
        # System calls and interrupts are one frame: what the kernel does in them is the same for every server.
        kernel = frames[0][0] >> 63
        user = [name for ip, name in frames if not ip >> 63]
        inner = user[:1] if not kernel else []
        kept = inner + [name for name in user[len(inner):] if not PLUMBING.search(name)]
        stack = ([KERNEL] if kernel else []) + kept
        found[tuple(cut(once(reversed(stack or ["elsewhere"]))))] += 1
    return found


def once(frames):
    """A function that calls itself through wrappers is one frame."""
    last = None
    for frame in frames:
        if frame != last:
            yield frame
        last = frame


def cut(frames):
    """What an allocator does inside is no matter of ours."""
    for frame in frames:
        yield frame
        if GROUPS[0][1].search(frame):
            return


def short(symbol):
    """A Rust name without its hash and its type arguments."""
    name = re.sub(r"::h[0-9a-f]{16}$|\.llvm\.\d+$|@@?GLIBC.*$", "", symbol.strip())
    name = re.sub(r"::\{closure#\d+\}|::\{\{closure\}\}", "", name)
    while True:
        # Generic arguments, the innermost first; `<T as Trait>` at the front stays.
        less = re.sub(r"(?<=[A-Za-z0-9_:])<[^<>]*>", "", name)
        if less == name:
            return re.sub("(::)+", "::", name.replace("mainspring_", ""))
        name = less


def shares(stacks):
    """Of all samples, those that were in such functions or in what these called."""
    total = sum(stacks.values())
    for title, names in GROUPS:
        yield title, sum(count for stack, count in stacks.items() if any(names.search(frame) for frame in stack)) / total
    yield "kernel", sum(count for stack, count in stacks.items() if stack[-1] == KERNEL) / total


def tree_of(stacks):
    root = dict(count=0, frames={})
    for stack, count in stacks.items():
        node = root
        node["count"] += count
        for frame in stack:
            node = node["frames"].setdefault(frame, dict(count=0, frames={}))
            node["count"] += count
    return root


def drawn(out, stacks, about):
    told = ", ".join(f"{title} {share:.1%}" for title, share in shares(stacks))
    root, least = tree_of(stacks), LEAST
    while True:
        text = svg(root, least, about, told)
        if len(text) <= SIZE_MOST:
            break
        least *= 1.3
    out.write_text(text)
    print(f"{root['count']:,} samples, {len(text):,} bytes, frames of at least {least:.2%} of the samples; {told}")


def svg(root, least, about, told):
    boxes, deepest = [], 0

    def add(node, left, depth):
        nonlocal deepest
        for name, child in sorted(node["frames"].items()):
            share = child["count"] / root["count"]
            if share >= least:
                deepest = max(deepest, depth)
                boxes.append((name, left, share, depth))
                add(child, left, depth + 1)
            left += share

    add(root, 0, 0)
    height = (deepest + 1) * LINE + 50
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="{FONT}">',
             "<style>rect{stroke:#fff;stroke-width:.5}text{pointer-events:none}</style>",
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
             f'<text x="6" y="16">The gateway under load: {escape(about)}; {root["count"]:,} samples.</text>',
             f'<text x="6" y="32">{escape(told)}. Wrappers of the runtime are left out.</text>']
    for name, left, share, depth in boxes:
        x, y, wide = left * WIDTH, height - (depth + 1) * LINE - 4, share * WIDTH
        room = int(wide / (FONT * .61)) - 1
        text = fitting(name, room)
        label = f'<text x="{x + 2:.1f}" y="{y + 11}">{escape(text)}</text>' if text else ""
        parts.append(f'<g><title>{escape(name)} {share:.1%}</title><rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{LINE}" '
                     f'fill="{colour(name)}"/>{label}</g>')
    return "\n".join([*parts, "</svg>", ""])


def fitting(name, room):
    """As much of the end of a name as there is room for, from the beginning of a word where that is possible."""
    if len(name) <= room:
        return name
    parts = name.split("::")
    last = next((end for end in ("::".join(parts[at:]) for at in range(len(parts))) if len(end) <= room), "")
    return last or (parts[-1][:room - 1] + "…" if room > 3 else "")


def colour(name):
    """By what a function is part of; the shade by its name, so that neighbours differ and it is the same everywhere."""
    kinds = [(r"^kernel$", 210), (GROUPS[0][1], 0), (GROUPS[1][1], 285), (r"sqlx|sqlite", 160), (r"^<?(gateway|llm|providers|api_|identity|server|kernel::|telemetry|observability)", 35),
             (r"hyper|http|tokio|mio|axum|tower", 95)]
    hue = next((hue for pattern, hue in kinds if re.search(pattern, name)), 55)
    return f"hsl({hue},{55 + hash_of(name) % 20}%,{68 + hash_of(name) // 7 % 14}%)"


def hash_of(name):
    return sum((index + 1) * ord(letter) for index, letter in enumerate(name))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
