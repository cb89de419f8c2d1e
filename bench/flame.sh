#!/usr/bin/env bash
# Draws where the gateway's time goes into gateway-flame.svg: bench/flame.sh [BYTES_OF_A_QUESTION]. Needs Debian's `linux-perf`.
# The program is linked once more with its symbols; nothing else is built anew after `bench/run`.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/mainspring/target}"

command -v perf >/dev/null || { echo "install Debian's package linux-perf" >&2; exit 1; }
nice -n 5 cargo build --locked --release --package mainspring-testservers --example load
nice -n 5 cargo rustc --locked --release --package mainspring-cli --bin mainspring -- -C strip=none
exec python3 -B bench/flame.py bench/gateway-flame.svg "${1:-1000}"
