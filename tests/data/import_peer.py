"""Measures `mercer import events` beside DuckDB and polars reading the same file, and beside `mercer bench ingest`.

    pip install duckdb==2.0.1 polars==2.1.0
    python import_peer.py MERCER [--file FILE] [--lines 541909] [--runs 5] [--batch 5000]

Without a file it generates one of the layout of Online Retail. Each run takes all of them in turn, each import
goes into a cluster of its own, and peers read on one thread: they parse every column that the import uses,
and add up units and money. Prints the median of each, lowest and highest, in rows a second.
"""

import argparse
import json
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import online_retail

DUCKDB = """
import duckdb, sys, time
duckdb.sql("SET threads = 1")
begun = time.perf_counter()
print(duckdb.sql('''
    SELECT count(*), sum(Quantity), sum(Quantity * UnitPrice), count(DISTINCT StockCode), count(DISTINCT InvoiceNo),
        max(InvoiceDate), count(DISTINCT CustomerID)
    FROM read_csv($1, encoding = 'latin-1', timestampformat = '%m/%d/%Y %H:%M', types = {
        'InvoiceNo': 'VARCHAR', 'StockCode': 'VARCHAR', 'CustomerID': 'VARCHAR', 'UnitPrice': 'DECIMAL(18, 2)',
        'InvoiceDate': 'TIMESTAMP', 'Quantity': 'BIGINT'})''', params=[sys.argv[1]]).fetchall(), file=sys.stderr)
print(time.perf_counter() - begun)
"""
POLARS = """
import polars as pl, sys, time
begun = time.perf_counter()
frame = pl.read_csv(sys.argv[1], encoding="utf8-lossy", schema_overrides={
    name: pl.String for name in ("InvoiceNo", "StockCode", "CustomerID", "InvoiceDate")})
found = frame.select(
    pl.len(), pl.col("Quantity").sum(), (pl.col("Quantity") * pl.col("UnitPrice")).sum().alias("paid"),
    pl.col("StockCode").n_unique(), pl.col("InvoiceNo").n_unique(), pl.col("CustomerID").n_unique(),
    pl.col("InvoiceDate").str.to_datetime("%m/%d/%Y %H:%M").max())
print(found.row(0), file=sys.stderr)
print(time.perf_counter() - begun)
"""


def peer(script, file):
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", script, file], env=environment, capture_output=True, text=True, check=True
    )
    return float(ran.stdout)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def mercer(binary, *words):
    ran = subprocess.run(
        [binary, *map(str, words), "--output", "json"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if ran.returncode != 0:
        sys.exit(ran.stderr.decode())
    return json.loads(ran.stdout)


def imported(binary, file, batch):
    """The report of an import into a new cluster, and of the same one again."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"127.0.0.1:{free_port()}"
        with open(pathlib.Path(folder) / "log", "wb") as log:
            server = subprocess.Popen(
                [binary, "up", "--data-dir", f"{folder}/data", "--workers", "2", "--listen", address],
                stdout=log,
                stderr=log,
            )
            try:
                at = ["--endpoint", f"http://{address}"]
                while "Ctrl-C stops it" not in pathlib.Path(log.name).read_text():
                    time.sleep(0.05)
                line = ["import", "events", file, "--preset", "online-retail", *at]
                line += ["--batch", batch] if batch else []
                return mercer(binary, *line), mercer(binary, *line)
            finally:
                server.terminate()
                server.wait()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("mercer")
    arguments.add_argument("--file")
    arguments.add_argument("--lines", type=int, default=online_retail.LINES)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--batch", type=int)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = options.file or f"{folder}/retail.csv"
        if not options.file:
            online_retail.write(file, options.lines)
        measured = {}
        for _ in range(options.runs):
            first, again = imported(options.mercer, file, options.batch)
            rows = first["rows"]
            bench = mercer(options.mercer, "bench", "ingest", "--events", rows, "--folder", folder)
            for what, rate in [
                ("import, whole", rows / first["seconds"]),
                ("import, read and checked", rows / first["check_seconds"]),
                ("import, all known", rows / again["seconds"]),
                ("bench ingest", bench["events_per_second"]),
                ("duckdb, one thread", rows / peer(DUCKDB, file)),
                ("polars, one thread", rows / peer(POLARS, file)),
            ]:
                measured.setdefault(what, []).append(rate)
    for what, rates in measured.items():
        print(f"{what:26}{statistics.median(rates):12,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) rows/s")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"most memory of a process  {most / 1024:12,.0f} MiB")


if __name__ == "__main__":
    main()
