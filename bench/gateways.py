"""The gateways that are measured, ours among them, and what stands on either side of them."""

import json
import os
import re
import resource
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from world import CACHE, ROOT, TARGET, Server, binary, children, environment, lines_of, made, memory, say

MODEL = "bench"
TICK = os.sysconf("SC_CLK_TCK")


def load():
    program = TARGET / "examples/load"
    if not program.exists():
        raise RuntimeError(f"{program} is not built")
    return program


def many_descriptors():
    """Two thousand streams are four thousand sockets of a gateway; processes started from here may have them."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Place:
    """Where calls are sent: a gateway, or the upstream itself. `processes` are those whose time and memory count."""

    def __init__(self, name, url, headers=(), model=MODEL, process=None, streams=True):
        self.name, self.url, self.headers, self.model, self.process, self.streams = name, url, list(headers), model, process, streams
        self.sent = self.answered = 0
        self.refusal = "it said nothing"

    def pids(self):
        found, look = [], [self.process.pid]
        while look:
            found.append(look.pop())
            look += children(found[-1])
        return found

    def resident(self):
        return sum(memory(pid, "VmRSS") for pid in self.pids())

    def resident_itself(self):
        """Of the process that was started, without those that it started."""
        return memory(self.process.pid, "VmRSS")

    def processor_seconds(self):
        """User and system time of each of its processes so far."""
        spent = {}
        for pid in self.pids():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                spent[pid] = (int(fields[11]) + int(fields[12])) / TICK
            except OSError:
                pass
        return spent

    def ask(self, mode, **options):
        """Runs the load generator against it. The result has the microseconds of processor time a request took it."""
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        flags += [part for header in self.headers for part in ("--header", header)]
        before = self.processor_seconds()
        told = lines_of([load(), mode, "--url", self.url, "--model", self.model, *flags])[0]
        # A worker that was replaced meanwhile counts from its start.
        spent = sum(now - before.get(pid, 0) for pid, now in self.processor_seconds().items())
        told["processor_us"] = spent * 1e6 / max(told["requests"], 1)
        self.answered += told["requests"]
        self.sent += told["requests"] + told["errors"] + told["open"]
        if told["errors"]:
            say(f"{self.name}: {told['errors']} errors of {told['requests']} requests, the last: {told['last_error'][:200]}")
        return told

    def answers(self):
        """Whether one question is answered."""
        body = json.dumps({"model": self.model, "max_tokens": 8, "messages": [{"role": "user", "content": "ready?"}]}).encode()
        headers = dict((part.strip() for part in header.split(":", 1)) for header in self.headers)
        request = urllib.request.Request(self.url, body, {"content-type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.sent, self.answered = self.sent + 1, self.answered + 1
                return answer.status == 200
        except urllib.error.HTTPError as error:
            self.refusal = f"{error.code} {error.read(300)}"
        except OSError as error:
            self.refusal = str(error)
        return False

    def wait(self, seconds=90):
        began = time.monotonic()
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - began > seconds:
                self.stop()
                raise RuntimeError(f"{self.name} does not answer: {self.refusal}")
            time.sleep(0.3)
        return self

    def stop(self):
        end(self.process)


def end(process):
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Upstream(Place):
    """The scripted model server; asked directly it is what every gateway is compared with."""

    def __init__(self):
        process = subprocess.Popen([load(), "upstream"], stdout=subprocess.PIPE, text=True)
        self.base = process.stdout.readline().split()[-1]
        super().__init__("no gateway", f"{self.base}/v1/chat/completions", process=process)

    def manner(self, first=0, gap=0, chunks=20):
        """Milliseconds to the first byte and between chunks, and how many of those a stream has."""
        request = urllib.request.Request(f"{self.base}/_manner?first={first}&gap={gap}&chunks={chunks}", b"")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


class Ours(Place):
    """Mainspring as it comes, with a key, a route, limits and a budget that do not bind, prices, and traces kept."""

    SPECS = """
apiVersion: mainspring/v1
kind: provider
name: upstream
spec: {{type: openai, base_url: "{upstream}/v1"}}
---
apiVersion: mainspring/v1
kind: route
name: bench
spec: {{targets: [{{provider: upstream, model: bench}}]}}
---
apiVersion: mainspring/v1
kind: prices
name: default
spec: {{models: [{{model: bench, input: 0.15, cache_read: 0.075, output: 0.60}}]}}
"""
    LIMITS = [
        ("requests-per-minute", "1000000000", "key"),
        ("tokens-per-minute", "1000000000", "key"),
        ("usd-per-month", "1000000", "project"),
    ]

    def __init__(self, name, serves, folder, upstream):
        self.folder = Path(folder)
        with Server(folder) as server:
            headers = self.prepared(server, upstream)
        self.server = Server(folder, serves)
        super().__init__(name, f"{self.server.url}/v1/chat/completions", headers, process=self.server.process)
        self.wait()

    def prepared(self, server, upstream):
        """Makes what a call needs; the header with the key to it."""
        specs = self.folder / "bench.yaml"
        specs.write_text(self.SPECS.format(upstream=upstream.base))
        server.command("apply", specs)
        key = server.command("keys", "create", "bench", "--role", "reader")["secret"]
        for metric, amount, whom in self.LIMITS:
            server.command("limits", "set", metric, amount, "--for", whom)
        return [f"authorization: Bearer {key}"]

    def recorded(self):
        """Calls in its ledger, as another process finds them."""
        self.stop()
        with Server(self.folder) as server:
            return server.command("usage", "--by", "project")["total"]["calls"]

    def stop(self):
        if self.process.poll() is None:
            self.server.stop()


def chat(port):
    return f"http://127.0.0.1:{port}/v1/chat/completions"


def ours(folder, upstream):
    """The process that is only a gateway, as the peers are, and the whole server."""
    whole = Ours("mainspring serve", "serve", f"{folder}/serve", upstream)
    if subprocess.run([binary(), "gateway", "--help"], capture_output=True).returncode != 0:
        return {"ours": whole}
    return {"ours": Ours("mainspring gateway", "gateway", f"{folder}/gateway", upstream), "serve": whole}


def started(name, command, url, log, **options):
    # Far down in the scratch folder: LiteLLM imports what it finds two folders above the one it is started in.
    home = Path(log).with_suffix("") / "home"
    home.mkdir(parents=True)
    with open(log, "w") as said:
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=home,
                                   env=dict(os.environ, LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="ERROR", DO_NOT_TRACK="1"))
    return Place(name, url, process=process, **options).wait()


def started_saying(name, command, log):
    """A server that says itself where it listens: a line `serves http://…`."""
    with open(log, "w") as said:
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=Path(log).parent)
    for _ in range(600):
        found = re.search(r"^serves (\S+)", Path(log).read_text(), re.MULTILINE)
        if found:
            return Place(name, f"{found.group(1)}/chat/completions", process=process)
        if process.poll() is not None:
            break
        time.sleep(0.1)
    end(process)
    raise RuntimeError(f"{name} did not start: {Path(log).read_text()[-500:]}")


def tensorzero(folder, upstream):
    command = [environment("tensorzero") / "bin/python", "-B", ROOT / "bench/peers/tensorzero_gateway.py", upstream.base]
    place = started_saying("TensorZero 2026.6.0", command, Path(folder) / "tensorzero.log")
    place.model = f"tensorzero::model_name::{MODEL}"
    return place.wait()


def litellm(folder, upstream, workers):
    config = Path(folder) / "litellm.json"
    config.write_text(json.dumps({
        "model_list": [{"model_name": MODEL, "litellm_params": {"model": f"openai/{MODEL}", "api_base": f"{upstream.base}/v1", "api_key": "unused"}}],
        "general_settings": {"master_key": "sk-bench"},
    }))
    port = free_port()
    command = [environment("litellm") / "bin/litellm", "--config", config, "--host", "127.0.0.1", "--port", port,
               "--num_workers", workers, "--telemetry", "False"]
    name = f"LiteLLM 1.98.0, {workers} worker{'s' if workers > 1 else ''}"
    return started(name, command, chat(port), Path(folder) / f"litellm{workers}.log", headers=["authorization: Bearer sk-bench"])


def portkey(folder, upstream):
    """Answers streams with 500 under Node.js 20 and 24: it changes headers that `fetch` made immutable."""
    port = free_port()
    command = ["node", node_modules("portkey") / "@portkey-ai/gateway/build/start-server.js", f"--port={port}", "--headless"]
    headers = ["x-portkey-provider: openai", f"x-portkey-custom-host: {upstream.base}/v1", "authorization: Bearer unused"]
    return started("Portkey 1.15.2", command, chat(port), Path(folder) / "portkey.log", headers=headers, streams=False)


def node_modules(name):
    """Packages from the npm registry, as the lock file beside their list says."""
    pins = ROOT / "bench/peers" / name
    folder = CACHE / name

    def make():
        for file in ("package.json", "package-lock.json"):
            shutil.copy(pins / file, folder / file)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)

    made(folder, pins / "package-lock.json", make)
    return folder / "node_modules"


PEERS = {
    "tensorzero": tensorzero,
    "portkey": portkey,
    "litellm": lambda folder, upstream: litellm(folder, upstream, 1),
    "litellm2": lambda folder, upstream: litellm(folder, upstream, 2),
}


def peers(folder, upstream):
    """Those that `MAINSPRING_BENCH_PEERS` names, or all; one that does not start is said and left out."""
    wanted = os.environ.get("MAINSPRING_BENCH_PEERS", ",".join(PEERS))
    found = {}
    for name in PEERS:
        if name not in wanted.split(","):
            continue
        try:
            found[name] = PEERS[name](folder, upstream)
        except Exception as error:  # a peer that cannot be had does not keep ours from being measured
            say(f"{name} is left out: {error}")
    return found
