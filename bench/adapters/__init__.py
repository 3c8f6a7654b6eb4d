"""What peers.py asks of a peer, and the helpers the peers share.

A peer is a class with the methods below; add one by writing a module and naming
it in PEERS. Every call of peers.py happens in a fresh process: setup() is not
timed, the blocks under `with rec(task):` are. A block sets `seg.count` to what it
found, which is compared with what the table is known to hold. A peer leaves out
(or raises Unsupported in) what it cannot do.

    setup()                   imports, extensions; not timed
    versions()                {"component": "version"}
    load(table)               turn a Delta table of make_table.py into the peer's own form, once
    read(spec, rec)           open, list, list_again, poll, prune_partition, prune_stats, history_10,
                              and what else is worth knowing of the peer
    latest(spec, rec)         latest_version, cold
    travel(spec, rec)         open_version (at spec["version"]) with its files; history
    checkpoint(spec, rec)     checkpoint
    import_(spec, rec)        import: a log is brought into the peer's own form
    program(job)              a program that does the job instead of child.py, or None
    processes(variant, writers)   how many processes write at once, and the variant that each is told
    grow(spec, rec, commits)  append_large: that many appends, of a row each, to a copy of the table
    variants(job)             names of the ways this peer does "append", "writers" or "multi"
    create(folder, variant, tables)   a new, empty lake with that many tables
    writer(folder, variant)   -> f(k): one commit of one row (or one file) to table 0
    multi_writer(folder, variant, tables)  -> f(k): one row into every table
    total(folder, variant, tables)    rows or files now in all tables, to compare with the commits

spec: {"table", "files", "commits", "partitions", "rows", "day", "day_files", "low", "high",
"range_files", "version", "version_files"}.
"""
import contextlib
import importlib
import os
import shutil
import time
import types

PEERS = {
    "deltalakedb": "adapters.deltalakedb:DeltaLakeDB",
    "delta-rs": "adapters.delta_rs:DeltaRs",
    "duckdb-delta": "adapters.duckdb_delta:DuckDBDelta",
    "ducklake-sqlite": "adapters.ducklake:DuckLakeSqlite",
    "ducklake-postgres": "adapters.ducklake:DuckLakePostgres",
}


class Unsupported(Exception):
    """This peer has no way to do this task; the text says why."""


def peer(name, env):
    """The peer of that name. env: {"work": folder, "dsn": PostgreSQL connection string or None}."""
    module, cls = PEERS[name].split(":")
    return getattr(importlib.import_module(module), cls)(env)


class Peer:
    """Defaults: supports nothing."""

    def __init__(self, env):
        self.env = env

    def load(self, table):
        pass

    def variants(self, job):
        return []

    def program(self, job):
        return None

    def processes(self, variant, writers):
        return writers, variant

    def __getattr__(self, name):
        if name in ("read", "latest", "travel", "checkpoint", "grow", "import_"):
            raise Unsupported(f"no {name} in this peer")
        raise AttributeError(name)


def copy_log(table):
    """A copy of a Delta table's log to append to: hard links, as log files never change."""
    target = table + ".grown"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(os.path.join(table, "_delta_log"), os.path.join(target, "_delta_log"), copy_function=os.link)
    return target


def peak_rss_mb():
    """Highest resident memory of this process so far (Linux; 0 elsewhere)."""
    try:
        with open("/proc/self/status") as f:
            return next(int(line.split()[1]) // 1024 for line in f if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0


class Recorder:
    """Times blocks: wall seconds, CPU seconds of this process (all threads), peak memory."""

    def __init__(self):
        self.rows = []

    @contextlib.contextmanager
    def __call__(self, task, expect=None):
        seg = types.SimpleNamespace(count=None)
        cpu, began = time.process_time(), time.perf_counter()
        yield seg
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        row = {"task": task, "s": wall, "cpu_s": cpu, "rss_mb": peak_rss_mb()}
        self.rows.append(row)
        if seg.count is not None:
            self.check(seg.count, expect)

    def check(self, count, expect):
        """Note what the last block found, and whether that is what it should have found."""
        self.rows[-1]["count"] = count
        if expect is not None and count != expect:
            self.rows[-1]["wrong"] = f"{count} found, {expect} expected"
