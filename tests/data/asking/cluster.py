"""A cluster of one binary on a folder, and commands that are asked of it as they are typed."""

import csv
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

# A training waits for a processor that has nothing else to do.
DEADLINE_SECONDS = 600
# Differ from run to run, or say where and when a run was: tokens, names drawn at random, times, durations,
# positions in the log, sizes of files and memory, and who came first to take which shards.
MASKED = frozenset(
    """token attribution_token incarnation hash_sum import import_id
    create_time end_time created begun ended last_heartbeat first_met ledgers_since visit seconds check_seconds train_seconds score_seconds last_replay_seconds
    applied_sequence snapshot_sequence end_sequence trimmed_through last_replay_records generation
    disk_bytes resident_bytes bytes_read bytes_written free_bytes floor_bytes set_aside_bytes bytes
    address worker_id mercer_version wall_clock_step_ms""".split()
)


def masked(value, key=""):
    """An answer without what differs from run to run; what is empty or absent stays so."""
    if key in MASKED and value not in (None, "", []):
        return "*"
    if key == "phase_seconds":
        return [phase for phase, _ in value]
    # Of a worker, which shards it was given.
    if isinstance(value, dict):
        return {name: masked(one, name) for name, one in value.items() if not (name == "shards" and "live" in value)}
    if isinstance(value, list):
        return [masked(one) for one in value]
    return value


def environment():
    """What is set where the script runs, without what would configure Mercer."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MERCER_")}


def cell(text):
    """A cell of a CSV file; one with decimals is a number."""
    return float(text) if re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", text) else text


class Cluster:
    """`mercer up` on `folder`, from `with` to its end."""

    def __init__(self, binary, folder, options, places):
        self.binary = str(binary)
        self.folder, self.options = pathlib.Path(folder), options
        # What stands for a name in braces.
        self.places = {**places, "folder": str(self.folder), "out": str(self.folder / "out.csv")}
        self.endpoint, self.server = "", None

    def __enter__(self):
        said, log = self.folder / "serving.json", self.folder / "mercer.log"
        line = [self.binary, "up", "--data-dir", self.folder / "data", "--listen", "127.0.0.1:0", "--output", "json"]
        with open(said, "wb") as out, open(log, "wb") as errors:
            self.server = subprocess.Popen(
                [*line, *self.options], env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=errors
            )
        until = time.monotonic() + DEADLINE_SECONDS
        while not said.read_bytes().endswith(b"\n"):
            if self.server.poll() is not None or time.monotonic() > until:
                self.server.kill()
                sys.exit(f"{self.binary} does not serve:\n{log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.02)
        self.endpoint = json.loads(said.read_bytes())["endpoint"]
        return self

    def __exit__(self, *_):
        self.server.terminate()
        try:
            self.server.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.server.kill()
            raise

    def run(self, words, typed=None):
        """Exit code, standard output and standard error of a command; asks again where it is told to."""
        line = [self.binary, *shlex.split(words.format_map(self.places)), "--output", "json"]
        until = time.monotonic() + DEADLINE_SECONDS
        while True:
            pathlib.Path(self.places["out"]).unlink(missing_ok=True)
            ran = subprocess.run(
                line,
                env={**environment(), "MERCER_ENDPOINT": self.endpoint},
                input=typed or "",
                capture_output=True,
                text=True,
                timeout=DEADLINE_SECONDS,
            )
            if not re.search(r"Try again in [\d.]+ s", ran.stderr) or time.monotonic() > until:
                return ran
            time.sleep(0.2)

    def ask(self, words, typed=None):
        """What a command answers: a record of it, masked, and the documents that it printed."""
        ran = self.run(words, typed)
        try:
            documents = [json.loads(self.without_places(line)) for line in ran.stdout.splitlines()]
        except ValueError:
            sys.exit(f"mercer {words}: no JSON:\n{ran.stdout[:2000]}\n{ran.stderr[:2000]}")
        record = {"ask": words, "exit": ran.returncode, "answers": masked(documents)}
        if ran.returncode:
            # After notes of progress.
            record["said"] = self.without_places(ran.stderr[max(ran.stderr.rfind("error:"), 0) :]).splitlines()
        out = pathlib.Path(self.places["out"])
        if out.exists():
            with open(out, newline="", encoding="utf-8") as rows:
                record["file"] = [[cell(text) for text in row] for row in csv.reader(rows)]
        return record, documents

    def wait_for(self, tokens):
        """Waits until every shard shows what the tokens are of."""
        ran = self.run("status " + " ".join(f"--token {token}" for token in tokens))
        if ran.returncode:
            sys.exit(f"what was loaded is not seen: {ran.stderr}")

    def without_places(self, text):
        """Folders and the address as the names that stand for them."""
        for name in ("out", "folder", "shop"):
            text = text.replace(self.places[name], f"{{{name}}}")
        return text.replace(self.endpoint, "{endpoint}") if self.endpoint else text
