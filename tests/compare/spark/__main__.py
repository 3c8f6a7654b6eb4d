"""`python -m compare.spark --dl BINARY --jars DIR --tables DIR [--tables DIR ...]`, run in tests/.

What Spark with Delta reads from the mirrors that `dl` writes is compared with what it reads from the tables themselves:
  state      what the log says at the first version, a middle one and the last, as Spark puts it together;
  rows       and history, at the same versions;
  checksum   Spark compares the `.crc` that `dl` wrote with the state;
  checkpoint in the forms that `dl` writes, with the commits before it deleted.
Tables that Spark writes now (written.py) are then committed to by `dl` and by Spark, one after the other and both at once
(writing.py). At last mirrors are damaged, each in one thing, and all that has to be found (damages.py).

Exit code: 0 all equal, 1 a difference, 2 nothing was compared.
"""
import argparse
import concurrent.futures
import sys
import tempfile
import time
import traceback
from pathlib import Path

from .. import __main__ as compare
from ..dl import Dl
from ..report import Report
from . import damages, engine, reading, writing, written

COMPARED = ["tables", "tables: written now", "tables: state", "versions: rows", "versions: history", "checksums",
            "checkpoints: single", "checkpoints: parts", "checkpoints: sidecars", "compacted logs",
            "commits by dl", "commits by Spark", "foreign: taken in", "diverged: catalog won", "diverged: log won",
            "damages found"]


# Logs of the bundled tables laid out in other ways, which is for `dl import` to bear; in a mirror they look the same.
LAYOUTS = ("corrupt-", "cleaned-up-", "last-checkpoint-")


def tasks(options):
    """What can be done side by side: (name, function of an engine, a folder and a report)."""
    binary = options.dl.resolve()
    for name, write in written.TABLES.items():
        yield name, lambda spark, work, report, write=write: writing.compare_table(
            spark, binary, write, work, report)
    yield "damages", lambda spark, work, report: damages.compare(spark, binary, work, report)
    index = 0
    for folder in (f.resolve() for f in options.tables):
        for table in sorted(folder.iterdir()):
            is_own = not table.name.startswith(LAYOUTS) and table.name not in compare.REFUSED
            if is_own and (table / "_delta_log").is_dir():
                index += 1
                yield table.name, lambda spark, work, report, table=table, index=index: reading.compare_table(
                    spark, Dl(binary, work / "catalog.db"), table, index, work, report)


def run(spark, name, task, options):
    report, start = Report(COMPARED), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="spark-") as work:
        session = engine.Engine(spark)
        try:
            task(session, Path(work).resolve(), report)
        except Exception:  # the others go on
            report.failed(Path(name), "comparing", traceback.format_exc(limit=-3))
        session.forget_all()
    if options.times:
        print(f"{time.monotonic() - start:6.1f} s  {name}", *report.differences[:3], sep="\n    ", flush=True)
    return report


def main():
    parser = argparse.ArgumentParser(prog="compare.spark", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--dl", required=True, type=Path, help="the dl binary")
    parser.add_argument("--jars", required=True, type=Path, help="the folder with Delta's jars")
    parser.add_argument("--tables", default=[], action="append", type=Path, help="a folder of tables")
    parser.add_argument("--only", action="append", default=[], help="the name of a table")
    parser.add_argument("--times", action="store_true", help="show each table when it is done, and how long it took")
    options = parser.parse_args()
    report, start = Report(COMPARED), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="spark-") as work:
        spark = engine.start_with_jars(work, options.jars)
        chosen = [(name, task) for name, task in tasks(options) if not options.only or name in options.only]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for one in [pool.submit(run, spark, name, task, options) for name, task in chosen]:
                report.take(one.result())
        print(f"Spark {spark.version} with Delta")
        spark.stop()
    report.show()
    print(f"  {'seconds':24}{time.monotonic() - start:7.0f}")
    return 1 if report.differences else 0 if report.compared["tables: state"] else 2


if __name__ == "__main__":
    sys.exit(main())
