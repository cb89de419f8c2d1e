"""The server under test, the examples, the peers, and where data lies."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USER_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mainspring"
CACHE = Path(os.environ.get("MAINSPRING_TEST_CACHE") or USER_CACHE / "tests") / "bench"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or USER_CACHE / "target") / os.environ.get("MAINSPRING_BENCH_PROFILE", "release")
MODELS = Path(os.environ.get("MAINSPRING_MODELS") or USER_CACHE / "models") / "sha256"
ENCODER = MODELS / "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENIZER = MODELS / "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
CHAT = MODELS / "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def say(text):
    print(f"  {text}", file=sys.stderr, flush=True)


def data():
    """The folder with the public sets."""
    folder = Path(os.environ.get("MAINSPRING_BENCH_DATA") or ROOT / "../shared/data").resolve()
    if not (folder / "cranfield/cranqrel").exists() or not (folder / "xquad/xquad.en.json").exists():
        raise RuntimeError(f"the public sets are not in {folder}: put Cranfield (cran.all.1400, cran.qry, cranqrel) into "
                           "cranfield/ and xquad.en.json into xquad/ of a folder, and name it in MAINSPRING_BENCH_DATA")
    return folder


def binary():
    path = TARGET / "mainspring"
    if not path.exists():
        raise RuntimeError(f"{path} is not built")
    return path


def memory(pid, field):
    """A field of a process's status in bytes; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            pass
    return found


class Server:
    """`mainspring serve` on a free port, or another command that serves, with a data folder of its own.

    `core` is the one processor it may use; `settings` are environment variables that change its settings."""

    def __init__(self, folder, serves="serve", core=None, settings=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING")}
        environment.update(MAINSPRING_DATA=str(self.folder / "data"))
        if "MAINSPRING_MODELS" in os.environ:
            environment["MAINSPRING_MODELS"] = os.environ["MAINSPRING_MODELS"]
        environment.update(settings or {})
        self.environment = environment
        self.log = open(self.folder / "server.log", "w+")
        began = time.perf_counter()
        self.process = subprocess.Popen([*pinned(core), binary(), serves, "--listen", "127.0.0.1:0"], cwd=self.folder, env=environment,
                                        stdout=subprocess.DEVNULL, stderr=self.log)
        self.url = self._ready(began)
        self.children_peak = 0
        self._stopped = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _ready(self, began):
        """Waits for `/readyz`; `ready_after` is the time since the process was started."""
        url = None
        while time.perf_counter() - began < 120:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {self._said()}")
            if url is None:
                found = re.search(r"http://[\d.]+:\d+", self._said())
                url = found.group(0) if found else None
            if url:
                try:
                    with urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
                        if answer.status == 200:
                            self.ready_after = time.perf_counter() - began
                            return url
                except OSError:
                    pass
            time.sleep(0.002)
        raise RuntimeError(f"the server was not ready within two minutes: {self._said()}")

    def _said(self):
        return (self.folder / "server.log").read_text()

    def _watch(self):
        while not self._stopped.wait(0.25):
            now = sum(memory(child, "VmRSS") for child in children(self.process.pid))
            self.children_peak = max(self.children_peak, now)

    def resident(self):
        return memory(self.process.pid, "VmRSS")

    def peak(self):
        return memory(self.process.pid, "VmHWM")

    def command(self, *arguments):
        """A command of the same binary against this server; its JSON."""
        environment = dict(self.environment, MAINSPRING_URL=self.url)
        done = subprocess.run([binary(), "--json", *arguments], cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"mainspring {' '.join(map(str, arguments))}: {done.stderr.strip()[-2000:]} {done.stdout[-2000:]}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
        return urllib.request.urlopen(request, timeout=600)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def kill(self):
        """What nobody can prepare for: `kill -9`."""
        self.process.kill()
        self.process.wait()
        self.stop()

    def stop(self):
        self._stopped.set()
        self._watcher.join()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def pinned(core):
    """What goes before a command so that it has one processor."""
    return [] if core is None else ["taskset", "--cpu-list", str(core)]


def bytes_in(folder):
    """What the files of a folder hold; files may go away meanwhile."""
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.stat(os.path.join(path, name)).st_size
            except FileNotFoundError:
                pass
    return total


def needs_disk(folder, wanted, what):
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise RuntimeError(f"{what} takes some {wanted / 1e9:.0f} GB, and {free / 1e9:.0f} GB are free in {folder}: name another folder in TMPDIR")


def scratch():
    """A folder that goes away with the `with` block."""
    return tempfile.TemporaryDirectory(prefix="mainspring-bench-")


def knowledge(folder, name, spec):
    """A spec file for `mainspring apply`; JSON is YAML too."""
    path = Path(folder) / f"{name}.json"
    path.write_text(json.dumps({"apiVersion": "mainspring/v1", "kind": "knowledge", "name": name, "spec": spec}))
    return path


def example(name, *arguments):
    """Runs an example program and returns the JSON objects it prints, one a line."""
    program = TARGET / "examples" / name
    if not program.exists():
        raise RuntimeError(f"{program} is not built")
    return lines_of([program, *arguments])


def peer(name, script, *arguments):
    """Runs a script of `peers/` in its own virtual environment, made from a pinned list the first time."""
    return lines_of([environment(name) / "bin/python", "-B", ROOT / "bench/peers" / script, *arguments])


def lines_of(command):
    say("running " + " ".join(Path(part).name if Path(part).is_absolute() else str(part) for part in map(str, command)))
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-3000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def environment(name):
    pins = ROOT / f"bench/peers/{name}.txt"
    folder = CACHE / name

    def make():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        # Engines that are built from source get the CPU level ours are built for.
        settings = dict(os.environ, CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON "
                                               "-DGGML_BMI2=ON -DLLAVA_BUILD=OFF")
        subprocess.run([folder / "bin/pip", "install", "--quiet", "--requirement", pins], check=True, env=settings)

    made(folder, pins, make)
    return folder


def made(folder, pins, make):
    """Makes the folder of a peer anew when the list of what is in it has changed."""
    stamp = folder / ".made"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    say(f"making the environment of the peer `{folder.name}`")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make()
    stamp.write_text(digest)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[int((len(ordered) - 1) * share)]
