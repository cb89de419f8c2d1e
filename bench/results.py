"""What was measured: one JSON file a bench, and one table for people."""

import json
import os
import platform
import resource
import subprocess
import time
from pathlib import Path

import world

HERE = Path(__file__).parent


def is_kept():
    """What other profiles measure is for trying the benches out."""
    return world.TARGET.name == "release"


def row(what, ours, unit="", peer=None, peer_name="", ratio=None, target="", met=None, note=""):
    """One line. `ratio` is how many times better than the peer; `met` is None where nothing was promised."""
    return dict(what=what, ours=ours, unit=unit, peer=peer, peer_name=peer_name, ratio=ratio, target=target,
                met=None if met is None else bool(met), note=note)


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return f"{os.cpu_count()} × {cpu}, {memory:.0f} GiB, Linux {platform.release().split('-')[0]}"


def commit():
    answer = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True)
    return answer.stdout.strip() or "unknown"


class Others:
    """How much of the machine other work took meanwhile: numbers measured beside much of it say little."""

    def __init__(self):
        self.began = self._now()

    @staticmethod
    def _now():
        times = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        tick = os.sysconf("SC_CLK_TCK")
        own = sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
        # Idle and waiting for disks are the fourth and fifth.
        return sum(times) / tick, (sum(times) - times[3] - times[4]) / tick - own

    def share(self):
        (then, busy_then), (now, busy_now) = self.began, self._now()
        return max(0.0, (busy_now - busy_then) / max(now - then, 1e-9))


def write(name, rows, command, seconds, others):
    state = dict(name=name, command=command, date=time.strftime("%Y-%m-%d %H:%M", time.gmtime()), machine=machine(),
                 commit=commit(), seconds=round(seconds), others=round(others, 3), rows=rows)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(json.dumps(state, indent=1, ensure_ascii=False) + "\n")


def number(value, unit=""):
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        value = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
    elif isinstance(value, int):
        value = f"{value:,}"
    return f"{value} {unit}".strip()


def table(rows):
    lines = ["| what | ours | peer | ratio | target | met |", "|---|---|---|---|---|---|"]
    for one in rows:
        peer = f"{number(one['peer'], one['unit'])} ({one['peer_name']})" if one["peer"] is not None else "–"
        ratio = "–" if one["ratio"] is None else f"{one['ratio']:.2f}×"
        met = {True: "yes", False: "**no**", None: "–"}[one["met"]]
        what = one["what"] + (f"; {one['note']}" if one["note"] else "")
        lines.append(f"| {what} | {number(one['ours'], one['unit'])} | {peer} | {ratio} | {one['target'] or '–'} | {met} |")
    return "\n".join(lines)


def quiet(state):
    return "" if state["others"] <= 0.05 else ": **read these times with care**"


def write_summary(names):
    parts = ["# Results\n\nWritten by `bench/run`; [README.md](README.md) says what each line means.\n"
             "A ratio above 1 means better than the peer. A target that is not met is printed as not met.\n"]
    for name in names:
        path = HERE / "results" / f"{name}.json"
        if not path.exists():
            continue
        state = json.loads(path.read_text())
        parts.append(f"## {name}\n\n`{state['command']}`, {state['date']} UTC, {state['seconds']} s, commit {state['commit']}\n"
                     f"{state['machine']}; other work took {state['others']:.0%} of the processors meanwhile{quiet(state)}\n\n{table(state['rows'])}\n")
        if (HERE / "results" / f"{name}.svg").exists():
            parts.append(f"![{name}](results/{name}.svg)\n")
    (HERE / "RESULTS.md").write_text("\n".join(parts))
