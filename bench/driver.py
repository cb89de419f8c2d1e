"""Runs the named benches, or all, and writes what they measured."""

import importlib
import sys
import time

import results

NAMES = ["server", "unchanged", "search", "million", "retrieval", "ingest", "answer", "gateway", "spans", "traces", "clone"]


def main():
    options = [argument for argument in sys.argv[1:] if argument.startswith("--")]
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--")] or NAMES
    unknown = [name for name in wanted if name not in NAMES] + [option for option in options if option != "--large"]
    if unknown:
        sys.exit(f"unknown: {' '.join(unknown)}; benches are {' '.join(NAMES)}; the one option is --large")
    failed = []
    for name in wanted:
        print(f"▸ {name}", file=sys.stderr, flush=True)
        began, others = time.time(), results.Others()
        try:
            rows = importlib.import_module(f"benches.{name}").run(large="--large" in options)
        except Exception as error:  # one bench that cannot run does not stop the others
            print(f"✗ {name}: {error}", file=sys.stderr, flush=True)
            failed.append(name)
            continue
        print(results.table(rows), flush=True)
        if results.is_kept():
            results.write(name, rows, " ".join(["bench/run", *options, name]), time.time() - began, others.share())
            results.write_summary(NAMES)
    if failed:
        sys.exit(f"these could not run: {' '.join(failed)}")


main()
