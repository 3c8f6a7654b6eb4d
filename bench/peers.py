#!/usr/bin/env python3
"""Measure peers on the same metadata work: one JSON line per measurement.

    peers.py --quick                         a few minutes, small tables
    peers.py --out results/full.jsonl        everything
    peers.py --peers delta-rs,ducklake-sqlite --jobs read --files 100000

Each run of a job is a fresh process, so nothing is cached but the operating system's
pages; imports and extension loading are not timed. Times are medians over the runs.
A process that passes --max-rss-gb or --timeout is stopped and reported as failed.
Lines go to standard output (and --out), progress to standard error.
"""
import argparse
import os

import pgserver
from adapters import PEERS
from driver import Bench


def main():
    numbers, names = (lambda s: [int(x) for x in s.split(",")]), (lambda s: s.split(","))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="small tables, few runs")
    p.add_argument("--peers", type=names, default=list(PEERS))
    p.add_argument("--jobs", type=names, default=["read", "latest", "import", "checkpoint", "grow", "travel", "append", "multi", "writers"])
    p.add_argument("--files", type=numbers, help="tables to read, by active files")
    p.add_argument("--commits", type=numbers, help="tables to travel in, by commits")
    p.add_argument("--writers", type=numbers, help="numbers of concurrent writer processes")
    p.add_argument("--appends", type=int, help="sequential commits")
    p.add_argument("--seconds", type=float, help="how long concurrent writers write")
    p.add_argument("--runs", type=int)
    p.add_argument("--timeout", type=float, default=300)
    p.add_argument("--max-rss-gb", type=float, default=10)
    p.add_argument("--work", default="bench-work", help="folder for tables and catalogs (some GB in a full run)")
    p.add_argument("--dl", help="the command dl, for deltalakedb")
    p.add_argument("--peer", help="the program of peer/, for deltalakedb")
    p.add_argument("--out", help="also append the lines to this file")
    a = p.parse_args()
    small = {"files": [10_000], "commits": [1_000], "writers": [4], "appends": 30, "seconds": 2, "runs": 2}
    full = {"files": [10_000, 100_000, 1_000_000], "commits": [1_000, 10_000], "writers": [4, 16], "appends": 300,
            "seconds": 6, "runs": 5}
    for k, v in (small if a.quick else full).items():
        if getattr(a, k) is None:
            setattr(a, k, v)
    a.work = os.path.abspath(a.work)
    os.makedirs(a.work, exist_ok=True)
    if "ducklake-postgres" in a.peers and pgserver.Server.available():
        with pgserver.Server(os.path.join(a.work, "pg")) as pg:
            Bench(a, pg.dsn, pg.version).everything()
    else:
        Bench(a, None, None).everything()


if __name__ == "__main__":
    main()
