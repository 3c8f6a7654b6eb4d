"""`python -m compare --dl BINARY --tables DIR [--tables DIR ...]`, run in tests/.

For every table in the folders (a folder with a `_delta_log` in it) and every version that can be
travelled to, compares what `dl` says with
  replay    the log, replayed naively (replay.py), always;
  delta-rs  at every version;
  duckdb    its delta extension, at the latest version: the list of files, the number of rows, and for
            conditions on the columns (`--where`) that no file with a matching row is left out.
Every version is also found by its time, and the latest one is imported alone (`--mode latest`).
Then it imports, mirrors to an empty folder and imports again, and compares the two catalogs; and it
commits an append to a copy of the table, mirrors it, and reads the copy with delta-rs and DuckDB; and does the same with
a checkpoint in each form that `dl` writes.
`broken/` in a folder holds tables that must be refused: beside each, `<name>.expected` has the kind
of the error and a part of its message.

What an engine cannot read is listed with its reason. Exit code: 0 all equal, 1 a difference,
2 nothing was compared.
"""
import argparse
import collections
import sys
import tempfile
import time
from pathlib import Path

from . import checks, engines, filters, replay
from .checkpoints import every_form
from .dl import Dl, Failed
from .report import Report
from .writing import commit_and_read, round_trip

# Public tables that every reader refuses: name -> (the kind of the error, a part of its message).
REFUSED = {"simple_table_features": ("unsupported", "5")}  # its protocol asks for a reader of version 5

COMPARED = [
    "tables", "broken tables", "versions: replay", "versions: delta-rs", "tables: duckdb files", "tables: duckdb rows",
    "filters: conditions", "filters: files left out", "versions: by time", "tables: latest alone", "versions: round trip",
    "commits: mirrored", "mirrors: delta-rs", "commits: delta-rs", "commits: duckdb", "checkpoints: delta-rs",
    "checkpoints: duckdb"]


def compare_table(options, duck, table, work, report):
    binary = options.dl.resolve()
    dl = Dl(binary, work / "catalog.db")
    try:
        imported = dl.import_log(table / "_delta_log")
        history = dl.history()
    except Failed as error:
        return report.failed(table, "import", error)
    try:
        states = replay.replay(table / "_delta_log")
    except (OSError, LookupError, ValueError, TypeError) as error:
        # The naive replay gives up where dl did not: somebody has to look.
        return report.failed(table, "replay", f"the log cannot be replayed: {error!r}")
    report.compared["tables"] += 1
    report.differ(table, "import", checks.different("earliest_version", imported["earliest_version"], min(states)))
    report.differ(table, "import", checks.different("version", imported["version"], max(states)))
    report.differ(table, "import", checks.different("history", sorted(history), sorted(states)))
    answers = {}
    for version, state in states.items():
        try:
            snapshot, adds = answers[version] = dl.snapshot(version), dl.files(version)
        except Failed as error:
            report.failed(table, f"version {version}", error)
            continue
        report.compared["versions: replay"] += 1
        entry = history.get(version, collections.defaultdict(str))
        report.differ(table, f"version {version}, replay", checks.with_replay(snapshot, adds, entry, state))
        try:
            answer = engines.delta_rs(table, version, state.transactions)
        except engines.NotRead as error:
            report.unread(table, "delta-rs", error)
        else:
            report.compared["versions: delta-rs"] += 1
            report.differ(table, f"version {version}, delta-rs", checks.with_delta_rs(snapshot, adds, answer))
    if max(states) not in answers:
        return
    snapshot, adds = answers[max(states)]
    try:
        names = engines.duck_files(duck, table)
        report.compared["tables: duckdb files"] += 1
        report.differ(table, "latest, duckdb", checks.with_duck_files(adds, names, table))
        rows = engines.duck_rows(duck, table)
        if (expected := checks.live_rows(adds)) is not None:
            report.compared["tables: duckdb rows"] += 1
            report.differ(table, "latest, duckdb", checks.different("rows", expected, rows))
    except engines.NotRead as error:
        report.unread(table, "duckdb", error)
    else:
        filters.check(dl, duck, table, max(states), adds, options.conditions, report)
    travel_by_time(dl, table, history, report)
    latest_alone(Dl(binary, work / "latest.db"), table, history, *answers[max(states)], report)
    round_trip(dl, Dl(binary, work / "again.db"), table, work, answers, states, history, report)
    commit_and_read(binary, duck, table, work, report)
    every_form(binary, duck, table, work, report)


def travel_by_time(dl, table, history, report):
    """At a version's time is that version; a millisecond earlier the one before it, or an error before the first."""
    before = None
    for version, entry in sorted(history.items()):
        report.compared["versions: by time"] += 1
        for time_ms, expected in [(entry["timestamp_ms"], version), (entry["timestamp_ms"] - 1, before)]:
            try:
                found = dl.run("snapshot", f"--timestamp={time_ms}")["version"]
            except Failed as error:
                found = None if error.kind == "not_found" else error
            report.differ(table, f"at {time_ms}", checks.different("version", found, expected))
        before = version


def latest_alone(dl, table, history, snapshot, adds, report):
    """The latest version, imported without its history, is the same."""
    version = max(history)
    if table.name.startswith("corrupt-"):  # its checkpoint, which the history does without
        return
    try:
        imported = dl.import_log(table / "_delta_log", mode="latest")
        report.compared["tables: latest alone"] += 1
        for key in ("version", "earliest_version"):
            report.differ(table, "latest alone", checks.different(key, imported[key], version))
        report.differ(table, "latest alone", checks.different("history", sorted(dl.history()), [version]))
        report.differ(table, "latest alone", checks.same_but_statistics(
            (snapshot, adds), (dl.snapshot(version), dl.files(version))))
    except Failed as error:
        report.failed(table, "latest alone", error)


def compare_broken(binary, table, kind, fragment, work, report):
    """The import fails with the expected error, and leaves nothing behind."""
    dl = Dl(binary, work / "catalog.db")
    report.compared["broken tables"] += 1
    try:
        report.failed(table, "broken", f"was imported: {dl.import_log(table / '_delta_log')}")
    except Failed as error:
        report.differ(table, "broken", checks.different("exit code", error.code, 1))
        report.differ(table, "broken", checks.different("kind", error.kind, kind))
        if fragment not in error.message:
            report.failed(table, "broken", f"{fragment!r} is not in the message: {error.message}")
    try:
        if Path(dl.database).exists():  # nothing at all is nothing, too
            report.differ(table, "broken", checks.different("tables", dl.run("tables"), []))
    except Failed as error:
        report.failed(table, "broken", error)


def main():
    parser = argparse.ArgumentParser(prog="compare", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dl", required=True, type=Path, help="the dl binary")
    parser.add_argument("--tables", required=True, action="append", type=Path, help="a folder of tables")
    parser.add_argument("--conditions", type=int, default=1000, help="at the most so many --where of a table")
    parser.add_argument("--only", action="append", default=[], help="the name of a table")
    options = parser.parse_args()
    report, duck, start = Report(COMPARED), engines.connect(), time.monotonic()
    for folder in (f.resolve() for f in options.tables):
        for table in sorted(folder.iterdir()):
            if (table / "_delta_log").is_dir() and (not options.only or table.name in options.only):
                with tempfile.TemporaryDirectory() as work:
                    if table.name in REFUSED:
                        compare_broken(options.dl.resolve(), table, *REFUSED[table.name], Path(work), report)
                    else:
                        compare_table(options, duck, table, Path(work), report)
        for expected in sorted((folder / "broken").glob("*.expected")):
            if not options.only or expected.stem in options.only:
                kind, fragment = expected.read_text().strip().split(" ", 1)
                with tempfile.TemporaryDirectory() as work:
                    compare_broken(options.dl.resolve(), expected.with_suffix(""), kind, fragment, Path(work), report)
    report.show()
    print(f"  {'seconds':24}{time.monotonic() - start:7.0f}")
    if report.differences:
        return 1
    return 0 if report.compared["versions: replay"] or report.compared["broken tables"] else 2


if __name__ == "__main__":
    sys.exit(main())
