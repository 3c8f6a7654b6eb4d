//! What follows the options in the help of the command line: exit codes, and examples, which a test runs. In lines that an
//! old terminal holds, as folded ones lose their indentation.

/// Of `dl` itself.
pub(super) const DL: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 4 a commit that lost to another one;
of `dl diff` and `dl verify` 2 and 3 tell what they found, and 64 is wrong usage.
Messages go to standard error; with --format json an error is JSON, too.

Begin with:
    dl import --database catalog.db --log-dir /path/to/table/_delta_log
    dl history --database catalog.db
`dl help <command>` tells all options of a command.";

pub(super) const COMMIT: &str = r#"Examples:
  Append a file. It is in the table's folder already; the commit makes it a part
  of the table:

    cat > append.ndjson <<'END'
    {"add":{"path":"part-1.parquet","partitionValues":{},"size":1024,"modificationTime":1704067200000,"dataChange":true}}
    END
    dl commit --database catalog.db --table events --actions append.ndjson

  Remove it, after a look at version 8 for rows with an id above 10. If others
  added or removed such rows since, nothing is committed, and the message says who:

    echo '{"remove":{"path":"part-1.parquet","dataChange":true}}' > delete.ndjson
    dl commit --database catalog.db --table events --actions delete.ndjson \
      --operation DELETE --read-version 8 --read-where "id > 10"

Exit codes:
  0  it is committed, now or before with this --commit-id
  1  it is not committed; where the message says that the answer was lost, it may
     be: send it again with the --commit-id that the message names
  2  wrong usage
  4  it lost to the commit that the message names; nothing was committed"#;

pub(super) const TRANSACTION: &str = r#"The file is one JSON object. An entry of "tables" has
  "table"      name or UUID
  "actions"    an array of actions, such as {"add":{...}}
and may have
  "operation"  such as DELETE; by default WRITE
  "read"       what the transaction looked at in this table, at its "version":
               "whole_table": true, "where": [conditions], "files": [paths];
               and "app_ids": [applications]
  "isolation"  serializable, write-serializable or snapshot
  "database"   the catalog of the table, which must be that of --database
Beside "tables" there may be
  "transaction_id"  a UUID: sent again with it, the transaction happens once
  "begun_at_ms"     when it began, in milliseconds since 1970, for --max-age

Example:

    cat > txn.json <<'END'
    {"tables":[
      {"table":"orders","actions":[
        {"add":{"path":"order-1.parquet","partitionValues":{},"size":1024,"modificationTime":1704067200000,"dataChange":true}}]},
      {"table":"stock","operation":"DELETE","read":{"version":8,"where":["id > 10"]},"actions":[
        {"remove":{"path":"part-1.parquet","dataChange":true}}]}
    ]}
    END
    dl transaction --database catalog.db --file txn.json

Exit codes:
  0  all tables are committed to, now or before with this "transaction_id"
  1  none is; where the message says that the answer was lost, all may be: send
     it again with the "transaction_id" that the message names
  2  wrong usage
  4  in one table it lost to the commit that the message names; nothing was
     committed"#;

pub(super) const SWEEP: &str = r#"A commit of more than 16,384 actions, or of more than 32 MiB, is written to the
catalog piece by piece, and becomes visible at its end. Where its writer died before that, the pieces
stay until a sweep, which may run at any time, beside others.

Examples:
  Once a day, as by cron:

    dl sweep --database catalog.db

  Also what was left by writers that wrote nothing for an hour:

    dl sweep --database catalog.db --older-than 3600

Exit codes: 0 done, whether anything was left or not; 1 failed; 2 wrong usage."#;

pub(super) const DIFF: &str = r#"Compared are the files with all their fields, protocol, metadata, transactions and
domains; and the commits since the log's newest checkpoint, or since the histories
diverge. Numbers are compared by value (1 is 1.0), maps in any order. `dataChange`,
tombstones, expired transactions, and what a checkpoint may leave out are no drift.

The report has the first differences and how many there are; --format ndjson
prints each on a line, then the summary.

Where another writer committed to the log on top of the catalog's history, `dl
import --incremental` takes that in. Where both went on, --resolve decides; stop the
log's other writers first. What loses is kept in `_diverged` beside `_delta_log`, as
the files of a log.

Metrics, labelled with table and target: dl_diff_compared, dl_diff_equal,
dl_diff_drift, dl_diff_diverged, dl_diff_unreadable (each 0 or 1);
dl_diff_lag_seconds; dl_diff_lag_versions; dl_diff_catalog_version,
dl_diff_log_version, dl_diff_compared_version; dl_diff_files_in_catalog_only,
dl_diff_files_in_log_only, dl_diff_files_different; dl_diff_rules_different;
dl_diff_foreign_commits.

Examples:
  Every minute, as by cron, for Prometheus:

    dl diff --database catalog.db --table events --metrics-format prometheus

  Fail when the log is more than five minutes behind:

    dl diff --database catalog.db --table events --lag-threshold-seconds 300

Exit codes:
  0   equal, up to the thresholds
  1   the comparison failed; with --all: of a table
  2   drift: files or other state differ, or the log has commits of others
  3   equal, but the log is behind for longer than its threshold
  64  wrong usage"#;

pub(super) const VERIFY: &str = r#"Each version is read as engines read it: from the newest checkpoint at or before it,
and the commits after. Its files, protocol, metadata, transactions and domains must be
those of the catalog's snapshot, its commit must say the same, and so must every
checkpoint, compacted log, `.crc` and `_last_checkpoint` that is there. Commits that
were cleaned up behind a checkpoint are not missed. --format ndjson prints a line a
version.

Examples:

    dl verify --database catalog.db --table events
    dl verify --database catalog.db --table events --last 1
    dl verify --database catalog.db --table events --version 2..5

Exit codes:
  0   equal, at each version
  1   failed; with --all: for a table
  2   not equal
  64  wrong usage"#;

pub(super) const EXPORT: &str = r#"The copy is a checkpoint, the commit file of that version where the catalog knows it, its
`.crc`, and `_last_checkpoint`. Its history begins at that version. Where a log is already,
nothing is written. Killed, it is finished when it is run again.

Examples:

    dl export --database catalog.db --table events --to copies/events
    dl export --database catalog.db --table events --version 5 --to copies/events-5
    dl export --database catalog.db --all --to copies/all --absolute-paths

Exit codes: 0 done; 1 failed, with --all for a table; 2 wrong usage."#;

pub(super) const BACKUP: &str = r#"A full backup has all pages of the database, an incremental one those that differ from the
backup before it. Each has a number; its manifest, `<number>.json`, is written last and
names its pieces with their hashes. All is read back and compared before the command
says that it is done. The temporary folder needs space for a copy of the catalog.

Examples:

    dl backup --database catalog.db --to backups
    dl backup --database catalog.db --to backups --incremental

Exit codes: 0 done; 1 failed, no backup was made; 2 wrong usage."#;

pub(super) const RESTORE: &str = r#"The catalog is written to a new file, which is there whole or not at all. Logs may be
ahead of it: `dl import --incremental` takes in what they have, `dl diff` compares.

Example:

    dl backup --database catalog.db --to backups
    dl restore --from backups --database restored.db

Exit codes: 0 done; 1 failed, no catalog was made; 2 wrong usage."#;
