"""How soon a server is ready, and what it holds when it has nothing to do."""

import os
import time

from results import row
from world import Server, knowledge, percentile, scratch, say

ROUNDS = 5
MIB = 2**20


def run(large=False):
    with scratch() as folder:
        fresh = []
        for number in range(ROUNDS):
            with Server(f"{folder}/fresh{number}") as server:
                fresh.append(server.ready_after)
        # An existing folder: something was applied and ingested, and traced.
        docs = f"{folder}/docs"
        os.makedirs(docs)
        for number in range(50):
            with open(f"{docs}/{number}.md", "w") as file:
                file.write(f"# Page {number}\n\nPage {number} says that the number is {number}.\n")
        with Server(f"{folder}/used") as server:
            server.command("apply", knowledge(folder, "pages", {"sources": [{"type": "folder", "path": docs}]}))
            server.command("ingest", "pages")
        used = []
        for _ in range(ROUNDS):
            with Server(f"{folder}/used") as server:
                used.append(server.ready_after)
        with Server(f"{folder}/used") as server:
            time.sleep(5)
            idle = server.resident() / MIB
            say(f"children of the idle server: {server.children_peak / MIB:.0f} MiB")
            children = server.children_peak / MIB
    return [
        row("ready, fresh data folder, median", percentile(fresh, .5) * 1e3, "ms", target="< 1 s", met=percentile(fresh, .5) < 1,
            note=f"slowest of {ROUNDS}: {max(fresh) * 1e3:.0f} ms"),
        row("ready, existing data folder, median", percentile(used, .5) * 1e3, "ms", target="< 1 s", met=percentile(used, .5) < 1,
            note=f"slowest of {ROUNDS}: {max(used) * 1e3:.0f} ms"),
        row("resident after 5 s idle, no model loaded", idle, "MiB", target="< 150 MB", met=(idle + children) * MIB < 150e6,
            note=f"child processes {children:.0f} MiB"),
    ]
