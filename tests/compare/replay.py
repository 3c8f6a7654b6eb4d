"""The log, replayed naively: every version's state from JSON commits and checkpoints, and nothing clever.

It shares no code with `dl` and reads Parquet through pyarrow, so that the two can only agree by both
following the protocol. It is slow and keeps everything in memory.
"""
import json
import re
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq

COMMIT = re.compile(r"(\d{20})\.json$")
CHECKPOINT = re.compile(
    r"(\d{20})\.checkpoint(?:\.(?P<part>\d{10})\.(?P<parts>\d{10})|\.[0-9a-f]{8}-[0-9a-f-]{27})?\.(?:parquet|json)$")
FILE_ACTIONS = ("add", "remove")


class Log:
    """The files of a `_delta_log` folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.commits, groups = {}, {}
        for file in sorted(self.folder.iterdir()):
            if match := COMMIT.match(file.name):
                self.commits[int(match[1])] = file
            elif match := CHECKPOINT.match(file.name):
                groups.setdefault((int(match[1]), match["parts"]), []).append(file)
        # version -> the checkpoints of that version, each a list of its parts; incomplete ones are none
        self.checkpoints = {}
        for (version, parts), files in groups.items():
            if parts is None:
                self.checkpoints.setdefault(version, []).extend([file] for file in files)
            elif len(files) == int(parts):
                self.checkpoints.setdefault(version, []).append(files)

    @property
    def latest(self):
        return max([*self.commits, *self.checkpoints])

    def earliest(self):
        """The first version from which on nothing is missing."""
        first = self.latest
        while first in self.commits and first - 1 in self.commits:
            first -= 1
        if first == 0 and 0 in self.commits:
            return 0
        # `first`'s own commit needs a state before it, which only a checkpoint right there gives.
        return next(v for v in range(first - 1, self.latest + 1) if v in self.checkpoints)


def read_json(file):
    """Its lines as objects; a number with a fraction stays exact."""
    return [json.loads(line, parse_float=Decimal) for line in file.read_text("utf-8").split("\n") if line.strip()]


def read_parquet(file):
    actions = []
    # Spark writes timestamps as INT96, which by default become nanoseconds and overflow.
    for row in pq.read_table(file, coerce_int96_timestamp_unit="us").to_pylist(maps_as_pydicts="strict"):
        kind, body = next((k, v) for k, v in row.items() if v is not None)
        actions.append({kind: body})
    return actions


def read_checkpoint(files, log_folder):
    actions = []
    for file in files:
        actions += read_json(file) if file.suffix == ".json" else read_parquet(file)
    for action in list(actions):
        if sidecar := action.get("sidecar"):
            actions += read_parquet(log_folder / "_sidecars" / sidecar["path"])
    return actions


def vector_id(vector):
    """The protocol's unique id of a deletion vector."""
    if not vector:
        return None
    offset = vector.get("offset")
    return vector["storageType"] + vector["pathOrInlineDv"] + ("" if offset is None else f"@{offset}")


class State:
    """What a table is at a version."""

    def __init__(self):
        self.files, self.protocol, self.metadata = {}, None, None
        self.from_checkpoint = {}  # keys of the files that only the first checkpoint tells of
        self.transactions, self.domain_metadata = {}, {}
        self.timestamp_ms, self.commit_info, self.added, self.removed = None, None, 0, 0
        self.is_in_commit = False

    def copy(self):
        new = State()
        new.__dict__.update({k: dict(v) if isinstance(v, dict) else v for k, v in self.__dict__.items()})
        return new

    def apply(self, actions):
        self.commit_info, self.added, self.removed = None, 0, 0
        # The order of actions in a commit means nothing: removes first, as one may name an added path.
        for action in actions:
            if remove := action.get("remove"):
                self.removed += 1
                self.files.pop((remove["path"], vector_id(remove.get("deletionVector"))), None)
        for action in actions:
            if add := action.get("add"):
                self.added += 1
                key = add["path"], vector_id(add.get("deletionVector"))
                self.files[key] = add
                self.from_checkpoint.pop(key, None)
            elif protocol := action.get("protocol"):
                self.protocol = protocol
            elif metadata := action.get("metaData"):
                self.metadata = metadata
            elif txn := action.get("txn"):
                self.transactions[txn["appId"]] = txn
            elif domain := action.get("domainMetadata"):
                self.domain_metadata.pop(domain["domain"], None)
                if not domain.get("removed"):
                    self.domain_metadata[domain["domain"]] = domain["configuration"]
            elif info := action.get("commitInfo"):
                self.commit_info = info

    def active_transactions(self, now_ms):
        """Without those that the table's property says have expired."""
        interval = (self.metadata.get("configuration") or {}).get("delta.setTransactionRetentionDuration")
        if interval is None:
            return self.transactions
        words = interval.removeprefix("interval ").split()
        units = {"week": 604_800_000, "day": 86_400_000, "hour": 3_600_000, "minute": 60_000, "second": 1000, "millisecond": 1}
        until = now_ms - sum(int(n) * units[unit.removesuffix("s")] for n, unit in zip(words[::2], words[1::2]))
        return {k: t for k, t in self.transactions.items() if t.get("lastUpdated") is None or t["lastUpdated"] > until}

    def give_way(self, version, to, to_ms):
        """A file's time, which a copy of the folder changes, comes before a later in-commit timestamp."""
        if not self.is_in_commit and self.timestamp_ms is not None:
            self.timestamp_ms = min(self.timestamp_ms, to_ms - (to - version))

    def stamp(self, timestamp_ms):
        """The version's time: in-commit where the table has that, else the file's."""
        configuration = self.metadata.get("configuration") or {}
        if configuration.get("delta.enableInCommitTimestamps") == "true":
            in_commit = (self.commit_info or {}).get("inCommitTimestamp")
            self.is_in_commit = in_commit is not None
            timestamp_ms = in_commit if self.is_in_commit else timestamp_ms
        self.timestamp_ms = timestamp_ms


def file_times(commits):
    """{version: milliseconds}: times of commit files, each later than that of the file before it, as Delta-Spark makes
    them (DeltaHistoryManager.getCommits); also of files before the first version that can be read."""
    times, last = {}, None
    for version in sorted(commits):
        time = commits[version].stat().st_mtime_ns // 1_000_000
        times[version] = last = time if last is None else max(time, last + 1)
    return times


def replay(folder):
    """{version: State} for every version that can be travelled to."""
    log = Log(folder)
    earliest, state, states = log.earliest(), State(), {}
    times = file_times(log.commits)
    for version in range(earliest, log.latest + 1):
        state = state.copy()
        if version == earliest and not (version == 0 and 0 in log.commits):
            state.apply(read_checkpoint(log.checkpoints[version][0], log.folder))
            state.commit_info, state.added, state.removed = None, None, None
            state.from_checkpoint = dict.fromkeys(state.files)
            if version in log.commits:
                info = [a["commitInfo"] for a in read_json(log.commits[version]) if "commitInfo" in a]
                state.commit_info = info[0] if info else None
        else:
            state.apply(read_json(log.commits[version]))
        if version in log.commits:
            previous = states.get(version - 1)
            state.is_in_commit = False
            state.stamp(times[version])
            if state.is_in_commit:
                for earlier, other in states.items():
                    other.give_way(earlier, version, state.timestamp_ms)
            # Never going back, also where a writer broke that rule for in-commit timestamps.
            if previous and previous.timestamp_ms is not None:
                state.timestamp_ms = max(state.timestamp_ms, previous.timestamp_ms + 1)
        states[version] = state
    return states
