"""The other readers: delta-rs at every version, DuckDB's delta extension at the latest."""
import glob
import importlib
import os

import deltalake
import duckdb
import pyarrow as pa

from . import normal


class NotRead(Exception):
    """The engine cannot read this table; its message says why."""


def not_read(error):
    """What an engine answered instead of the table, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return NotRead(text[:160])


def delta_rs(table, version, app_ids=()):
    """What delta-rs says, as far as its Python interface shows it (no domain metadata, no vector ids)."""
    try:
        t = deltalake.DeltaTable(table, version=version)
        protocol, metadata = t.protocol(), t.metadata()
        adds = pa.table(t.get_add_actions()).to_pylist()
        return {
            "files": {normal.path(a["path"]): {
                "size": a["size_bytes"], "modificationTime": _ms(a["modification_time"]),
                "partitionValues": {k: normal.partition_value(v, "") for k, v in (a.get("partition") or {}).items()},
            } for a in adds},
            "protocol": {"minReaderVersion": protocol.min_reader_version, "minWriterVersion": protocol.min_writer_version,
                         "readerFeatures": sorted(protocol.reader_features or []),
                         "writerFeatures": sorted(protocol.writer_features or [])},
            "metadata": {"id": str(metadata.id), "name": metadata.name, "description": metadata.description,
                         "partitionColumns": metadata.partition_columns, "createdTime": metadata.created_time,
                         "configuration": metadata.configuration},
            "schema": normal.schema(t.schema().to_json()),
            "transactions": {app: v for app in app_ids if (v := t.transaction_version(app)) is not None},
            "deleted_rows": _deleted_rows(t, table, adds),
        }
    except BaseException as error:  # a Rust panic is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        raise not_read(error) from None


def _deleted_rows(t, table, adds):
    """How many rows each file's vector deletes; None where a vector is not in this folder, so cannot be read."""
    try:
        vectors = pa.table(t.deletion_vectors()).to_pylist()
    except Exception:
        return None
    prefix = f"{os.path.realpath(table)}/"
    return {normal.path(v["filepath"]).removeprefix("file://").removeprefix(prefix): v["selection_vector"].count(False)
            for v in vectors}


def _ms(at):
    return at if at is None or isinstance(at, int) else round(at.timestamp() * 1000)


def connect():
    """DuckDB with its extension from the Python package: nothing is downloaded."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    folder = os.path.dirname(importlib.import_module("duckdb_extension_delta").__file__)
    connection.execute("LOAD '%s'" % glob.glob(f"{folder}/extensions/*/*.duckdb_extension")[0])
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def duck_files(connection, table):
    quoted = str(table).replace("'", "''")
    try:
        rows = connection.execute(f"SELECT data_file FROM delta_list_files('{quoted}')").fetchall()
    except duckdb.Error as error:
        raise not_read(error) from None
    return [row[0] for row in rows]


def duck_rows(connection, table):
    quoted = str(table).replace("'", "''")
    try:
        return connection.execute(f"SELECT count(*) FROM delta_scan('{quoted}')").fetchone()[0]
    except duckdb.Error as error:
        raise not_read(error) from None
