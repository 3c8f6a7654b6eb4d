"""What Spark reads from a mirror is what it reads from the table itself."""
import json
import os
import shutil

from .. import checks
from ..checkpoints import FORMS, actions_for, written_form
from ..dl import Failed
from ..engines import NotRead
from ..writing import _exact


def three(versions):
    """The first version, a middle one and the last."""
    versions = sorted(versions)
    return sorted({versions[0], versions[len(versions) // 2], versions[-1]})


def beside(table, mirror, place):
    """Puts the table's data files beside the mirrored log, each by `place`."""
    for entry in table.iterdir():
        if entry.name != "_delta_log":
            place(entry, mirror / entry.name)


def copied(entry, target):
    (shutil.copytree if entry.is_dir() else shutil.copyfile)(entry, target)


def without_commits_before(mirror, version, target):
    """A copy that can be read by the checkpoint of a version only."""
    shutil.copytree(mirror, target, symlinks=True)
    for file in (target / "_delta_log").iterdir():
        name = file.name.lstrip(".")
        if file.is_file() and name[:20].isdigit() and int(name[:20]) < version:
            file.unlink()
    return target


def compare_state(engine, table, mirror, report):
    """What the log says at the latest version. The mirror's is returned; None where Spark cannot read the table."""
    try:
        state = engine.state(table)
    except NotRead as error:
        return report.unread(table, "Spark", error)
    try:
        mirrored = engine.state(mirror)
    except NotRead as error:
        return report.failed(table, "state, Spark", error)
    this = {**mirrored, "file": dict(mirrored["file"])}
    for key in this["file"].keys() & state["file"].keys():
        # A checkpoint may leave out statistics that the catalog has from the commits.
        if not state["file"][key]["stats"]:
            this["file"][key] = {**this["file"][key], "stats": {}}
    report.differ(table, "state, Spark", checks.by_key("state", this, state))
    report.compared["tables: state"] += 1
    return mirrored


def compare_rows(engine, table, pairs, where, report):
    """Rows of pairs of (folder, version): the mirror's and, second, those that are right."""
    try:
        found = engine.rows(*(source for pair in pairs for source in pair))
    except NotRead as error:
        if len(pairs) > 1:
            return [compare_rows(engine, table, [pair], where, report) for pair in pairs]
        try:
            engine.rows(pairs[0][1])
        except NotRead as error:
            return report.unread(table, "Spark, its rows", error)
        return report.failed(table, f"{where}, rows", error)
    for (mine, _), this, that in zip(pairs, found[::2], found[1::2]):
        report.compared["versions: rows"] += 1
        report.differ(table, f"version {mine[1]}, {where}", checks.different("rows", this, that))


def compare_history(engine, table, mirror, versions, report):
    try:
        expected = engine.history(table)
    except NotRead as error:
        return report.unread(table, "Spark, its history", error)
    try:
        history = engine.history(mirror)
    except NotRead as error:
        return report.failed(table, "history, Spark", error)
    for version in set(versions) & set(expected):
        this, that = history.get(version, {}), expected[version]
        # A copied file may be younger than the in-commit timestamps after it; in the catalog times grow.
        if any(later["timestamp"] <= that["timestamp"] for v, later in expected.items() if v > version):
            this, that = {**this, "timestamp": None}, {**that, "timestamp": None}
        report.compared["versions: history"] += 1
        report.differ(table, f"version {version}, history, Spark", checks.by_key("history", this, that))


def compare_checksum(engine, table, mirror, where, report):
    """Spark compares `.crc` and state; any difference is an error."""
    if not any((mirror / "_delta_log").glob("0*.crc")):
        return
    try:
        if engine.has_good_checksum(mirror):
            report.compared["checksums"] += 1
        else:
            report.failed(table, f"{where}, checksum", "Spark finds none in the `.crc` that is there")
    except NotRead as error:
        report.failed(table, f"{where}, checksum", error)


def compare_mirror(engine, table, mirror, history, report):
    """The latest state, for the checkpoints to come; None where Spark cannot read the table."""
    state, versions = compare_state(engine, table, mirror, report), three(history)
    if state is None:
        return None
    compare_rows(engine, table, [((mirror, v), (table, v)) for v in versions], "mirror, Spark", report)
    compare_history(engine, table, mirror, versions, report)
    compare_checksum(engine, table, mirror, "mirror", report)
    return state


def commit(dl, snapshot, actions, work, operation):
    """Commits actions; the new version."""
    lines = work / "actions.ndjson"
    lines.write_text("".join(json.dumps(action, default=_exact) + "\n" for action in actions))
    return dl.run("commit", "--table", snapshot["table_id"], "--actions", lines, "--operation", operation)["version"]


def compare_checkpoint(engine, dl, table, mirror, expected, form, work, report):
    """Asks for a form of checkpoint by a commit, and reads the state and rows from that checkpoint alone. Brings the
    expected state up to that commit; says whether the table can have the form."""
    where = f"checkpoint with {form}"
    try:
        version = dl.run("snapshot")["version"]
        snapshot = dl.snapshot(version)
        actions = actions_for(form, snapshot)
        if actions is None:
            return False
        committed = commit(dl, snapshot, actions, work, "SET TBLPROPERTIES")
        dl.run("mirror", "--target", mirror)
    except Failed as error:
        (report.unread if error.kind == "unsupported" else report.failed)(table, where, error)
        return True
    # A table of few files has no parts.
    found, right = written_form(mirror / "_delta_log", committed), {"parts": ("parts", "single"), "sidecars": ("sidecars",)}
    if found not in right.get(form, ("single",)):
        report.failed(table, where, f"dl wrote a checkpoint of the form {found}")
        return True
    for action in actions:
        if "metaData" in action:  # Spark keeps the fields that it knows
            expected["metadata"]["configuration"] = action["metaData"]["configuration"]
        else:
            expected["protocol"] = checks.normal.protocol(action["protocol"])
    alone = without_commits_before(mirror, committed, work / f"alone-{form}")
    try:
        report.differ(table, f"{where}, Spark", checks.by_key("state", engine.state(alone), expected))
        report.compared[f"checkpoints: {found}"] += 1
    except NotRead as error:
        report.failed(table, f"{where}, Spark", error)
    compare_rows(engine, table, [((alone, committed), (mirror, version))], f"{where}, Spark", report)
    compare_checksum(engine, table, alone, where, report)
    return True


def compare_table(engine, dl, table, index, work, report):
    """A table that is there: its mirror, and one form of checkpoint, which others than its neighbours have."""
    mirror = work / "mirror"
    mirror.mkdir()
    try:
        dl.import_log(table / "_delta_log")
        dl.run("mirror", "--target", mirror)
        history = dl.history()
    except Failed as error:
        return report.failed(table, "import or mirror", error)
    beside(table, mirror, lambda entry, target: os.symlink(entry, target))
    report.compared["tables"] += 1
    state = compare_mirror(engine, table, mirror, history, report)
    if state is None:
        return
    forms = list(FORMS)
    for form in forms[index % len(forms):] + forms[:index % len(forms)]:
        if compare_checkpoint(engine, dl, table, mirror, state, form, work, report):
            return
