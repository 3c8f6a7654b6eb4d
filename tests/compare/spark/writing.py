"""Tables that Spark writes: `dl` and Spark commit to the mirror, one after the other and both at once."""
import shutil

from .. import checks, normal
from ..checkpoints import FORMS
from ..dl import Dl, Failed
from ..engines import NotRead
from . import reading, written
from .engine import quoted


class Writing:
    """A mirrored table in a catalog of its own, at which both write."""

    def __init__(self, engine, binary, table, folder, work, report):
        self.engine, self.table, self.folder, self.work, self.report = engine, table, folder, work, report
        self.dl = Dl(binary, work / "writing.db")

    def rows_are(self, expected, where):
        self.report.differ(self.table, where, checks.different("rows", self.engine.rows((self.folder,))[0], expected))
        if not self.engine.has_good_checksum(self.folder):
            self.report.failed(self.table, where, "Spark finds no checksum")

    def dl_removes_a_file(self):
        """Commits to the catalog; the rows that are left."""
        snapshot = self.dl.run("snapshot")
        add = min(self.dl.files(snapshot["version"]), key=lambda add: add["size"])
        left = self.engine.rows((self.folder, None, normal.path(add["path"]).rpartition("/")[2]))[0]
        kept = ("path", "partitionValues", "size", "deletionVector", "baseRowId", "defaultRowCommitVersion")
        remove = {k: add[k] for k in kept if add.get(k) is not None}
        remove.update(deletionTimestamp=add["modificationTime"], dataChange=True, extendedFileMetadata=True)
        reading.commit(self.dl, snapshot, [{"remove": remove}], self.work, "DELETE")
        self.report.compared["commits by dl"] += 1
        return left

    def spark_appends(self):
        self.engine.sql(f"INSERT INTO {quoted(self.folder)} SELECT /*+ COALESCE(1) */ * FROM {quoted(self.table)}")
        self.report.compared["commits by Spark"] += 1

    def spark_deletes(self):
        name = quoted(self.folder)
        low = self.engine.sql(f"SELECT min(id) FROM {name}")[0][0]
        self.engine.sql(f"DELETE FROM {name} WHERE id = {low}")
        self.report.compared["commits by Spark"] += 1

    def diff_says(self, status, where, **expected):
        answer, = self.dl.run("diff", codes=[{"equal": 0, "drift": 2}[status]])
        for key, value in {"status": status, **expected}.items():
            self.report.differ(self.table, where, checks.different(f"diff, {key}", answer[key], value))

    def in_turns(self):
        """Spark commits after `dl`, `dl` after Spark."""
        self.dl.import_log(self.folder / "_delta_log")
        left = self.dl_removes_a_file()
        self.dl.run("mirror")
        self.rows_are(left, "commit by dl")
        self.spark_appends()
        self.spark_deletes()
        expected = self.engine.rows((self.folder,))[0]
        self.diff_says("drift", "foreign commits", foreign_commit_count=2, diverged_at=None)
        self.dl.run("import", "--log-dir", self.folder / "_delta_log", "--incremental")
        self.diff_says("equal", "foreign commits")
        self.dl.run("verify")  # Spark's checksums, too
        self.rows_are(expected, "foreign commits")
        self.report.compared["foreign: taken in"] += 1
        left = self.dl_removes_a_file()
        self.dl.run("mirror")
        self.rows_are(left, "commit by dl after Spark's")

    def at_once(self, winner):
        """Both commit the same version; one of them wins."""
        where, version = f"diverged, {winner} wins", self.dl.run("snapshot")["version"] + 1
        by_catalog = self.dl_removes_a_file()
        self.spark_appends()
        by_log = self.engine.rows((self.folder,))[0]
        try:
            self.report.failed(self.table, where, f"was mirrored: {self.dl.run('mirror')}")
        except Failed as error:
            self.report.differ(self.table, where, checks.different("kind", error.kind, "conflict"))
        self.diff_says("drift", where, diverged_at=version)
        self.dl.run("diff", "--resolve", winner, "--yes")
        self.diff_says("equal", where)
        self.engine.forget(self.folder)
        self.rows_are(by_catalog if winner == "catalog" else by_log, where)
        # Both go on.
        self.spark_appends()
        expected = self.engine.rows((self.folder,))[0]
        self.dl.run("import", "--log-dir", self.folder / "_delta_log", "--incremental")
        self.diff_says("equal", f"{where}, going on")
        self.rows_are(expected, f"{where}, going on")
        self.report.compared[f"diverged: {winner} won"] += 1


def compact(engine, dl, table, mirror, work, report):
    """Spark reads a compacted log in place of its commits."""
    snapshot = dl.run("snapshot")
    configuration = {**snapshot["metadata"]["configuration"], "deltalakedb.logCompactionInterval": "2",
                     "delta.checkpointInterval": "1000"}
    reading.commit(dl, snapshot, [{"metaData": {**snapshot["metadata"], "configuration": configuration}}], work,
                   "SET TBLPROPERTIES")
    for version in range(1, 5):
        last = reading.commit(dl, snapshot, [{"txn": {"appId": "compacted", "version": version}}], work, "STREAMING UPDATE")
    dl.run("mirror", "--target", mirror)
    plain = work / "not-compacted"
    shutil.copytree(mirror, plain)
    for file in (plain / "_delta_log").glob("*.compacted.json"):
        file.unlink()
    if ".compacted.json" not in engine.log_files(mirror):
        report.failed(table, "compacted log", "Spark reads none")
    report.differ(table, "compacted log, Spark", checks.by_key(
        "state", engine.state(mirror, last), engine.state(plain, last)))
    report.compared["compacted logs"] += 1


def compare_table(engine, binary, writer, work, report):
    """Writes a table by Spark, reads its mirror in every form, and writes on."""
    table = written.write(writer, engine.spark, work / writer.__name__.replace("_", "-"))
    report.compared["tables: written now"] += 1
    dl, mirror = Dl(binary, work / "catalog.db"), work / "mirror"
    mirror.mkdir()
    try:
        dl.import_log(table / "_delta_log")
        dl.run("mirror", "--target", mirror)
        reading.beside(table, mirror, reading.copied)
        state = reading.compare_mirror(engine, table, mirror, dl.history(), report)
        for form in FORMS:
            reading.compare_checkpoint(engine, dl, table, mirror, state, form, work, report)
        compact(engine, dl, table, mirror, work, report)
        writing = Writing(engine, binary, table, mirror, work, report)
        writing.in_turns()
        if writer in written.DIVERGING:
            writing.at_once("catalog")
            writing.at_once("log")
    except (Failed, NotRead) as error:
        report.failed(table, "writing", error)
