"""What is compared. Each check yields (what, this, that) for every difference."""
import collections
import time

from . import normal
from .replay import read_json, vector_id


def different(what, this, that):
    if this != that:
        yield what, this, that


def by_key(what, this, that):
    """Two mappings: names the keys on one side only, and the differing values."""
    for key in sorted({*this, *that}, key=str):
        if key not in that:
            yield f"{what} {key}", "there", "not there"
        elif key not in this:
            yield f"{what} {key}", "not there", "there"
        elif isinstance(this[key], dict) and isinstance(that[key], dict):
            yield from by_key(f"{what} {key}", this[key], that[key])
        else:
            yield from different(f"{what} {key}", this[key], that[key])


def files_by_key(adds, from_checkpoint=()):
    """`dataChange` belongs to a commit: in a checkpoint it means nothing, and writers differ."""
    files = {(add["path"], vector_id(add.get("deletionVector"))): normal.add(add) for add in adds}
    for key in from_checkpoint:
        files.get(key, {}).pop("dataChange", None)
    return files


def live_rows(adds):
    """Rows by the statistics, without the deleted ones; None where a file does not say."""
    total = 0
    for add in map(normal.add, adds):
        if ("numRecords",) not in add["stats"]:
            return None
        total += int(add["stats"]["numRecords",]) - add.get("deletionVector", {}).get("cardinality", 0)
    return total


def with_replay(snapshot, adds, entry, state):
    """dl (this) and the naive replay (that), at one version."""
    expected, old = list(state.files.values()), state.from_checkpoint
    if len(adds) != len(files_by_key(adds)):
        yield "files", f"{len(adds)} lines", f"{len(files_by_key(adds))} different files"
    yield from by_key("file", files_by_key(adds, old), files_by_key(expected, old))
    yield from different("file_count", snapshot["file_count"], len(expected))
    yield from different("size_bytes", snapshot["size_bytes"], sum(a["size"] for a in expected))
    yield from different("row_count", snapshot["row_count"], live_rows(expected))
    yield from by_key("protocol", normal.protocol(snapshot["protocol"]), normal.protocol(state.protocol))
    yield from by_key("metadata", normal.metadata(snapshot["metadata"]), normal.metadata(state.metadata))
    yield from by_key("transaction", {t["appId"]: transaction(t) for t in snapshot["transactions"]},
                      {k: transaction(t) for k, t in state.active_transactions(time.time() * 1000).items()})
    yield from by_key("domain", {d["domain"]: d["configuration"] for d in snapshot["domain_metadata"]},
                      state.domain_metadata)
    if state.timestamp_ms is not None:
        yield from different("timestamp_ms", snapshot["timestamp_ms"], state.timestamp_ms)
        yield from different("history timestamp_ms", entry["timestamp_ms"], state.timestamp_ms)
    if state.commit_info is not None:
        yield from different("commit_info", normal.present(entry["commit_info"] or {}), normal.present(state.commit_info))
        yield from different("operation", entry["operation"], state.commit_info.get("operation"))
    if state.added is not None:
        yield from different("added_files", entry["added_files"], state.added)
        yield from different("removed_files", entry["removed_files"], state.removed)


def transaction(action):
    """A snapshot shows these fields; that others survive too shows in the mirrored commits."""
    return {k: action.get(k) for k in ("version", "lastUpdated")}


def with_delta_rs(snapshot, adds, answer):
    """dl (this) and delta-rs (that), at one version."""
    metadata, schema_string = normal.metadata(snapshot["metadata"]), snapshot["metadata"]["schemaString"]
    mine = {normal.path(a["path"]): {
        "size": a["size"], "modificationTime": a["modificationTime"],
        "partitionValues": normal.typed_partition_values(a, schema_string)} for a in adds}
    yield from by_key("file", mine, answer["files"])
    # delta-rs keeps the protocol's own fields only
    protocol = {k: v for k, v in normal.protocol(snapshot["protocol"]).items() if k in answer["protocol"]}
    yield from by_key("protocol", protocol, answer["protocol"])
    yield from by_key("metadata", {k: metadata.get(k) for k in answer["metadata"]}, answer["metadata"])
    yield from different("schema", normal.schema(schema_string), answer["schema"])
    if answer["deleted_rows"] is not None:
        vectors = {normal.path(a["path"]): a["deletionVector"]["cardinality"] for a in adds if a.get("deletionVector")}
        yield from by_key("deleted rows", vectors, answer["deleted_rows"])
    yield from by_key("transaction", {t["appId"]: t["version"] for t in snapshot["transactions"]}, answer["transactions"])


def with_duck_files(adds, names, table):
    """DuckDB gives whole paths, and puts the table's folder before absolute paths too, which it decodes twice: of
    these only the number is compared."""
    prefix = f"{table.resolve()}/"
    mine = [normal.path(a["path"]) for a in adds]
    theirs = [name.removeprefix(prefix) for name in names]
    yield from different("number of files", len(mine), len(theirs))
    yield from different("files", sorted(filter(relative, mine)), sorted(filter(relative, theirs)))


def relative(path):
    return "://" not in path and not path.startswith(("/", "file:"))


def snapshots_equal(this, that):
    """Two catalogs of one log: equal but for what names the table there."""
    own = ("table_id", "name", "location", "timestamp_ms")
    yield from by_key("snapshot", {k: v for k, v in this.items() if k not in own},
                      {k: v for k, v in that.items() if k not in own})


def same_but_statistics(this, that):
    """Snapshot and files, once with the commits and once from a checkpoint, which may have fewer statistics; nor does it
    tell whether a file's commit changed data."""
    (snapshot, adds), (other, other_adds) = this, that
    if other["row_count"] is None:
        snapshot = {**snapshot, "row_count": None}
    yield from snapshots_equal(snapshot, other)
    one, two = files_by_key(adds), files_by_key(other_adds)
    for file in (*one.values(), *two.values()):
        file.pop("dataChange", None), file.pop("stats")
    yield from by_key("file", one, two)


def in_commit(snapshot):
    """Other times rest on the files' modification times, which a mirror cannot carry over."""
    return snapshot["metadata"].get("configuration", {}).get("delta.enableInCommitTimestamps") == "true"


def commits_equal(original, mirrored):
    """Two commit files: no action and no field may be lost. The order of actions is free."""
    this, that = (collections.Counter(map(normal.action, read_json(file))) for file in (original, mirrored))
    for text in this - that:
        yield f"{original.name}, lost", text, "not there"
    for text in that - this:
        yield f"{original.name}, new", "not there", text
