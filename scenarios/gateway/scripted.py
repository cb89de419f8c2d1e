"""A model server that speaks every dialect and does what the name of a model says, and providers of every kind in front of it."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time
import urllib.request

BASES = {"openai": "/v1", "azure": "/openai/v1", "anthropic": "", "gemini": "/v1beta", "bedrock": ""}
KINDS = list(BASES)


class Upstream:
    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([os.environ["MAINSPRING_UPSTREAM"], "--port", str(port)], stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the model server did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def seen(self):
        """The bodies it was sent."""
        with urllib.request.urlopen(self.url + "/_requests") as answer:
            return [request["body"] for request in json.load(answer)]

    def provider(self, kind):
        spec = {"type": kind, "base_url": self.url + BASES[kind]} | ({"region": "eu-central-1"} if kind == "bedrock" else {})
        return "provider", f"a-{kind}", spec


def apply(assets):
    with tempfile.TemporaryDirectory() as folder:
        for kind, name, spec in assets:
            asset = {"apiVersion": "mainspring/v1", "kind": kind, "name": name, "spec": spec}
            pathlib.Path(folder, f"{kind}-{name}.json").write_text(json.dumps(asset))
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run([os.environ["MAINSPRING_BIN"], "apply", folder], check=True, **quiet)
