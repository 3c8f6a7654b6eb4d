"""Appends to one DuckLake table by many processes: a process a call of this file.

Reads lines with the start (seconds since the epoch) and the end from standard input, after it said "ready".
The extensions come from their Python packages; nothing is downloaded.
"""
import glob
import importlib
import json
import sys
import time


def connect(folder, create):
    import duckdb
    con = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    for name in ("ducklake", "sqlite_scanner"):
        package = importlib.import_module(f"duckdb_extension_{name}")
        con.execute("LOAD '%s'" % glob.glob(f"{package.__path__[0]}/extensions/*/*.duckdb_extension")[0])
    con.execute("SET TimeZone = 'UTC'")
    con.execute(f"ATTACH 'ducklake:sqlite:{folder}/lake.db' AS lake "
                f"(DATA_PATH '{folder}/data/', META_JOURNAL_MODE 'WAL')")
    if create:
        con.execute("CREATE TABLE lake.t (id BIGINT, v DOUBLE, s VARCHAR)")
        con.execute(f"COPY (SELECT 1::BIGINT AS id, 1.5::DOUBLE AS v, 'abc' AS s) TO '{folder}/one.parquet'")
    return con


def main(mode, folder):
    con = connect(folder, mode == "create")
    if mode == "create":
        print(json.dumps("ready"), flush=True)
        return
    print(json.dumps("ready"), flush=True)
    order = json.loads(sys.stdin.readline())
    times, failures = [], []
    start = order["start_ms"] / 1000
    end = start + order["duration_ms"] / 1000
    time.sleep(max(0.0, start - time.time()))
    while time.time() < end:
        began = time.perf_counter()
        try:
            # A file that is there is registered: metadata alone, as in a commit here.
            con.execute(f"CALL ducklake_add_data_files('lake', 't', '{folder}/one.parquet')")
            times.append(int((time.perf_counter() - began) * 1e6))
        except Exception as error:  # what a caller would have to deal with
            failures.append(str(error).split("\n")[0][:200])
    elapsed_ms = int((time.time() - start) * 1000)
    print(json.dumps({"times_us": times, "versions": [], "failures": failures, "conflicts": [],
                      "elapsed_ms": elapsed_ms}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
