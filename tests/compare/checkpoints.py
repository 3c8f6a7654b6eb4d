"""Checkpoints in every form that dl writes, read by other engines.

In a copy of the table each form is asked for by a commit of metadata, written by the mirror, and read without the commits
that it stands for.
"""
import json
import shutil

from . import checks, engines
from .dl import Dl, Failed
from .writing import _exact

STRUCT = {"delta.checkpoint.writeStatsAsStruct": "true"}
FORMS = {
    "struct": {**STRUCT, "delta.checkpoint.writeStatsAsJson": "false"},
    "both": {**STRUCT, "delta.checkpoint.writeStatsAsJson": "true"},
    "parts": {**STRUCT, "deltalakedb.checkpointPartSize": "2"},
    "sidecars": {**STRUCT, "delta.checkpointPolicy": "v2", "deltalakedb.checkpointPartSize": "2"},
}


def actions_for(form, snapshot):
    """The commit that asks for a form; None where the table cannot have it."""
    metadata, protocol = snapshot["metadata"], snapshot["protocol"]
    configuration = {**metadata["configuration"], **FORMS[form], "delta.checkpointInterval": "1"}
    actions = [{"metaData": {**metadata, "configuration": configuration}}]
    has_feature = "v2Checkpoint" in (protocol.get("readerFeatures") or [])
    if form == "sidecars" and not has_feature:
        if protocol["minWriterVersion"] < 7:
            both = ["v2Checkpoint"]
            if protocol["minReaderVersion"] > 1 or protocol["minWriterVersion"] > 2:
                return None  # features that the versions imply would have to be listed
            implied = ["appendOnly", "invariants"][:2 if protocol["minWriterVersion"] > 1 else 0]
            upgraded = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": both,
                        "writerFeatures": both + implied}
        else:
            implied = ["columnMapping"] if protocol["minReaderVersion"] == 2 else []
            upgraded = {**protocol, "minReaderVersion": 3,
                        "readerFeatures": [*(protocol.get("readerFeatures") or implied), "v2Checkpoint"],
                        "writerFeatures": [*protocol["writerFeatures"], "v2Checkpoint"]}
        actions.append({"protocol": upgraded})
    if form != "sidecars":
        configuration["delta.checkpointPolicy"] = "classic"
        if form == "parts" and has_feature:
            return None
    return actions


def written_form(log, version):
    """The form of the checkpoint that is there, by its names."""
    names = [f.name.split(".") for f in log.glob(f"{version:020}.checkpoint.*")]
    return {(False, 2): "single", (False, 4): "parts", (True, 3): "sidecars"}.get(
        (names[0][-1] == "json", len(names[0]) - 1), "?") if names else None


def checkpoint_and_read(binary, duck, table, form, work, report):
    folder = work / f"form-{form}"
    shutil.copytree(table, folder)
    dl = Dl(binary, work / f"form-{form}.db")
    try:
        version = dl.import_log(folder / "_delta_log")["version"] + 1
        before = dl.snapshot(version - 1)
        actions = actions_for(form, before)
        if actions is None:
            return
        lines = work / "actions.ndjson"
        lines.write_text("".join(json.dumps(action, default=_exact) + "\n" for action in actions))
        dl.run("commit", "--table", before["table_id"], "--actions", lines, "--operation", "SET TBLPROPERTIES")
        dl.run("mirror", "--table", before["table_id"])
        snapshot, adds = dl.snapshot(version), dl.files(version)
    except Failed as error:
        if error.kind == "unsupported":
            return report.unread(table, f"the checkpoint with {form}", error)
        return report.failed(table, f"checkpoint with {form}", error)
    log, where = folder / "_delta_log", f"checkpoint with {form}"
    found = written_form(log, version)
    expected = {"parts": "parts", "sidecars": "sidecars"}.get(form, "single")
    # A table of few files has no parts.
    report.differ(table, where, checks.different("form", found, expected if found != "single" or form != "parts" else found))
    for file in log.iterdir():
        if file.is_file() and file.name[:20].isdigit() and int(file.name[:20]) < version:
            file.unlink()
    try:
        answer = engines.delta_rs(folder, None, [t["appId"] for t in snapshot["transactions"]])
        report.compared["checkpoints: delta-rs"] += 1
        report.differ(table, f"{where}, delta-rs", checks.with_delta_rs(snapshot, adds, answer))
    except engines.NotRead as error:
        report.unread(table, f"delta-rs, {where}", error)
    try:
        names = engines.duck_files(duck, folder)
        report.compared["checkpoints: duckdb"] += 1
        report.differ(table, f"{where}, duckdb", checks.with_duck_files(adds, names, folder))
        rows = engines.duck_rows(duck, folder)
        if (count := checks.live_rows(adds)) is not None:
            report.differ(table, f"{where}, duckdb", checks.different("rows", count, rows))
    except engines.NotRead as error:
        report.unread(table, f"duckdb, {where}", error)


def every_form(binary, duck, table, work, report):
    for form in FORMS:
        checkpoint_and_read(binary, duck, table, form, work, report)
