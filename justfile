# Recipes for working on Mercer; `just` lists them.

# `mercer` as the tests of the workspace build it, so that it is not built once more by itself.
binary := `realpath -m "${CARGO_TARGET_DIR:-target}"` / "debug/mercer-node"

_list:
    @just --list

# Everything that CI runs.
ci: lint docs test answers slow python newcomer deploy

# The fast tests.
test:
    cargo test --workspace

# Formatting, lints, unused dependencies, licences and sources.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo machete
    cargo deny --log-level error check bans licenses sources

# Known vulnerabilities of what Mercer depends on; loads the advisory database, so no part of `ci`.
advisories:
    cargo deny --log-level error check advisories

# The documentation, with broken links denied.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# The long tests, built as the fast ones are: 20 kills, 2,000 seeds of log faults, 2,000 of power cuts, every file of a folder damaged, hostile clients, bytes of an event, a year of invoices imported whole.
slow:
    #!/usr/bin/env bash
    set -euo pipefail
    export MERCER_SLOW_TESTS=1
    cargo test --workspace --no-run
    # What damages folders waits for processes most of the time: the others run beside it.
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    cargo test --workspace --test folders -- --nocapture --test-threads 1 >"$log" 2>&1 &
    folders=$!
    others=0
    {
        cargo test --workspace --test gate --test faults -- --nocapture &&
        cargo test --workspace --test screens &&
        cargo test --workspace --test hostile -- --nocapture --test-threads 1 &&
        cargo test --workspace --test memory bytes_of_an_event -- --nocapture &&
        cargo test --workspace --lib power_cut -- --nocapture &&
        MERCER_BINARY={{binary}} tests/newcomer/run -k Whole
    } || others=$?
    wait "$folders" || { cat "$log"; exit 1; }
    cat "$log"
    exit "$others"

# A client in another language: ingests, trains and queries.
python:
    cargo test --workspace --no-run
    MERCER_BINARY={{binary}} tests/python/run

# What every command answers about the committed shop, compared with the committed answers.
answers:
    cargo test --workspace --no-run
    python3 tests/data/answers_test.py
    python3 tests/data/answers.py check {{binary}}

# Each layout of tests/data/layouts as a newcomer meets it: from `mercer import inspect` to a decision.
newcomer:
    cargo test --workspace --no-run
    MERCER_BINARY={{binary}} tests/newcomer/run -k Newcomer

# The folder deploy/: image and compose file linted, units checked, every command, probe and runbook tried.
deploy:
    tests/deploy/run
