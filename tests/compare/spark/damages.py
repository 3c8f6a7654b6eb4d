"""A comparison that finds no difference says nothing, unless it is known to find those that are there: here mirrors are
damaged, each in one thing, and the very checks that passed must fail."""
import json
import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq

from ..dl import Dl
from ..report import Report
from . import reading, written


def edit(file, change):
    """Changes the actions of a commit, or a checksum, by a function of each line's object."""
    stat = file.stat()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(line) + "\n" for line in map(change, lines) if line))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # unlike a damage, the time of the edit is not meant


def commit_with(log, kind):
    return next(f for f in sorted(log.glob("0*.json"), reverse=True) if f'"{kind}":{{' in f.read_text())


def in_commits(kind, change):
    """Changes an action of this kind in the last commit that has one."""
    def damage(log):
        def one(line):
            return change(line) if kind in line else line
        edit(commit_with(log, kind), one)
    return damage


def in_checksum(**fields):
    def damage(log):
        checksum, = log.glob("0*.crc")
        edit(checksum, lambda line: {**line, **{k: change(line[k]) for k, change in fields.items()}})
    return damage


def in_checkpoint(change):
    """Changes the rows of the checkpoint, and leaves the reader nothing else."""
    def damage(log):
        file = max(log.glob("0*.checkpoint.parquet"))
        table = pq.read_table(file)
        rows = change(table.to_pylist())
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
        for commit in log.glob("0*.json"):
            if commit.name[:20] < file.name[:20]:
                commit.unlink()
    return damage


def with_adds(change):
    def changed(rows):
        for row in rows:
            if row["add"] is not None:
                change(row["add"])
        return rows
    return changed


def without_a_file(rows):
    """Not the one that a later commit replaces."""
    return [row for row in rows if row["add"] is None or row["add"]["partitionValues"] != [("p", "b")]]


def later(log):
    first = min(log.glob("0*.json"))
    os.utime(first, (1, 1))


def put(line, kind, **fields):
    return {kind: {**line[kind], **fields}}


def one_more(number):
    return number + 1


def state(engine, table, mirror, _, report):
    reading.compare_state(engine, table, mirror, report)


def rows(engine, table, mirror, versions, report):
    reading.compare_rows(engine, table, [((mirror, v), (table, v)) for v in versions], "Spark", report)


def history(engine, table, mirror, versions, report):
    reading.compare_history(engine, table, mirror, versions, report)


def checksum(engine, table, mirror, _, report):
    reading.compare_checksum(engine, table, mirror, "mirror", report)


def all_checks(*arguments):
    for check in (state, rows, history, checksum):
        check(*arguments)


# What is damaged: the check that must find it, and how.
DAMAGES = {
    "a commit without its file": (state, in_commits("add", lambda line: None)),
    "a commit with another path": (rows, in_commits("add", lambda line: put(line, "add", path="other.parquet"))),
    "another partition value": (rows, in_commits("add", lambda line: put(line, "add", partitionValues={"p": "other"}))),
    "a lost deletion vector": (rows, in_commits("add", lambda line: put(line, "add", deletionVector=None))),
    "other statistics": (state, in_commits("add", lambda line: put(line, "add", stats='{"numRecords":1}'))),
    "a tombstone's time": (state, in_commits("remove", lambda line: put(line, "remove", deletionTimestamp=4102444800000))),
    "another operation": (history, in_commits("commitInfo", lambda line: put(line, "commitInfo", operation="OTHER"))),
    "a commit's time": (history, later),
    "a checksum's file count": (checksum, in_checksum(numFiles=one_more)),
    "a checksum's size": (checksum, in_checksum(tableSizeBytes=one_more)),
    "a checksum's metadata": (checksum, in_checksum(metadata=lambda metadata: {**metadata, "name": "other"})),
    "a checksum's vectors": (checksum, in_checksum(numDeletedRecordsOpt=one_more)),
    "a checksum's histogram": (checksum, in_checksum(
        fileSizeHistogram=lambda h: {**h, "fileCounts": [n + 1 for n in h["fileCounts"]]})),
    "a checkpoint without a file": (state, in_checkpoint(without_a_file)),
    "a checkpoint's struct statistics": (state, in_checkpoint(with_adds(
        lambda add: add["stats_parsed"].update(numRecords=add["stats_parsed"]["numRecords"] + 1)))),
    "a checkpoint's partition values": (state, in_checkpoint(with_adds(lambda add: add.update(partitionValues=[("p", "x")])))),
}


def vectors(t):
    t.create("id INT, p STRING", "PARTITIONED BY (p)", enableDeletionVectors="true", checkpointInterval="3",
             checkpoint_writeStatsAsJson="false", checkpoint_writeStatsAsStruct="true")
    t.rows(*[f"({i}, 'a')" for i in range(9)])
    t.sql("DELETE FROM {t} WHERE id = 3")
    t.rows("(10, 'b')")
    t.sql("DELETE FROM {t} WHERE id = 4")


def compare(engine, binary, work, report):
    table, mirror = written.write(vectors, engine.spark, work / "damaged"), work / "mirror"
    dl = Dl(binary, work / "catalog.db")
    dl.import_log(table / "_delta_log")
    mirror.mkdir()
    dl.run("mirror", "--target", mirror)
    versions = reading.three(dl.history())
    reading.beside(table, mirror, os.symlink)
    for number, (name, (check, damage)) in enumerate([("nothing", (all_checks, str)), *DAMAGES.items()]):
        damaged, found = work / f"damaged-{number}", Report([])
        shutil.copytree(mirror, damaged, symlinks=True)
        damage(damaged / "_delta_log")
        check(engine, table, damaged, versions, found)
        if bool(found.differences) == (check is all_checks):
            report.failed(table, "damages", f"damaged: {name}; found: {found.differences}")
        elif check is not all_checks:
            report.compared["damages found"] += 1
