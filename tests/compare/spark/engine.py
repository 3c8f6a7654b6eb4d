"""Spark with Delta: one JVM for all tables, a session of its own for each."""
import json
import os
import re
from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from .. import normal
from ..dl import loads
from ..engines import NotRead

FAILURES = (Py4JError, PySparkException)
DELTA = "spark.databricks.delta."
OPTIONS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.driver.memory": "4g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Thousands of tiny queries: to compile them takes longer than to run them.
    "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -XX:TieredStopAtLevel=1 "
                                     "-XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    DELTA + "snapshotPartitions": "1",
    # Before a commit Spark reads the state and compares it with the log's `.crc`; a difference is an error.
    DELTA + "incremental.commit.verify": "true",
    DELTA + "checksum.mismatch.fatal": "true",
    # Else versions of tables kept here, with times in the log, are refused once they are a week old.
    DELTA + "vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration": "false",
}


def not_read(error):
    """What Spark answered, without what differs at every call."""
    text = re.sub(r"^An error occurred while calling \S+ *: ", "", " ".join(str(error).split()))
    return NotRead(re.sub(r"(file:)?/\S*/", ".../", text)[:180])


def quoted(folder):
    """A table in a folder, as SQL names it."""
    return f"delta.`{str(folder).replace('`', '``')}`"


def start(work, **more):
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master("local[2]")
    own = {"spark.sql.warehouse.dir": str(Path(work) / "warehouse"), "spark.local.dir": str(work)}
    for key, value in {**OPTIONS, **own, **more}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    return spark


def start_with_jars(work, jars):
    """With the jars that setup fetched: nothing is downloaded."""
    found = sorted(str(jar) for group in ("io.delta", "io.unitycatalog") for jar in Path(jars).glob(f"{group}_*.jar"))
    if not found:
        raise FileNotFoundError(f"no jars of Delta in {jars}; run `cargo xtask setup`")
    return start(work, **{"spark.jars": ",".join(found)})


class Engine:
    """What Spark says of tables in folders; `NotRead` where it cannot."""

    def __init__(self, spark):
        self.spark = spark.newSession()
        self.jvm, self.session = spark._jvm, self.spark._jsparkSession
        # Delta looks for the session of the thread.
        self.jvm.org.apache.spark.sql.SparkSession.setActiveSession(self.session)

    def sql(self, text):
        try:
            return self.spark.sql(text).collect()
        except FAILURES as error:
            raise not_read(error) from None

    def _snapshot(self, folder, version=None):
        log = self.jvm.org.apache.spark.sql.delta.DeltaLog.forTable(self.session, str(folder))
        none = self.jvm.scala.Option.empty()
        return log.update(False, none, none) if version is None else log.getSnapshotAt(version, none, none, False)

    def forget(self, folder):
        """Else files that changed under it are not read again."""
        path = self.jvm.org.apache.hadoop.fs.Path(str(folder))
        self.jvm.org.apache.spark.sql.delta.DeltaLog.invalidateCache(self.session, path)

    def forget_all(self):
        """Else the states of all tables so far stay in memory, until Java does nothing but look for some."""
        self.jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()
        self.spark.catalog.clearCache()

    def state(self, folder, version=None):
        """All that the log says at a version, as Spark puts it together from checkpoint and commits."""
        try:
            lines = self._snapshot(folder, version).stateDF().toJSON().collectAsList()
        except FAILURES as error:
            raise not_read(error) from None
        state = {"file": {}, "tombstone": {}, "transaction": {}, "domain": {}, "protocol": {}, "metadata": {}}
        for line in map(loads, lines):
            for kind, action in line.items():
                self._put(state, kind, action)
        # Struct statistics are of the columns that there are; those in JSON may still tell of dropped ones.
        columns = {None, *normal.schema_types(state["metadata"]["schemaString"])}
        for file in state["file"].values():
            file["stats"] = {k: v for k, v in file["stats"].items() if (k[1] if len(k) > 1 else None) in columns}
        return state

    @staticmethod
    def _put(state, kind, action):
        vector = action.get("deletionVector")
        if kind in ("add", "remove"):
            key = action["path"], json.dumps(vector, sort_keys=True) if vector else None
        if kind == "add":
            state["file"][key] = {k: v for k, v in normal.add(action).items() if k != "dataChange"}
        elif kind == "remove":
            # What else a tombstone holds may be left out of a checkpoint.
            state["tombstone"][key] = action.get("deletionTimestamp")
        elif kind == "txn":
            state["transaction"][action["appId"]] = action
        elif kind == "domainMetadata":
            state["domain"][action["domain"]] = action
        elif kind == "protocol":
            state["protocol"] = normal.protocol(action)
        elif kind == "metaData":
            state["metadata"] = normal.metadata(action)

    def rows(self, *sources):
        """For each (folder, version, file to leave out) how many rows there are and the sum of their hashes, whatever
        their order; all in one query, as each costs about a second."""
        found = self.sql(" UNION ALL ".join(f"SELECT {i}, {self._hashed(*s)}" for i, s in enumerate(sources)))
        return [tuple(row)[1:] for row in sorted(found, key=lambda row: row[0])]

    @staticmethod
    def _hashed(folder, version=None, without=None):
        text = "to_json(struct(*), map('timestampFormat', 'yyyy-MM-dd HH:mm:ss.SSSSSS'))"
        at = "" if version is None else f"VERSION AS OF {version}"
        where = "" if without is None else f"WHERE _metadata.file_name <> '{without}'"
        return f"count(*), sum(CAST(xxhash64({text}) AS DECIMAL(38,0))) FROM {quoted(folder)} {at} {where}"

    def history(self, folder):
        rows = self.sql(f"DESCRIBE HISTORY {quoted(folder)}")
        return {row["version"]: row.asDict(recursive=True) for row in rows}

    def has_good_checksum(self, folder):
        """Whether there is a `.crc` of the latest version; one that says something else than the log is an error."""
        try:
            snapshot = self._snapshot(folder)
            if snapshot.checksumOpt().isEmpty():
                return False
            return snapshot.validateChecksum(getattr(snapshot, "validateChecksum$default$1")())
        except FAILURES as error:
            raise not_read(error) from None

    def log_files(self, folder):
        """The names of the log's files that the latest state is read from."""
        segment = self._snapshot(folder).logSegment()
        return f"{segment.checkpointProvider().topLevelFiles()} {segment.deltas()}"
