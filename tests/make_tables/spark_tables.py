"""Tables that Spark with Delta writes: a function a table, its name the folder's (`_` for `-`)."""
import contextlib
import subprocess
from pathlib import Path

PREFIX = "spark.databricks.delta."


def start(jars):
    from pyspark.sql import SparkSession
    pom = Path(__file__).parent / "pom.xml"
    subprocess.run(["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies",
                    "-DincludeGroupIds=io.delta,io.unitycatalog", f"-DoutputDirectory={jars}"], check=True)
    options = {
        "spark.jars": ",".join(str(j) for j in sorted(Path(jars).glob("*.jar"))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": f"{jars}/warehouse",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.driver.memory": "2g",
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC",
        "spark.ui.enabled": "false",
        PREFIX + "snapshotPartitions": "1",
    }
    builder = SparkSession.builder.master("local[2]")
    for key, value in options.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


class Table:
    """One table under construction: SQL with `{t}` for the table, and settings for a while."""

    def __init__(self, spark, folder):
        self.spark, self.folder, self.t = spark, folder, f"delta.`{folder}`"

    def sql(self, *statements):
        for statement in statements:
            self.spark.sql(statement.replace("{t}", self.t)).collect()

    def create(self, columns="id INT, name STRING", by="", **properties):
        pairs = ", ".join(f"'delta.{k.replace('_', '.')}' = '{v}'" for k, v in properties.items())
        self.sql(f"CREATE TABLE {{t}} ({columns}) USING delta {by} " + (f"TBLPROPERTIES ({pairs})" if pairs else ""))

    def append(self, *ids):
        """A commit for each id, of one row."""
        for i in ids:
            self.sql(f"INSERT INTO {{t}} VALUES ({i}, 'name {i}')")

    def rows(self, *values):
        """One commit, of one file (two cores would make two)."""
        self.sql(f"INSERT INTO {{t}} SELECT /*+ COALESCE(1) */ * FROM VALUES {', '.join(values)}")

    def files(self, *ids):
        """One commit, of a file for each id."""
        frame = self.spark.createDataFrame([(i, f"name {i}") for i in ids], "id INT, name STRING")
        frame.repartitionByRange(len(ids), "id").write.format("delta").mode("append").save(str(self.folder))

    def checkpoint(self):
        logs = self.spark._jvm.org.apache.spark.sql.delta.DeltaLog
        logs.clearCache()  # a cached log may hold an older snapshot
        logs.forTable(self.spark._jsparkSession, str(self.folder)).checkpoint()

    @contextlib.contextmanager
    def conf(self, **settings):
        for key, value in settings.items():
            self.spark.conf.set(PREFIX + key.replace("_", "."), value)
        try:
            yield
        finally:
            for key in settings:
                self.spark.conf.unset(PREFIX + key.replace("_", "."))


# Logs and checkpoints.

def json_commits_spark(t):
    t.create()
    t.append(1, 2)
    t.sql("UPDATE {t} SET name = 'other' WHERE id = 1", "DELETE FROM {t} WHERE id = 2")


def classic_checkpoint(t):
    t.create(checkpointInterval=3)
    t.append(1, 2)
    t.sql("DELETE FROM {t} WHERE id = 1")
    t.append(3, 4, 5, 6)


def multi_part_checkpoint(t):
    t.create()
    with t.conf(checkpoint_partSize=3):
        t.files(1, 2, 3, 4, 5, 6)
        t.append(7)
        t.sql("DELETE FROM {t} WHERE id = 2")
        t.checkpoint()
    t.append(8)


def _v2(t, file_format, **properties):
    t.create(checkpointPolicy="v2", **properties)
    with t.conf(checkpointV2_topLevelFileFormat=file_format, checkpoint_partSize=3):
        t.files(1, 2, 3, 4, 5, 6, 7)
        t.sql("DELETE FROM {t} WHERE id = 2")
        t.checkpoint()
        t.append(8)
        t.sql("ALTER TABLE {t} SET TBLPROPERTIES ('team' = 'somebody')")
        t.checkpoint()
    t.append(9)


def v2_checkpoint_json(t):
    _v2(t, "json")


def v2_checkpoint_parquet(t):
    _v2(t, "parquet")


def v2_checkpoint_many_features(t):
    """Transactions, domain metadata, vectors and struct statistics, all through sidecars."""
    t.create(by="CLUSTER BY (id)", checkpointPolicy="v2", enableDeletionVectors="true", enableRowTracking="true",
             checkpoint_writeStatsAsJson="false", checkpoint_writeStatsAsStruct="true")
    t.rows("(1, 'a')", "(2, 'b')", "(3, 'c')")
    with t.conf(write_txnAppId="app one", write_txnVersion="9007199254740993"):
        t.rows("(4, 'd')", "(5, 'e')")
    t.sql("DELETE FROM {t} WHERE id IN (2, 4)")
    with t.conf(checkpointV2_topLevelFileFormat="parquet", checkpoint_partSize=1):
        t.checkpoint()
    t.append(6)


STATS = """id BIGINT, d DATE, at TIMESTAMP, price DECIMAL(20,3), ratio DOUBLE, long_name STRING, flag BOOLEAN,
    nested STRUCT<a: INT, deep: STRUCT<b: STRING>>, small TINYINT, bytes BINARY, list ARRAY<INT>"""
STATS_ROW = ("({0}, DATE '2024-02-{1:02}', TIMESTAMP '2024-02-29 12:34:56.789{0}', 12345678901234567.89{0}, {0}.5, "
             "'{2} a name that is much longer than thirty-two characters', {3}, "
             "named_struct('a', {0}, 'deep', named_struct('b', 'b{0}')), {0}, X'0{0}', array({0}))")


def _stats(t, **properties):
    t.create(STATS, **properties)
    t.rows(STATS_ROW.format(1, 1, "Aé", "true"), STATS_ROW.format(2, 29, "z😀", "false"))
    t.sql("INSERT INTO {t} (id) VALUES (3)")  # the rest is null
    t.rows(STATS_ROW.format(4, 4, "m", "null").replace("4.5", "double('NaN')"))
    t.checkpoint()
    t.rows(STATS_ROW.format(5, 5, "\U0010ffff" * 40, "true"))


def struct_stats_only(t):
    _stats(t, checkpoint_writeStatsAsJson="false", checkpoint_writeStatsAsStruct="true")


def struct_and_json_stats(t):
    _stats(t, checkpoint_writeStatsAsStruct="true")


def no_stats_in_checkpoint(t):
    _stats(t, checkpoint_writeStatsAsJson="false", checkpoint_writeStatsAsStruct="false")


def struct_stats_partitioned(t):
    """`partitionValues_parsed` beside `stats_parsed`, nothing as JSON."""
    t.create("id INT, d DATE, n DECIMAL(6,2), at TIMESTAMP", "PARTITIONED BY (d, n, at)",
             checkpoint_writeStatsAsJson="false", checkpoint_writeStatsAsStruct="true")
    t.rows("(1, DATE '2024-01-01', 1.50, TIMESTAMP '2024-01-01 00:00:00.000001')", "(2, NULL, NULL, NULL)")
    t.checkpoint()
    t.rows("(3, DATE '1969-12-31', -0.01, TIMESTAMP '1969-12-31 23:59:59')")


# Partition values.

def partition_values(t):
    t.create("id INT, p STRING", "PARTITIONED BY (p)")
    odd = ["plain", "two words", "a/b", "100%", "%20", "k=v", 'double"quote', "it''s", "naïve 日本語 😀", "a+b&c?d#e",
           "back\\\\slash", "a:b", "__HIVE_DEFAULT_PARTITION__x", " lead and trail ", "tab\\there", ""]
    t.rows(*[f"({i}, '{p}')" for i, p in enumerate(odd)], "(100, NULL)")
    t.sql("DELETE FROM {t} WHERE p = 'a/b'", "DELETE FROM {t} WHERE p IS NULL")
    t.checkpoint()
    t.rows("(101, 'line\\nbreak')", "(102, NULL)")


def partition_types(t):
    t.create("id INT, d DATE, at TIMESTAMP, n DECIMAL(10,3), b BOOLEAN, i INT, l BIGINT, f DOUBLE",
             "PARTITIONED BY (d, at, n, b, i, l, f)")
    t.rows("(1, DATE '2024-02-29', TIMESTAMP '2024-02-29 23:59:59.123456', 1.500, true, -1, 9007199254740993, 0.1)",
           "(2, DATE '0001-01-01', TIMESTAMP '1969-12-31 00:00:00', -1234567.891, false, 2147483647, -1, 1e300)",
           "(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL)")
    t.checkpoint()
    t.rows("(4, DATE '9999-12-31', TIMESTAMP '2024-01-01 00:00:00', 0, true, 0, 0, double('NaN'))")


def partition_column_name(t):
    """A partition column whose name itself needs care, and one that differs only in case of use."""
    t.create("id INT, `Odd Name=%` STRING", "PARTITIONED BY (`Odd Name=%`)", columnMapping_mode="name")
    t.rows("(1, 'x')", "(2, NULL)")
    t.sql("DELETE FROM {t} WHERE id = 1")


# Features.

def deletion_vectors(t):
    t.create(enableDeletionVectors="true")
    t.rows(*[f"({i}, 'name {i}')" for i in range(10)])
    t.sql("DELETE FROM {t} WHERE id = 3", "DELETE FROM {t} WHERE id IN (5, 7)")
    t.checkpoint()
    t.sql("UPDATE {t} SET name = 'other' WHERE id = 8", "DELETE FROM {t} WHERE id < 9")
    t.sql("RESTORE TABLE {t} TO VERSION AS OF 2")  # the same path with an older vector comes back
    t.sql("RESTORE TABLE {t} TO VERSION AS OF 1")  # and with none


def column_mapping_name(t):
    t.create("id INT, name STRING, gone INT, nested STRUCT<a: INT, b: STRING>", columnMapping_mode="name")
    t.rows("(1, 'a', 1, named_struct('a', 1, 'b', 'x'))")
    t.sql("ALTER TABLE {t} RENAME COLUMN name TO `new name`", "ALTER TABLE {t} DROP COLUMN gone",
          "ALTER TABLE {t} RENAME COLUMN nested.a TO alpha")
    t.rows("(2, 'b', named_struct('alpha', 2, 'b', 'y'))")
    t.checkpoint()
    t.rows("(3, 'c', named_struct('alpha', 3, 'b', 'z'))")


def column_mapping_later(t):
    """Mapped by name from version 2 on: physical names are the old names."""
    t.create("id INT, p STRING", "PARTITIONED BY (p)")
    t.rows("(1, 'x')")
    t.sql("ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name', "
          "'delta.minReaderVersion' = '2', 'delta.minWriterVersion' = '5')", "ALTER TABLE {t} RENAME COLUMN p TO part")
    t.rows("(2, 'y')")


def column_mapping_id(t):
    t.create("id INT, p STRING", "PARTITIONED BY (p)", columnMapping_mode="id")
    t.rows("(1, 'x')", "(2, 'y')")
    t.checkpoint()
    t.sql("DELETE FROM {t} WHERE id = 1")


def change_data_feed(t):
    t.create(enableChangeDataFeed="true")
    t.rows("(1, 'a')", "(2, 'b')", "(3, 'c')")
    t.sql("UPDATE {t} SET name = 'B' WHERE id = 2", "DELETE FROM {t} WHERE id = 1",
          "MERGE INTO {t} t USING (SELECT 3 AS id, 'C' AS name UNION SELECT 4, 'd') s ON t.id = s.id "
          "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")


def change_data_feed_vectors(t):
    t.create("id INT, name STRING", "PARTITIONED BY (name)", enableChangeDataFeed="true", enableDeletionVectors="true")
    t.rows("(1, 'a')", "(2, 'a')", "(3, 'c')")
    t.sql("UPDATE {t} SET id = 20 WHERE id = 2", "DELETE FROM {t} WHERE id = 3")


def in_commit_timestamps(t):
    t.create(enableInCommitTimestamps="true")
    t.append(1, 2)
    t.checkpoint()
    t.append(3)


def in_commit_timestamps_later(t):
    t.create()
    t.append(1)
    t.sql("ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableInCommitTimestamps' = 'true')")
    t.append(2)
    t.checkpoint()
    t.append(3)


def row_tracking(t):
    t.create(enableRowTracking="true")
    t.rows("(1, 'a')", "(2, 'b')", "(3, 'c')")
    t.sql("UPDATE {t} SET name = 'B' WHERE id = 2")
    t.checkpoint()
    t.append(4)


def row_tracking_later(t):
    """The backfill adds live files again, now with a base row id."""
    t.create()
    t.append(1, 2)
    t.sql("ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableRowTracking' = 'true')")
    t.append(3)


def liquid_clustering(t):
    t.create("id INT, name STRING", "CLUSTER BY (id)")
    t.append(2, 1)
    t.sql("OPTIMIZE {t}", "ALTER TABLE {t} CLUSTER BY (name)")
    t.checkpoint()
    t.append(3)
    t.sql("ALTER TABLE {t} CLUSTER BY NONE")


def type_widening(t):
    t.create("id SMALLINT, ratio FLOAT, price DECIMAL(6,2), nested STRUCT<a: TINYINT>", enableTypeWidening="true")
    t.rows("(1, 1.5, 1.25, named_struct('a', 1))")
    t.sql("ALTER TABLE {t} CHANGE COLUMN id TYPE INT", "ALTER TABLE {t} CHANGE COLUMN id TYPE BIGINT",
          "ALTER TABLE {t} CHANGE COLUMN price TYPE DECIMAL(12,4)",
          "ALTER TABLE {t} CHANGE COLUMN ratio TYPE DOUBLE", "ALTER TABLE {t} CHANGE COLUMN nested.a TYPE INT")
    t.rows("(9007199254740993, 1e300, 1.2345, named_struct('a', 2000000000))")
    t.checkpoint()


def variant(t):
    t.create("id INT, v VARIANT")
    t.rows("(1, parse_json('{\"a\": 1}'))", "(2, NULL)")
    t.checkpoint()


def timestamp_ntz(t):
    t.create("id INT, at TIMESTAMP_NTZ, p TIMESTAMP_NTZ", "PARTITIONED BY (p)")
    t.rows("(1, TIMESTAMP_NTZ '2024-02-29 12:34:56.789123', TIMESTAMP_NTZ '1969-12-31 23:59:59.5')", "(2, NULL, NULL)")


def append_only(t):
    t.create(appendOnly="true")
    t.append(1, 2)


def check_constraints(t):
    t.create("id INT NOT NULL, name STRING")
    t.append(1)
    t.sql("ALTER TABLE {t} ADD CONSTRAINT positive CHECK (id > 0)")
    t.append(2)
    t.sql("ALTER TABLE {t} DROP CONSTRAINT positive")


def generated_columns(t):
    t.create("at TIMESTAMP, day DATE GENERATED ALWAYS AS (CAST(at AS DATE))", "PARTITIONED BY (day)")
    t.sql("INSERT INTO {t} (at) VALUES (TIMESTAMP '2024-02-29 23:00:00')")


def identity_columns(t):
    identity = "GENERATED BY DEFAULT AS IDENTITY (START WITH 9007199254740993 INCREMENT BY 2)"
    t.create(f"id BIGINT {identity}, name STRING")
    t.sql("INSERT INTO {t} (name) VALUES ('a')", "INSERT INTO {t} (name) VALUES ('b')")


def default_columns(t):
    t.create("id INT, name STRING DEFAULT 'it is ''quoted'''", feature_allowColumnDefaults="supported")
    t.sql("INSERT INTO {t} (id) VALUES (1)", "ALTER TABLE {t} ALTER COLUMN id SET DEFAULT 7")


def transactions(t):
    t.create()
    for app, version, i in [("app", 1, 1), ("app", 2, 2), ("other app", 9007199254740993, 3)]:
        with t.conf(write_txnAppId=app, write_txnVersion=str(version)):
            t.append(i)
    t.checkpoint()
    with t.conf(write_txnAppId="app", write_txnVersion="3"):
        t.append(4)


def streaming(t):
    source = t.folder.parent / "streaming-source"
    Table(t.spark, source).create()
    Table(t.spark, source).append(1, 2)
    t.create()
    (t.spark.readStream.format("delta").load(str(source)).coalesce(1).writeStream.format("delta")
     .option("checkpointLocation", str(t.folder.parent / "streaming-state")).option("maxFilesPerTrigger", 1)
     .trigger(availableNow=True).start(str(t.folder)).awaitTermination())


def restore(t):
    t.create()
    t.append(1, 2)
    t.sql("DELETE FROM {t} WHERE id = 1", "RESTORE TABLE {t} TO VERSION AS OF 2")
    t.append(3)


def optimize(t):
    t.create()
    t.append(1, 2, 3)
    t.sql("OPTIMIZE {t}")
    t.append(4)


def overwrite(t):
    t.create("id INT, p STRING", "PARTITIONED BY (p)")
    t.rows("(1, 'x')", "(2, 'y')")
    t.sql("INSERT OVERWRITE {t} SELECT 3, 'x'")
    t.rows("(4, 'y')")
    frame = t.spark.createDataFrame([(5, "y")], "id INT, p STRING").coalesce(1)
    frame.write.format("delta").mode("overwrite").option("replaceWhere", "p = 'y'").save(str(t.folder))
    other = t.spark.createDataFrame([("new", 1.5)], "name STRING, ratio DOUBLE").coalesce(1)
    other.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(str(t.folder))


def schema_evolution(t):
    t.create()
    t.append(1)
    frame = t.spark.createDataFrame(
        [(2, "b", [1, 2], {"k": 1})], "id INT, name STRING, list ARRAY<INT>, map MAP<STRING, INT>")
    frame.coalesce(1).write.format("delta").mode("append").option("mergeSchema", "true").save(str(t.folder))
    t.sql("ALTER TABLE {t} ADD COLUMN (nested STRUCT<a: INT> COMMENT 'a \"quoted\" comment' FIRST)",
          "ALTER TABLE {t} ADD COLUMN (nested.b STRING)", "COMMENT ON TABLE {t} IS 'described, with unicode: é'")


def property_changes(t):
    t.create()
    t.sql("ALTER TABLE {t} SET TBLPROPERTIES ('team' = 'a', 'quote\"d' = '{\"json\": 9007199254740993}')")
    t.append(1)
    t.sql("ALTER TABLE {t} UNSET TBLPROPERTIES ('team')",
          "ALTER TABLE {t} SET TBLPROPERTIES ('delta.minWriterVersion' = '7')",
          "ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")


def features_dropped(t):
    """Dropping a reader feature leaves checkpoint protection behind."""
    t.create(enableDeletionVectors="true")
    t.append(1, 2)
    t.sql("DELETE FROM {t} WHERE id = 1", "ALTER TABLE {t} DROP FEATURE deletionVectors")
    t.append(3)


def vacuum_protocol_check(t):
    t.create(feature_vacuumProtocolCheck="supported")
    t.append(1)
    t.checkpoint()


def shallow_clone(t):
    source = Table(t.spark, t.folder.parent / "clone source")
    source.create("id INT, p STRING", "PARTITIONED BY (p)", enableDeletionVectors="true")
    source.rows("(1, 'a b')", "(2, 'a b')", "(3, 'c')")
    source.sql("DELETE FROM {t} WHERE id = 1")
    t.sql(f"CREATE TABLE {{t}} SHALLOW CLONE {source.t}")
    t.rows("(4, 'c')")
    t.sql("DELETE FROM {t} WHERE id = 3")


def empty_table(t):
    t.create()


def timestamps(t):
    """The ends of the calendar, in statistics."""
    t.create("at TIMESTAMP, d DATE")
    t.rows("(TIMESTAMP '0001-01-01 00:00:00', DATE '1500-01-01')",
           "(TIMESTAMP '9999-12-31 23:59:59.999999', DATE '9999-12-31')")
    t.checkpoint()


TABLES = [f for name, f in list(globals().items())
          if callable(f) and getattr(f, "__module__", "") == __name__ and not name.startswith("_")
          and name not in ("start", "Table")]
