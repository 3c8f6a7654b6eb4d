"""Tables made from finished ones by editing their logs: what no writer makes on purpose."""
import base64
import json
import shutil
import struct

import pyarrow.parquet as pq

Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
RFC1924 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
BUCKET = "s3://bucket/a%20folder/source"


def copy(tables, source, name, ignore=("*.crc",)):
    """Without checksums: an edited log disagrees with them, and they are in the other tables."""
    shutil.copytree(tables / source, tables / name, ignore=shutil.ignore_patterns(*ignore))
    return tables / name


def log_file(table, version, suffix=".json"):
    return table / "_delta_log" / f"{version:020}{suffix}"


def read_commit(table, version):
    return [json.loads(line) for line in log_file(table, version).read_text().splitlines()]


def write_commit(table, version, actions):
    text = "".join(json.dumps(a, ensure_ascii=False, separators=(",", ":")) + "\n" for a in actions)
    log_file(table, version).write_text(text)


def drop_commits(table, before):
    """What log cleanup leaves: nothing before the checkpoint."""
    for file in [*(table / "_delta_log").glob("0*"), *(table / "_delta_log/_sidecars").glob("0*")]:
        if int(file.name[:20]) < before:
            file.unlink()


def last_checkpoint(tables):
    """`_last_checkpoint` is a hint: without it, or with a wrong one, the table is the same."""
    (copy(tables, "classic-checkpoint", "last-checkpoint-missing") / "_delta_log/_last_checkpoint").unlink()
    for kind, text in {
        "stale": '{"version":3,"size":4}',
        "corrupt": '{"version":6,"si',
        "empty": "",
        "ahead": '{"version":99,"size":4}',
        "wrong-parts": '{"version":6,"size":4,"parts":7}',
    }.items():
        table = copy(tables, "classic-checkpoint", f"last-checkpoint-{kind}")
        (table / "_delta_log/_last_checkpoint").write_text(text)
    table = copy(tables, "cleaned-up-v2-checkpoint-parquet", "last-checkpoint-missing-v2")
    (table / "_delta_log/_last_checkpoint").unlink()


def cleaned_up(tables):
    for source in ["classic-checkpoint", "classic-checkpoint-delta-rs", "multi-part-checkpoint", "v2-checkpoint-json",
                   "v2-checkpoint-parquet", "v2-checkpoint-many-features", "struct-stats-only",
                   "struct-stats-partitioned", "deletion-vectors", "in-commit-timestamps-later",
                   "transactions", "partition-values", "column-mapping-name"]:
        name = f"cleaned-up-{source}"
        table = copy(tables, source, name)
        newest = max(int(f.name[:20]) for f in (table / "_delta_log").glob("0*.checkpoint*"))
        drop_commits(table, newest)
    # The hint points to a checkpoint that is gone with the beginning; a later one is there.
    table = copy(tables, "cleaned-up-classic-checkpoint", "cleaned-up-last-checkpoint-stale")
    (table / "_delta_log/_last_checkpoint").write_text('{"version":3,"size":4}')
    # Only the checkpoint is left: not even the commit of its own version.
    log_file(copy(tables, "partition-types-delta-rs", "checkpoint-alone-delta-rs"), 0).unlink()
    table = copy(tables, "struct-and-json-stats", "checkpoint-alone")
    newest = max(int(f.name[:20]) for f in (table / "_delta_log").glob("0*.checkpoint*"))
    drop_commits(table, newest)
    for file in (table / "_delta_log").glob("0*"):
        if "checkpoint" not in file.name:
            file.unlink()


def v2_checkpoint_classic_name(tables):
    """The protocol allows a V2 checkpoint under the classic name."""
    table = copy(tables, "cleaned-up-v2-checkpoint-parquet", "v2-checkpoint-classic-name")
    newest = max((table / "_delta_log").glob("*.checkpoint.*.parquet"))
    newest.rename(log_file(table, int(newest.name[:20]), ".checkpoint.parquet"))
    (table / "_delta_log/_last_checkpoint").unlink()


def incomplete_multi_part(tables):
    """A part is missing, but the commits are all there: the checkpoint is passed over."""
    table = copy(tables, "multi-part-checkpoint", "multi-part-incomplete")
    max((table / "_delta_log").glob("*.checkpoint.*")).unlink()


def corrupt_checkpoint_with_commits(tables):
    """The newest checkpoint is garbage, an older one and all commits are good."""
    table = copy(tables, "classic-checkpoint", "corrupt-checkpoint-with-commits")
    newest = max((table / "_delta_log").glob("*.checkpoint.parquet"))
    newest.write_bytes(b"PAR1 this is no Parquet file PAR1")


def z85(data):
    data += bytes(-len(data) % 4)
    return base64.b85encode(data).decode().translate(str.maketrans(RFC1924, Z85))


def inline_deletion_vectors(tables):
    """The vectors of a table, moved from their files into the log."""
    table = copy(tables, "deletion-vectors", "deletion-vectors-inline")
    for file in (table / "_delta_log").glob("*"):
        if file.suffix == ".parquet" or file.suffix == ".crc" or file.name == "_last_checkpoint":
            file.unlink()
    files = list(table.glob("*.bin"))

    def inline(vector):
        for bin_file in files:
            data = bin_file.read_bytes()
            at = vector["offset"]
            size = struct.unpack(">i", data[at:at + 4])[0]
            uuid = vector["pathOrInlineDv"][-20:].translate(str.maketrans(Z85, RFC1924))
            if base64.b85decode(uuid).hex() == bin_file.stem.removeprefix("deletion_vector_").replace("-", ""):
                return {"storageType": "i", "pathOrInlineDv": z85(data[at + 4:at + 4 + size]),
                        "sizeInBytes": size, "cardinality": vector["cardinality"]}
        raise LookupError(vector)

    for version in range(len(list((table / "_delta_log").glob("*.json")))):
        actions = read_commit(table, version)
        for action in actions:
            for file_action in (action.get("add"), action.get("remove")):
                if file_action and file_action.get("deletionVector"):
                    file_action["deletionVector"] = inline(file_action["deletionVector"])
        write_commit(table, version, actions)
    for bin_file in files:
        bin_file.unlink()


def shallow_clone(tables):
    """The clone's files lie in another place, which must not be a folder of the machine that ran this."""
    table = tables / "shallow-clone"
    # Checkpoint and checksum hold the place too. The commits alone say the same.
    for file in (table / "_delta_log").glob("*"):
        if file.suffix != ".json":
            file.unlink()
    for file in (table / "_delta_log").glob("*.json"):
        text = file.read_text()
        for place in (f"{tables}/clone source", f"{tables}/clone%20source"):
            text = text.replace(f"file://{place}", BUCKET).replace(f"file:{place}", BUCKET).replace(place, BUCKET)
        file.write_text(text)
    shutil.rmtree(tables / "clone source")


def absolute_paths(tables):
    """Absolute paths of several kinds, some of them escaped."""
    table = copy(tables, "json-commits", "absolute-paths")
    actions = read_commit(table, 1)
    adds = [a for a in actions if "add" in a]
    for path in ["s3://bucket/other%20table/part-0.parquet", "file:///data/t/part-1.parquet",
                 "abfss://c@account.dfs.core.windows.net/t/x=%2520/part-2.parquet", "/data/t/part-3.parquet"]:
        adds.append({"add": {**adds[0]["add"], "path": path}})
    write_commit(table, 1, [a for a in actions if "add" not in a] + adds)


def unknown(tables):
    """Actions and fields of a future Delta, with numbers that no double holds."""
    table = copy(tables, "json-commits", "unknown-actions-and-fields")
    actions = read_commit(table, 1)
    for action in actions:
        if "add" in action:
            action["add"].update({
                "futureId": 9223372036854775807, "futureList": [9007199254740993, {"deep": None}],
                "tags": {"a tag": "value", "empty": "", "null": None}})
        if "commitInfo" in action:
            action["commitInfo"].update({"futureNumber": 9007199254740993, "futureNull": None, "empty": {}})
    actions += [{"futureAction": {"id": 9007199254740993, "text": "line\nbreak \u0000 😀"}},
                {"futureAction": {"id": 2}}, {"futureList": [1, 2]}, {"txn": {
                    "appId": "app", "version": 9007199254740993, "lastUpdated": 1700000000000, "future": "kept"}}]
    write_commit(table, 1, actions)
    # Decimals as a JSON library would round them: written as text, so nothing here rounds them.
    file = log_file(table, 1)
    file.write_text(file.read_text().replace(
        '{"futureAction":{"id":2}}',
        '{"futureAction":{"id":2,"exact":12345678901234567890.123456789012345678,"tiny":1e-30,"big":1E400,"zero":-0.0}}'))
    actions = read_commit(table, 0)
    for action in actions:
        if "metaData" in action:
            action["metaData"]["futureField"] = {"big": 18446744073709551615}
        if "protocol" in action:
            action["protocol"]["futureField"] = True
    write_commit(table, 0, actions)


def unknown_table_feature(tables):
    """A reader feature of a future Delta: which files the table has can be told, committing is refused."""
    table = copy(tables, "json-commits", "unknown-table-feature")
    actions = read_commit(table, 2)
    actions.append({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7,
                                 "readerFeatures": ["futureFeature"], "writerFeatures": ["futureFeature"]}})
    write_commit(table, 2, actions)


def odd_commit_files(tables):
    """A commit whose lines come in an unusual order, with blank lines and CRLF ends."""
    table = copy(tables, "json-commits", "odd-commit-files")
    for version in range(5):
        lines = log_file(table, version).read_text().splitlines()
        log_file(table, version).write_bytes("\r\n".join([*reversed(lines), "", ""]).encode())
    lines = log_file(table, 4).read_text().splitlines()
    log_file(table, 4).write_text("\n".join(line for line in lines if line))  # whole, without a last newline
    # Files that are none of the log's business.
    for name in ["00000000000000000003.json.tmp", "1.json", "readme.txt", "00000000000000000002.json.bak",
                 "00000000000000000002.0f7a3d5e-8f5b-4a59-93c0-2f3f4c5d6e7f.json.tmp"]:
        (table / "_delta_log" / name).write_text("not a commit")


def statistics_added_again(tables):
    """Live files are added again, with other statistics and tags: they replace themselves."""
    table = copy(tables, "json-commits", "statistics-added-again")
    add = next(a["add"] for a in read_commit(table, 0) if "add" in a)
    again = {**add, "dataChange": False, "tags": {"again": "1"}}
    live = next(a["add"] for a in read_commit(table, 4) if "add" in a)
    write_commit(table, 5, [{"commitInfo": {"operation": "COMPUTE STATS", "timestamp": 1700000000000}},
                            {"add": {**live, "dataChange": False, "stats": '{"numRecords":1}'}},
                            {"add": again}])


# Broken on purpose: name -> (error kind, a part of the message).

BROKEN = {}
NO_DATA = ("*.crc", "part-*")


def broken(kind, fragment):
    def register(function):
        BROKEN[function.__name__.replace("_", "-")] = (kind, fragment, function)
        return function
    return register


@broken("corrupt", "metaData")
def no_metadata(t):
    write_commit(t, 0, [a for a in read_commit(t, 0) if "metaData" not in a])


@broken("corrupt", "protocol")
def no_protocol(t):
    write_commit(t, 0, [a for a in read_commit(t, 0) if "protocol" not in a])


@broken("corrupt", "2")
def gap_in_versions(t):
    log_file(t, 2).unlink()


@broken("corrupt", "0")
def no_version_0(t):
    """The beginning is gone, and there is no checkpoint."""
    log_file(t, 0).unlink()


@broken("unsupported", "99")
def reader_version_99(t):
    actions = read_commit(t, 0)
    for action in actions:
        if "protocol" in action:
            action["protocol"]["minReaderVersion"] = 99
    write_commit(t, 0, actions)


@broken("corrupt", "00000000000000000002.json")
def truncated_line(t):
    """A line in the middle ends early; the lines after it are whole."""
    lines = log_file(t, 2).read_text().splitlines()
    lines[0] = lines[0][:len(lines[0]) // 2]
    log_file(t, 2).write_text("\n".join(lines) + "\n")


@broken("corrupt", "00000000000000000004.json")
def torn_last_commit(t):
    """The newest commit ends inside its last line, without a newline."""
    data = log_file(t, 4).read_bytes().rstrip()
    log_file(t, 4).write_bytes(data[:-20])


@broken("corrupt", "00000000000000000002.json")
def garbage_commit(t):
    log_file(t, 2).write_bytes(b"\x00\xff\xfe not a commit \x80\n")


@broken("corrupt", "00000000000000000002.json")
def line_not_an_object(t):
    log_file(t, 2).write_text('[1, 2]\n')


@broken("corrupt", "path")
def add_without_a_path(t):
    actions = read_commit(t, 2)
    for action in actions:
        action.get("add", {}).pop("path", None)
    write_commit(t, 2, actions)


@broken("corrupt", "size")
def add_with_a_text_size(t):
    actions = read_commit(t, 2)
    for action in actions:
        if "add" in action:
            action["add"]["size"] = "many"
    write_commit(t, 2, actions)


@broken("corrupt", "schemaString")
def schema_not_json(t):
    actions = read_commit(t, 0)
    for action in actions:
        if "metaData" in action:
            action["metaData"]["schemaString"] = '{"type":"struct","fields":'
    write_commit(t, 0, actions)


@broken("not_found", "_delta_log")
def empty_log(t):
    for file in (t / "_delta_log").iterdir():
        file.unlink()
    (t / "_delta_log" / ".gitkeep").write_text("")


@broken("not_found", "_delta_log")
def no_log(t):
    shutil.rmtree(t / "_delta_log")
    (t / "a-file.txt").write_text("no table here\n")


def _only_checkpoint(t, tables, source):
    shutil.rmtree(t)
    copy(tables, source, t.relative_to(tables), NO_DATA)
    return max((t / "_delta_log").glob("*.checkpoint*"))


@broken("corrupt", "00000000000000000006.checkpoint.parquet")
def garbage_checkpoint(t, tables):
    _only_checkpoint(t, tables, "cleaned-up-classic-checkpoint").write_bytes(b"this is no Parquet file")


@broken("corrupt", "00000000000000000006.checkpoint.parquet")
def truncated_checkpoint(t, tables):
    file = _only_checkpoint(t, tables, "cleaned-up-classic-checkpoint")
    file.write_bytes(file.read_bytes()[:-100])


@broken("corrupt", "00000000000000000006.checkpoint.parquet")
def damaged_checkpoint(t, tables):
    """The footer is good, a page is not."""
    file = _only_checkpoint(t, tables, "cleaned-up-classic-checkpoint")
    data = bytearray(file.read_bytes())
    for at in range(4, len(data) // 2):
        data[at] = 0xAA
    file.write_bytes(data)


@broken("corrupt", "checkpoint")
def missing_part(t, tables):
    _only_checkpoint(t, tables, "cleaned-up-multi-part-checkpoint").unlink()


@broken("corrupt", "_sidecars")
def missing_sidecar(t, tables):
    file = _only_checkpoint(t, tables, "cleaned-up-v2-checkpoint-parquet")
    sidecars = [s["path"] for s in pq.read_table(file).column("sidecar").to_pylist() if s]
    (t / "_delta_log/_sidecars" / sidecars[-1]).unlink()


def edit(tables):
    """All tables of this file, from those that the writers made, which lie in `tables`."""
    shallow_clone(tables)
    cleaned_up(tables)
    last_checkpoint(tables)
    v2_checkpoint_classic_name(tables)
    incomplete_multi_part(tables)
    corrupt_checkpoint_with_commits(tables)
    inline_deletion_vectors(tables)
    absolute_paths(tables)
    unknown(tables)
    unknown_table_feature(tables)
    odd_commit_files(tables)
    statistics_added_again(tables)
    (tables / "broken").mkdir()
    for name, (kind, fragment, function) in BROKEN.items():
        folder = copy(tables, "json-commits", f"broken/{name}", NO_DATA)
        function(*[folder, tables][:function.__code__.co_argcount])
        (tables / "broken" / f"{name}.expected").write_text(f"{kind} {fragment}\n")
