"""A stand-in for `dl` that answers from the naive replay, to test the comparison itself.

The environment variable LIE names an answer that it changes, so that the comparison has something to find.
"""
import argparse
import json
import os
import shutil
import sys
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from compare import checks, replay  # noqa: E402


def lies(snapshot, adds):
    lie, first = os.environ.get("LIE"), adds[0] if adds else {}
    changes = {
        "lost-file": lambda: adds.pop(),
        "double-file": lambda: adds.append(first),
        "size": lambda: first.update(size=first["size"] + 1),
        "stats": lambda: first.update(stats='{"numRecords":7}'),
        "partition": lambda: first.update(partitionValues={"wrong": "1"}),
        "path": lambda: first.update(path="%25" + first["path"]),
        "unknown-field": lambda: first.update(added="1"),
        "protocol": lambda: snapshot["protocol"].update(minWriterVersion=1),
        "metadata": lambda: snapshot["metadata"]["configuration"].update(a="b"),
        "schema": lambda: snapshot["metadata"].update(schemaString='{"type":"struct","fields":[]}'),
        "transaction": lambda: snapshot["transactions"].append({"appId": "x", "version": 2**53 + 1}),
        "domain": lambda: snapshot["domain_metadata"].append({"domain": "x", "configuration": ""}),
        "row-count": lambda: snapshot.update(row_count=12345),
        "timestamp": lambda: snapshot.update(timestamp_ms=5),
    }
    if lie in changes:
        changes[lie]()


def number(value):
    return float(value) if isinstance(value, Decimal) else value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    for flag in ["database", "log-dir", "mode", "format", "version", "table", "target", "actions", "operation", "timestamp", "where"]:
        parser.add_argument(f"--{flag}")
    o, lie = parser.parse_args(), os.environ.get("LIE")
    database = Path(o.database)
    if o.command == "tables":
        return []
    if o.command == "import":
        database.write_text(f"{o.mode} {o.log_dir}")
    mode, log = database.read_text().split(" ", 1)
    log = Path(log)
    states = replay.replay(log)
    if mode == "latest":
        states = {max(states): states[max(states)]}
        if lie == "latest":
            states[max(states)].files.popitem()
    if o.command == "import":
        return {"version": max(states), "earliest_version": min(states)}
    if o.command == "mirror":
        if o.target:
            shutil.copytree(log, Path(o.target) / "_delta_log")
            if lie == "mirror":
                commit = Path(o.target) / "_delta_log" / f"{max(states):020}.json"
                commit.write_text(commit.read_text().replace('"dataChange":true', '"dataChange":false'))
        return {}
    if o.command == "commit":
        if o.operation == "SET TBLPROPERTIES" and lie != "checkpoint":
            raise NotImplementedError("the stand-in writes no checkpoints")
        version = max(states) + 1
        if lie != "commit":
            (log / f"{version:020}.json").write_text(Path(o.actions).read_text())
        return {"version": version}
    if o.command == "history":
        return [{"version": v, "timestamp_ms": s.timestamp_ms,
                 "operation": "LIE" if lie == "history" else (s.commit_info or {}).get("operation"),
                 "added_files": s.added, "removed_files": s.removed, "commit_info": s.commit_info}
                for v, s in states.items()]
    if o.timestamp:
        past = [v for v, s in states.items() if s.timestamp_ms <= int(o.timestamp) - (lie == "time-travel")]
        if not past:
            raise LookupError("not_found")
        o.version = max(past)
    state = states[int(o.version)]
    adds = [{k: v for k, v in add.items() if not k.endswith("_parsed")} for add in state.files.values()]
    snapshot = {
        "table_id": "t", "timestamp_ms": state.timestamp_ms, "protocol": state.protocol, "metadata": state.metadata,
        "file_count": len(adds), "size_bytes": sum(a["size"] for a in adds), "row_count": checks.live_rows(adds),
        "transactions": list(state.transactions.values()),
        "domain_metadata": [{"domain": k, "configuration": v} for k, v in state.domain_metadata.items()]}
    lies(snapshot, adds)
    snapshot["version"] = int(o.version)
    if o.where and lie == "where":
        return []
    return adds if o.command == "files" else snapshot


try:
    answer = main()
except Exception as failure:
    kinds = {LookupError: "not_found", NotImplementedError: "unsupported"}
    kind = next((kind for error, kind in kinds.items() if isinstance(failure, error)), "internal")
    print(json.dumps({"error": {"kind": kind, "message": repr(failure)}}), file=sys.stderr)
    sys.exit(1)
for line in answer if "ndjson" in sys.argv else [answer]:
    print(json.dumps(line, default=number))
