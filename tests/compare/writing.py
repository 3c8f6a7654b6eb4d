"""What goes out of the catalog: the mirror, and a commit that other engines read."""
import json
import shutil

from . import checks, engines, normal
from .dl import Dl, Failed


def round_trip(dl, again, table, work, answers, states, history, report):
    """import -> mirror to an empty folder -> import gives the same catalog."""
    target = work / "mirrored"
    target.mkdir()
    try:
        dl.run("mirror", "--target", target)
        for mirrored in sorted((target / "_delta_log").glob("0*.json")):
            original = table / "_delta_log" / mirrored.name
            if original.is_file() and "." not in mirrored.stem:  # a commit, no checkpoint
                report.compared["commits: mirrored"] += 1
                report.differ(table, "mirror", checks.commits_equal(original, mirrored))
        again.import_log(target / "_delta_log")
        history_again = again.history()
        for version, (snapshot, adds) in answers.items():
            report.compared["versions: round trip"] += 1
            where = f"version {version}, round trip"
            snapshot_again = again.snapshot(version)
            report.differ(table, where, checks.snapshots_equal(snapshot, snapshot_again))
            report.differ(table, where, checks.by_key("file", checks.files_by_key(adds),
                                                      checks.files_by_key(again.files(version))))
            one, other = dict(history[version]), dict(history_again.get(version, {}))
            if checks.in_commit(snapshot):
                report.differ(table, where, checks.different(
                    "timestamp_ms", snapshot["timestamp_ms"], snapshot_again["timestamp_ms"]))
            else:
                one.pop("timestamp_ms"), other.pop("timestamp_ms", None)
            report.differ(table, where, checks.by_key("history", one, other))
        # A log that begins at a checkpoint begins, in the mirror, at one that dl wrote.
        for version in {min(answers), max(answers)}:
            snapshot, adds = answers[version]
            answer = engines.delta_rs(target, version, states[version].transactions)
            report.compared["mirrors: delta-rs"] += 1
            report.differ(table, f"version {version}, mirror, delta-rs", checks.with_delta_rs(snapshot, adds, answer))
    except Failed as error:
        report.failed(table, "round trip", error)
    except engines.NotRead as error:
        report.unread(table, "delta-rs in the mirror", error)


def append_of(adds, table):
    """An add of a new file: a copy of a live one under a new name, or None where there is no such file."""
    for add in adds:
        source = table / normal.path(add["path"])
        if "deletionVector" not in normal.present(add) and checks.relative(add["path"]) and source.is_file():
            target = source.with_name("appended.parquet")
            shutil.copyfile(source, target)
            # Row ids are the writer's to give; the copy has the other fields of its original.
            body = {k: v for k, v in add.items() if k not in ("baseRowId", "defaultRowCommitVersion")}
            return {**body, "path": add["path"].rpartition("/")[0] + "/appended.parquet" if "/" in add["path"]
                    else "appended.parquet", "dataChange": True}
    return None


def commit_and_read(binary, duck, table, work, report):
    """A commit to a copy of the table, mirrored: delta-rs and DuckDB see it."""
    folder = work / "copy"
    shutil.copytree(table, folder)
    dl = Dl(binary, work / "commit.db")
    try:
        version = dl.import_log(folder / "_delta_log")["version"]
        before = dl.snapshot(version)
        add = append_of(dl.files(version), folder)
        if add is None:
            return report.unread(table, "the commit check", "no live file in the folder to append a copy of")
        actions = work / "actions.ndjson"
        actions.write_text(json.dumps({"add": add}, default=_exact) + "\n")
        committed = dl.run("commit", "--table", before["table_id"], "--actions", actions, "--operation", "WRITE")
        report.differ(table, "commit", checks.different("version", committed["version"], version + 1))
        dl.run("mirror", "--table", before["table_id"])
        snapshot, adds = dl.snapshot(version + 1), dl.files(version + 1)
    except Failed as error:
        if error.kind == "unsupported":  # a commit to a table with a feature that dl does not write
            return report.unread(table, "the commit check", error)
        return report.failed(table, "commit", error)
    report.differ(table, "commit", checks.different("file_count", snapshot["file_count"], before["file_count"] + 1))
    try:
        answer = engines.delta_rs(folder, None, [t["appId"] for t in snapshot["transactions"]])
        report.compared["commits: delta-rs"] += 1
        report.differ(table, "commit, delta-rs", checks.with_delta_rs(snapshot, adds, answer))
    except engines.NotRead as error:
        report.unread(table, "delta-rs after a commit", error)
    try:
        names = engines.duck_files(duck, folder)
        report.compared["commits: duckdb"] += 1
        report.differ(table, "commit, duckdb", checks.with_duck_files(adds, names, folder))
        rows = engines.duck_rows(duck, folder)
        if (expected := checks.live_rows(adds)) is not None:
            report.differ(table, "commit, duckdb", checks.different("rows", expected, rows))
    except engines.NotRead as error:
        report.unread(table, "duckdb after a commit", error)


def _exact(number):
    """A number with a fraction was read as a Decimal."""
    return float(number)
