"""TensorZero's gateway, which is inside of its wheel: tensorzero_gateway.py UPSTREAM

One model behind an OpenAI provider, observability off. Prints the address of its OpenAI-compatible API, and serves until it is ended."""

import signal
import sys
import tempfile
from pathlib import Path

from tensorzero import _start_http_gateway

CONFIG = """
[gateway]
observability.enabled = false

[models.bench]
routing = ["upstream"]

[models.bench.providers.upstream]
type = "openai"
model_name = "bench"
api_base = "{upstream}/v1/"
api_key_location = "none"
"""

with tempfile.TemporaryDirectory() as folder:
    config = Path(folder) / "tensorzero.toml"
    config.write_text(CONFIG.format(upstream=sys.argv[1]))
    gateway = _start_http_gateway(config_file=str(config), clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False)
    print(f"serves {gateway.base_url}", flush=True)
    signal.pause()
