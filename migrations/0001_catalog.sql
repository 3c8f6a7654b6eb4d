-- The catalog: a Delta table's log in SQL.
--
-- `version` is a Delta version everywhere. Ids inside are integers; UUIDs and names stay in dl_tables.
-- A version_id is (table_id << 40) + 1 + the version, which is -1 for what a checkpoint of version 0 holds; a file_id or
-- remove_id is (table_id << 40) + a counter. So the rows of a table lie side by side and grow with the version, and the
-- actions of one version are one range of ids (dl_table_versions has its bounds).
-- Columns that hold JSON say so; they keep the text of the action, numbers included, as it was written.

CREATE TABLE dl_migrations (
  version       INTEGER PRIMARY KEY,
  name          TEXT NOT NULL,
  applied_at_ms INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER) * 1000)
);

-- One row: which catalog this is. Its copies have the same id.
CREATE TABLE dl_catalog (
  catalog_id TEXT NOT NULL
);
INSERT INTO dl_catalog (catalog_id) VALUES (lower(hex(randomblob(16))));

CREATE TABLE dl_tables (
  table_id         INTEGER PRIMARY KEY AUTOINCREMENT,
  table_uuid       TEXT NOT NULL UNIQUE,
  name             TEXT NOT NULL UNIQUE,
  location         TEXT NOT NULL UNIQUE,  -- URL of the table's folder, without a slash at its end
  earliest_version INTEGER,               -- the first version that can be read
  rules_version    INTEGER NOT NULL DEFAULT 0,  -- the last version that changed metadata or protocol
  import_id        TEXT,                  -- set while an import writes the table: no reader sees it then
  import_batches   INTEGER NOT NULL DEFAULT 0  -- batches that the import has written: its sign of life
);

-- One row a version: what its commit said of itself, and the table's totals after it. A table is at the version of its
-- last row, and the ids of the next version's actions begin where that row's end.
CREATE TABLE dl_table_versions (
  version_id              INTEGER PRIMARY KEY,
  table_id                INTEGER NOT NULL,
  version                 INTEGER NOT NULL,
  timestamp_ms            INTEGER NOT NULL,  -- strictly increasing with the version
  commit_id               TEXT,              -- of an imported commit its txnId
  commit_digest           TEXT,              -- of what the writer sent with that id; NULL for a commit that was not made here
  commit_info             TEXT,              -- JSON
  commit_known            INTEGER NOT NULL,  -- 0: known from a checkpoint only, the commit's own actions are not
  added_files             INTEGER NOT NULL,
  removed_files           INTEGER NOT NULL,
  first_file_id           INTEGER NOT NULL,  -- its add actions: first_file_id <= file_id < end_file_id
  end_file_id             INTEGER NOT NULL,
  first_remove_id         INTEGER NOT NULL,  -- its remove actions, likewise
  end_remove_id           INTEGER NOT NULL,
  file_count              INTEGER NOT NULL,  -- live files
  size_bytes              INTEGER NOT NULL,
  row_count               INTEGER NOT NULL,  -- of the files whose number of rows is known
  files_without_row_count INTEGER NOT NULL,
  CONSTRAINT version_in_range CHECK (version_id = (table_id << 40) + 1 + version AND version_id >> 40 = table_id),
  -- A sum beyond 64 bits would become a floating-point number.
  CONSTRAINT totals_in_range CHECK (file_count >= 0 AND size_bytes >= 0 AND row_count >= 0
    AND typeof(size_bytes) = 'integer' AND typeof(row_count) = 'integer' AND typeof(timestamp_ms) = 'integer')
);
CREATE UNIQUE INDEX dl_table_versions_commit_id ON dl_table_versions (commit_id, table_id) WHERE commit_id IS NOT NULL;

-- One row an add action. A file is in the snapshot of version V when
-- version <= V AND (removed_version IS NULL OR removed_version > V).
-- Rows with a version before the table's earliest one are the state that its history begins with.
CREATE TABLE dl_add_files (
  file_id                    INTEGER PRIMARY KEY,
  table_id                   INTEGER NOT NULL,
  version                    INTEGER NOT NULL,
  removed_version            INTEGER,
  path                       TEXT NOT NULL,             -- as in the log, escapes included
  dv_id                      TEXT NOT NULL DEFAULT '',  -- unique id of the deletion vector, '' without one
  size                       INTEGER NOT NULL,
  modification_time          INTEGER NOT NULL,
  data_change                INTEGER NOT NULL,
  row_count                  INTEGER,                   -- numRecords less the rows in the deletion vector
  partition_values           TEXT NOT NULL,             -- JSON
  stats                      TEXT,                      -- JSON
  deletion_vector            TEXT,                      -- JSON
  tags                       TEXT,                      -- JSON
  base_row_id                INTEGER,
  default_row_commit_version INTEGER,
  clustering_provider        TEXT,
  extra                      TEXT,                      -- JSON: fields that the protocol does not name
  -- A sum beyond 64 bits would become a floating-point number.
  CONSTRAINT row_ids_in_range CHECK (base_row_id IS NULL OR typeof(base_row_id) = 'integer')
);
-- Not only over live files: closing an interval then writes no index entry.
CREATE UNIQUE INDEX dl_add_files_path ON dl_add_files (table_id, path, dv_id, version);

-- Segments: most of dl_add_files once more, by columns, so that long lists are read fast. They hold nothing that the rows do
-- not: deleted, they are made again. A segment has the rows of a range of file ids; the rows after the last segment's are in
-- none yet.
CREATE TABLE dl_segment_state (
  table_id            INTEGER PRIMARY KEY,
  generation          INTEGER NOT NULL,  -- of all that is written of the table's segments
  end_file_id         INTEGER NOT NULL,  -- rows from this one on are in no segment
  as_of_version       INTEGER NOT NULL,  -- files that were removed by this version or before are known as such
  as_of_end_file_id   INTEGER NOT NULL,  -- that version's, as in dl_table_versions
  as_of_end_remove_id INTEGER NOT NULL
);

CREATE TABLE dl_segments (
  segment_id           INTEGER PRIMARY KEY,  -- (table_id << 40) + the generation that wrote it
  first_file_id        INTEGER NOT NULL,
  end_file_id          INTEGER NOT NULL,
  file_count           INTEGER NOT NULL,
  live_count           INTEGER NOT NULL,     -- files that were not removed
  written_live_count   INTEGER NOT NULL,     -- the same when it was written
  first_version        INTEGER NOT NULL,     -- of its files
  last_removed_version INTEGER NOT NULL,     -- -1 when none was removed
  file_blocks          TEXT NOT NULL         -- JSON: the number of the first file of each of its blocks
);

-- name is `keys` (ids, versions, partition values), `files` (paths, sizes and so on; several blocks), or a column's physical
-- path as JSON (what statistics say of it). data is a stream of Arrow's IPC format.
CREATE TABLE dl_segment_chunks (
  segment_id INTEGER NOT NULL,
  name       TEXT NOT NULL,
  block      INTEGER NOT NULL,
  zone       TEXT,  -- JSON: what is known of the column in all the segment's files
  data       BLOB,
  PRIMARY KEY (segment_id, name, block)
) WITHOUT ROWID;

CREATE TABLE dl_remove_files (
  remove_id          INTEGER PRIMARY KEY,
  table_id           INTEGER NOT NULL,
  version            INTEGER NOT NULL,
  path               TEXT NOT NULL,
  dv_id              TEXT NOT NULL DEFAULT '',
  deletion_timestamp INTEGER,
  action             TEXT NOT NULL  -- JSON
);

CREATE TABLE dl_metadata_updates (
  table_id INTEGER NOT NULL,
  version  INTEGER NOT NULL,
  metadata TEXT NOT NULL,  -- JSON
  PRIMARY KEY (table_id, version)
) WITHOUT ROWID;

CREATE TABLE dl_protocol_updates (
  table_id INTEGER NOT NULL,
  version  INTEGER NOT NULL,
  protocol TEXT NOT NULL,  -- JSON
  PRIMARY KEY (table_id, version)
) WITHOUT ROWID;

CREATE TABLE dl_txn_actions (
  table_id    INTEGER NOT NULL,
  app_id      TEXT NOT NULL,
  version     INTEGER NOT NULL,
  txn_version INTEGER NOT NULL,
  txn         TEXT NOT NULL,  -- JSON
  PRIMARY KEY (table_id, app_id, version)
) WITHOUT ROWID;
CREATE INDEX dl_txn_actions_version ON dl_txn_actions (table_id, version);

CREATE TABLE dl_domain_metadata (
  table_id        INTEGER NOT NULL,
  domain          TEXT NOT NULL,
  version         INTEGER NOT NULL,
  removed         INTEGER NOT NULL,
  domain_metadata TEXT NOT NULL,  -- JSON
  PRIMARY KEY (table_id, domain, version)
) WITHOUT ROWID;
CREATE INDEX dl_domain_metadata_version ON dl_domain_metadata (table_id, version);

CREATE TABLE dl_cdc_files (
  table_id INTEGER NOT NULL,
  version  INTEGER NOT NULL,
  ordinal  INTEGER NOT NULL,
  action   TEXT NOT NULL,  -- JSON
  PRIMARY KEY (table_id, version, ordinal)
) WITHOUT ROWID;

-- Actions that the protocol does not name: kept, and written out again.
CREATE TABLE dl_unknown_actions (
  table_id INTEGER NOT NULL,
  version  INTEGER NOT NULL,
  ordinal  INTEGER NOT NULL,
  name     TEXT NOT NULL,
  action   TEXT NOT NULL,  -- JSON
  PRIMARY KEY (table_id, version, ordinal)
) WITHOUT ROWID;

-- Commits that are larger than one batch may be: their file actions come by pieces, which no reader sees, and one last
-- batch copies them to the tables above.
CREATE TABLE dl_large_commits (
  large_commit_id INTEGER PRIMARY KEY AUTOINCREMENT,
  table_id        INTEGER NOT NULL REFERENCES dl_tables (table_id),
  commit_id       TEXT,              -- NULL when it was begun anew
  begun_ms        INTEGER NOT NULL,
  written_ms      INTEGER NOT NULL,  -- its client's last sign of life
  action_count    INTEGER NOT NULL,
  is_over         INTEGER NOT NULL   -- 1: committed or given up, its rows are to be deleted
);
CREATE UNIQUE INDEX dl_large_commits_commit_id ON dl_large_commits (table_id, commit_id);

-- A file_key is (large_commit_id << 40) + a counter. The columns are those of dl_add_files and dl_remove_files.
CREATE TABLE dl_large_commit_files (
  file_key                   INTEGER PRIMARY KEY,
  large_commit_id            INTEGER NOT NULL,
  name                       TEXT NOT NULL,     -- add, remove or cdc
  ordinal                    INTEGER NOT NULL,  -- among the actions of the name
  path                       TEXT,
  dv_id                      TEXT,
  size                       INTEGER,
  modification_time          INTEGER,
  data_change                INTEGER,
  row_count                  INTEGER,
  partition_values           TEXT,              -- JSON
  stats                      TEXT,              -- JSON
  deletion_vector            TEXT,              -- JSON
  tags                       TEXT,              -- JSON
  base_row_id                INTEGER,
  default_row_commit_version INTEGER,
  clustering_provider        TEXT,
  extra                      TEXT,              -- JSON
  rows_before                INTEGER,           -- in the added files before this one
  other_spellings            TEXT,              -- JSON: paths that engines write for the added file, too; mostly NULL
  deletion_timestamp         INTEGER,
  action                     TEXT               -- JSON of a remove or cdc
);
CREATE UNIQUE INDEX dl_large_commit_files_path ON dl_large_commit_files (large_commit_id, name, path);

-- Processes that mirror all the time. Each adds to its beats as long as it lives: one whose beats stand still is dead, by
-- anybody's clock.
CREATE TABLE dl_mirror_daemons (
  daemon_id INTEGER PRIMARY KEY AUTOINCREMENT,
  name      TEXT NOT NULL,  -- for people: machine and process
  process   TEXT NOT NULL,  -- for processes beside it: which one it is, and whether it is gone
  beats     INTEGER NOT NULL
);

-- One row a target of a table: a folder in whose _delta_log its versions are published.
CREATE TABLE dl_mirror_status (
  table_id           INTEGER NOT NULL REFERENCES dl_tables (table_id),
  target             TEXT NOT NULL,  -- URL of the folder, without a slash at its end
  daemon_id          INTEGER,        -- who holds its lease: none when there is no such daemon
  version            INTEGER,        -- all versions up to this one are in the target
  checkpoint_version INTEGER,
  published_at_ms    INTEGER,        -- when the version was
  failures           INTEGER NOT NULL DEFAULT 0,  -- attempts that failed since the last one that did not
  last_error         TEXT,           -- JSON; NULL when the last attempt did not fail
  updated_at_ms      INTEGER NOT NULL,
  PRIMARY KEY (table_id, target)
) WITHOUT ROWID;

-- Always empty. A batch inserts the name of a guard here when its condition does not hold: the check
-- that bears the name then fails, and with it the whole batch.
CREATE TABLE dl_guard (
  guard TEXT NOT NULL,
  CONSTRAINT import_superseded      CHECK (guard <> 'import_superseded'),
  CONSTRAINT version_moved          CHECK (guard <> 'version_moved'),
  CONSTRAINT commit_id_used         CHECK (guard <> 'commit_id_used'),
  CONSTRAINT rules_changed          CHECK (guard <> 'rules_changed'),
  CONSTRAINT concurrent_append      CHECK (guard <> 'concurrent_append'),
  CONSTRAINT concurrent_delete_read CHECK (guard <> 'concurrent_delete_read'),
  CONSTRAINT removed_file_not_live  CHECK (guard <> 'removed_file_not_live'),
  CONSTRAINT path_added_again       CHECK (guard <> 'path_added_again'),
  CONSTRAINT path_known             CHECK (guard <> 'path_known'),
  CONSTRAINT row_ids_missing        CHECK (guard <> 'row_ids_missing'),
  CONSTRAINT row_ids_in_range       CHECK (guard <> 'row_ids_in_range'),
  CONSTRAINT schema_not_restored    CHECK (guard <> 'schema_not_restored'),
  CONSTRAINT concurrent_transaction CHECK (guard <> 'concurrent_transaction'),
  CONSTRAINT large_commit_not_found CHECK (guard <> 'large_commit_not_found'),
  CONSTRAINT added_and_removed      CHECK (guard <> 'added_and_removed'),
  CONSTRAINT path_kept              CHECK (guard <> 'path_kept'),
  CONSTRAINT unusual_path           CHECK (guard <> 'unusual_path'),
  CONSTRAINT row_ids_not_own        CHECK (guard <> 'row_ids_not_own'),
  CONSTRAINT row_ids_overlap        CHECK (guard <> 'row_ids_overlap'),
  CONSTRAINT more_rows              CHECK (guard <> 'more_rows'),
  CONSTRAINT live_file_replaced     CHECK (guard <> 'live_file_replaced'),
  CONSTRAINT rows_lost              CHECK (guard <> 'rows_lost'),
  CONSTRAINT other_spelling         CHECK (guard <> 'other_spelling'),
  CONSTRAINT physical_name_used     CHECK (guard <> 'physical_name_used'),
  CONSTRAINT file_not_restored      CHECK (guard <> 'file_not_restored'),
  CONSTRAINT commits_unpublished    CHECK (guard <> 'commits_unpublished'),
  CONSTRAINT segments_moved         CHECK (guard <> 'segments_moved'),
  CONSTRAINT known_guard CHECK (guard IN ('import_superseded', 'version_moved', 'commit_id_used',
    'rules_changed', 'concurrent_append', 'concurrent_delete_read', 'removed_file_not_live', 'path_added_again', 'path_known',
    'row_ids_missing', 'row_ids_in_range', 'schema_not_restored', 'concurrent_transaction', 'large_commit_not_found',
    'added_and_removed', 'path_kept', 'unusual_path', 'row_ids_not_own', 'row_ids_overlap', 'more_rows',
    'live_file_replaced', 'rows_lost', 'other_spelling', 'physical_name_used', 'file_not_restored',
    'commits_unpublished', 'segments_moved'))
);

INSERT INTO dl_migrations (version, name) VALUES (1, 'catalog');
