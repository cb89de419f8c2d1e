"""The servers that take spans, ours and its peers, and the program that sends to all of them."""

import http.client
import json
import os
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from gateways import end, free_port
from world import TARGET, Server, children, environment, lines_of, memory, pinned, say

# OpenTelemetry's exporters send as many at once by default.
BATCH = 512
SPANS_PER_TRACE = 8
CONNECTIONS = 4
# A peer that has not written within this time what it acknowledged has lost it.
PATIENCE = 1_800


def cores():
    """One processor for the server, another for what sends."""
    found = sorted(os.sched_getaffinity(0))
    if len(found) < 2:
        raise RuntimeError("the server and what sends to it need a processor each")
    return found[0], found[1]


def generator():
    program = TARGET / "examples/spans"
    if not program.exists():
        raise RuntimeError(f"{program} is not built")
    return program


def get(url, timeout=600):
    """The JSON that is there; anything but a 200 is an error that says what was asked."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"GET {url}: {error.code} {error.read(300)!r}") from error


class Store:
    """A server that takes spans. `url` is where they go; `process` and its children are what it takes of the machine."""

    def __init__(self, name, url, process, headers=()):
        self.name, self.url, self.process, self.headers = name, url, process, list(headers)
        self.sent = 0
        self.seed = 0

    def pids(self):
        found, look = [], [self.process.pid]
        while look:
            found.append(look.pop())
            look += children(found[-1])
        return found

    def resident(self):
        return sum(memory(pid, "VmRSS") for pid in self.pids())

    def send(self, core=None, **options):
        """Sends until every span is acknowledged. Each time other spans: one that was sent before would change nothing."""
        self.seed += 1
        flags = [part for name, value in options.items() for part in ("--" + name.replace("_", "-"), value)]
        flags += [part for header in self.headers for part in ("--header", header)]
        told = lines_of([*pinned(core), generator(), "--url", self.url, "--connections", CONNECTIONS, "--batch", BATCH, "--seed", self.seed, *flags])[0]
        self.sent += told["spans"]
        if told["given_up"]:
            raise RuntimeError(f"{self.name} did not take the spans: {told['last_error']}")
        if told["errors"]:
            say(f"{self.name}: {told['errors']} errors, the last: {told['last_error'][:200]}")
        return told

    def send_and_wait(self, core=None, **options):
        """The same, until whoever asks finds all of them: `queryable` is the time from the first request to then."""
        told = self.send(core, **options)
        began = time.perf_counter() - told["seconds"]
        found = self.wait_for(self.sent)
        told["queryable"] = time.perf_counter() - began
        if found != self.sent:
            raise RuntimeError(f"{self.name} has {found:,} spans, and {self.sent:,} were acknowledged")
        return told

    def wait_for(self, spans, patience=PATIENCE):
        """How many are found, once they are enough or the time is up."""
        began = time.monotonic()
        while True:
            found = self.stored()
            if found >= spans or time.monotonic() - began > patience:
                return found
            time.sleep(0.1)

    def stop(self):
        end(self.process)


class Ours(Store):
    def __init__(self, name, folder, core=None, settings=None):
        self.folder, self.core, self.settings = Path(folder), core, settings
        self.server = Server(folder, core=core, settings=settings)
        super().__init__(name, f"{self.server.url}/v1/traces", self.server.process)

    @property
    def base(self):
        return self.server.url

    def stored(self):
        found = get(f"{self.base}/api/v1/spans/count")
        if found["exact"] is not True:
            raise RuntimeError("the number of spans is not exact")
        return found["count"]

    def follow(self):
        return f"{self.base}/api/v1/traces"

    def killed(self):
        """Kills it and starts it again on what it left."""
        self.server.kill()
        self.server = Server(self.folder, core=self.core, settings=self.settings)
        self.url, self.process = f"{self.server.url}/v1/traces", self.server.process

    @property
    def data(self):
        return self.folder / "data"

    def stop(self):
        self.server.stop()


class Peer(Store):
    """A peer keeps its spans in a file of SQLite, where they are counted without taking anything of its time."""

    def __init__(self, name, command, port, path, health, settings, database, headers, folder, core):
        self.base, self.database = f"http://127.0.0.1:{port}", Path(database)
        with open(f"{folder}/said.log", "a") as said:
            process = subprocess.Popen([*pinned(core), *map(str, command)], stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder,
                                       env=dict(os.environ, **settings))
        super().__init__(name, self.base + path, process, headers)
        began = time.monotonic()
        while not self.is_ready(health):
            if process.poll() is not None or time.monotonic() - began > 600:
                self.stop()
                raise RuntimeError(f"{name} does not start: {Path(folder, 'said.log').read_text()[-500:]}")
            time.sleep(0.5)

    def is_ready(self, health):
        try:
            with urllib.request.urlopen(self.base + health, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stored(self):
        found = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=60)
        try:
            return found.execute("SELECT COUNT(*) FROM spans").fetchone()[0]
        finally:
            found.close()

    def warm(self, core=None):
        """What it loads with its first spans is not counted."""
        self.send_and_wait(core, spans=BATCH)


def phoenix(folder, core=None):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    port, grpc = free_port(), free_port()
    settings = dict(PHOENIX_WORKING_DIR=str(folder), PHOENIX_HOST="127.0.0.1", PHOENIX_PORT=str(port), PHOENIX_GRPC_PORT=str(grpc),
                    PHOENIX_TELEMETRY_ENABLED="false", PHOENIX_ALLOW_EXTERNAL_RESOURCES="false")
    command = [environment("phoenix") / "bin/phoenix", "serve"]
    return Peer("Phoenix 20.26.1", command, port, "/v1/traces", "/healthz", settings, folder / "phoenix.db", [], folder, core)


def mlflow(folder, core=None):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [environment("mlflow") / "bin/mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
               "--artifacts-destination", folder / "artifacts", "--host", "127.0.0.1", "--port", port]
    settings = dict(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", LITELLM_LOCAL_MODEL_COST_MAP="True",
                    PATH=f"{environment('mlflow')}/bin:{os.environ.get('PATH', '')}")
    return Peer("MLflow 3.17.2", command, port, "/v1/traces", "/health", settings, folder / "mlflow.db", ["x-mlflow-experiment-id: 0"], folder, core)


PEERS = {"phoenix": phoenix, "mlflow": mlflow}


def wanted(name):
    return name in os.environ.get("MAINSPRING_BENCH_PEERS", ",".join(PEERS)).split(",")


class Sampled:
    """What a store takes of memory while something happens, once a second and more often."""

    def __init__(self, store, also=None, every=.25):
        self.store, self.also, self.every = store, also, every
        self.resident, self.other, self.over = [], [], threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.over.wait(self.every):
            self.resident.append(self.store.resident())
            if self.also:
                self.other.append(self.also())

    def peak(self):
        return max(self.resident, default=0)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


class Asker:
    """One connection that asks questions, as a page does."""

    def __init__(self, base):
        self.connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=600)

    def ask(self, method, path, body=None):
        """The seconds to the last byte of the answer, and the answer."""
        headers = {"content-type": "application/json"} if body else {}
        began = time.perf_counter()
        self.connection.request(method, path, body and json.dumps(body), headers)
        answer = self.connection.getresponse()
        said = answer.read()
        seconds = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {said[:300]!r}")
        return seconds, json.loads(said)
