"""From a clean clone to the first cited answer, with an empty build cache; what is downloaded comes before the clock."""

import os
import re
import subprocess
import time
from pathlib import Path

from results import row
from world import ROOT, USER_CACHE, say, scratch


def run(large=False):
    with scratch() as folder:
        clone, target = Path(folder) / "mainspring", Path(folder) / "target"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        # Downloads: crates, the page's packages, Debian's, and the models, which the cache holds by digest.
        subprocess.run(["cargo", "fetch", "--locked", "--quiet"], cwd=clone, check=True)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=clone / "web", check=True)
        (clone / "web/node_modules/.installed").touch()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING")}
        environment.update(CARGO_TARGET_DIR=str(target), CARGO_NET_OFFLINE="true", MAINSPRING_MODELS=str(USER_CACHE / "models"))
        say("building with an empty cache: a quarter of an hour")
        began = time.perf_counter()
        done = subprocess.run(["./dev", "demo", "--once"], cwd=clone, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - began
        if done.returncode != 0:
            raise RuntimeError(f"./dev demo --once failed: {done.stderr[-3000:]}")
        said = done.stdout + done.stderr
        assert re.search(r"\[1\]|sources", said), f"the answer names no source: {said[-3000:]}"
    cores = os.cpu_count()
    limit = 15 if cores < 8 else 4
    return [row(f"clean clone to the first cited answer, {cores} cores", seconds / 60, "min", target=f"< {limit} min", met=seconds < limit * 60,
                note="an empty build cache; downloads are not counted")]
