"""`python -m compare --dl BINARY --tables DIR [--tables DIR ...]`, run in tests/.

For every table in the folders (a folder with a `_delta_log` in it) and every version that can be
travelled to, compares what `dl` says with
  replay    the log, replayed naively (replay.py), always;
  delta-rs  at every version;
  duckdb    its delta extension, at the latest version: the list of files, and the number of rows.
Then it imports, mirrors to an empty folder and imports again, and compares the two catalogs; and it
commits an append to a copy of the table, mirrors it, and reads the copy with delta-rs and DuckDB.
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

from . import checks, engines, replay
from .dl import Dl, Failed
from .writing import commit_and_read, round_trip

# Public tables that every reader refuses: name -> (the kind of the error, a part of its message).
REFUSED = {"simple_table_features": ("unsupported", "5")}  # its protocol asks for a reader of version 5


class Report:
    def __init__(self):
        self.compared, self.differences, self.not_read = collections.Counter(), [], collections.Counter()

    def differ(self, table, where, differences):
        try:
            for what, this, that in differences:
                self.differences.append((table.name, where, f"{what}: {str(this)[:200]} / {str(that)[:200]}"))
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            self.failed(table, where, f"an answer of another shape than agreed: {error!r}")

    def unread(self, table, engine, error):
        self.not_read[table.name, engine, str(error)] += 1

    def failed(self, table, where, error):
        self.differences.append((table.name, where, str(error)))

    def show(self):
        if self.not_read:
            print("Not read:")
            for (table, engine, reason), count in sorted(self.not_read.items()):
                print(f"  {table} not read by {engine} ({count} times): {reason}")
        if self.differences:
            print("Differences (dl / the other):")
            # One cause often shows at many versions: the first stands for all that differ in the same thing.
            alike = {}
            for table, where, text in self.differences:
                alike.setdefault((table, where.split(", ")[-1], text.split(":")[0]), []).append((where, text))
            for (table, _, _), all_of_it in alike.items():
                where, text = all_of_it[0]
                more = f" (and {len(all_of_it) - 1} alike)" if len(all_of_it) > 1 else ""
                print(f"  {table}, {where}: {text}{more}")
        names = ["tables", "broken tables", "versions: replay", "versions: delta-rs", "tables: duckdb files",
                 "tables: duckdb rows", "versions: round trip", "commits: mirrored", "mirrors: delta-rs",
                 "commits: delta-rs", "commits: duckdb"]
        print("Compared:")
        for name in names:
            print(f"  {name:22}{self.compared[name]:7}")
        print(f"  {'not read':22}{sum(self.not_read.values()):7}")
        print(f"  {'differences':22}{len(self.differences):7}")

    def code(self):
        if self.differences:
            return 1
        return 0 if self.compared["versions: replay"] or self.compared["broken tables"] else 2


def compare_table(binary, duck, table, work, report):
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
    round_trip(dl, Dl(binary, work / "again.db"), table, work, answers, states, history, report)
    commit_and_read(binary, duck, table, work, report)


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
    parser.add_argument("--only", action="append", default=[], help="the name of a table")
    options = parser.parse_args()
    report, duck, start = Report(), engines.connect(), time.monotonic()
    for folder in (f.resolve() for f in options.tables):
        for table in sorted(folder.iterdir()):
            if (table / "_delta_log").is_dir() and (not options.only or table.name in options.only):
                with tempfile.TemporaryDirectory() as work:
                    if table.name in REFUSED:
                        compare_broken(options.dl.resolve(), table, *REFUSED[table.name], Path(work), report)
                    else:
                        compare_table(options.dl.resolve(), duck, table, Path(work), report)
        for expected in sorted((folder / "broken").glob("*.expected")):
            if not options.only or expected.stem in options.only:
                kind, fragment = expected.read_text().strip().split(" ", 1)
                with tempfile.TemporaryDirectory() as work:
                    compare_broken(options.dl.resolve(), expected.with_suffix(""), kind, fragment, Path(work), report)
    report.show()
    print(f"  {'seconds':22}{time.monotonic() - start:7.0f}")
    return report.code()


if __name__ == "__main__":
    sys.exit(main())
