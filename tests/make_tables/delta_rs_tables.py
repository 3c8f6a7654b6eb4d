"""Tables that delta-rs writes: a function a table, its name the folder's (`_` for `-`)."""
import datetime
from decimal import Decimal

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])


def append(folder, *ids, **options):
    """A commit for each id, of one row."""
    for i in ids:
        write_deltalake(folder, pa.table({"id": [i], "name": [f"name {i}"]}, SCHEMA), mode="append", **options)


def json_commits(folder):
    append(folder, 1, 2, 3)
    DeltaTable(folder).delete("id = 2")
    DeltaTable(folder).update(predicate="id = 3", updates={"name": "'other'"})


def classic_checkpoint_delta_rs(folder):
    append(folder, 1, 2, 3)
    DeltaTable(folder).delete("id = 2")
    DeltaTable(folder).create_checkpoint()
    append(folder, 4, 5)


def log_compaction(folder):
    """Compacted files that overlap, one of them with a remove whose add is before it."""
    append(folder, 1, 2, 3)
    DeltaTable(folder).delete("id = 1")
    append(folder, 5, 6)
    DeltaTable(folder).compact_logs(1, 3)
    DeltaTable(folder).compact_logs(3, 5)
    append(folder, 7)


def log_compaction_and_checkpoint(folder):
    append(folder, 1, 2, 3, configuration={"delta.enableExpiredLogCleanup": "false"})
    DeltaTable(folder).create_checkpoint()
    append(folder, 4, 5, 6)
    DeltaTable(folder).delete("id = 2")
    DeltaTable(folder).compact_logs(3, 5)


def change_data_feed_delta_rs(folder):
    append(folder, 1, configuration={"delta.enableChangeDataFeed": "true"})
    append(folder, 2)
    DeltaTable(folder).update(predicate="id = 1", updates={"name": "'other'"})
    DeltaTable(folder).delete("id = 2")


def partition_values_delta_rs(folder):
    odd = ["plain", "two words", "a/b", "100%", "k=v", 'double"quote', "it's", "naïve 日本語 😀", "a+b&c?d#e", None]
    write_deltalake(folder, pa.table({"id": range(len(odd)), "p": odd}), partition_by=["p"])
    DeltaTable(folder).create_checkpoint()
    DeltaTable(folder).delete("p = 'a/b'")


def partition_types_delta_rs(folder):
    at = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456, datetime.timezone.utc)
    write_deltalake(folder, pa.table({
        "id": [1, 2], "d": [datetime.date(2024, 2, 29), None], "at": pa.array([at, None], pa.timestamp("us", "UTC")),
        "n": pa.array([Decimal("1.500"), None], pa.decimal128(10, 3)), "b": [True, None], "i": [-1, None],
    }), partition_by=["d", "at", "n", "b", "i"])
    DeltaTable(folder).create_checkpoint()


def transactions_delta_rs(folder):
    for app, version, i in [("app", 1, 1), ("other app", 9007199254740993, 2), ("app", 2, 3)]:
        transaction = Transaction(app, version, 1700000000000 + i)
        append(folder, i, commit_properties=CommitProperties(app_transactions=[transaction]))
    DeltaTable(folder).create_checkpoint()
    append(folder, 4, commit_properties=CommitProperties(app_transactions=[Transaction("app", 3)]))


def optimize_delta_rs(folder):
    append(folder, 1, 2, 3)
    DeltaTable(folder).optimize.compact()
    DeltaTable(folder).restore(1)
    append(folder, 4)


def overwrite_delta_rs(folder):
    append(folder, 1, 2)
    write_deltalake(folder, pa.table({"other": [1.5]}), mode="overwrite", schema_mode="overwrite",
                    commit_properties=CommitProperties(custom_metadata={"why": "a \"new\" schema"}))
    DeltaTable(folder).alter.set_table_properties({"delta.appendOnly": "true"})
    DeltaTable(folder).alter.add_constraint({"positive": "other > 0"})


TABLES = [json_commits, classic_checkpoint_delta_rs, log_compaction, log_compaction_and_checkpoint,
          change_data_feed_delta_rs, partition_values_delta_rs, partition_types_delta_rs, transactions_delta_rs,
          optimize_delta_rs, overwrite_delta_rs]
