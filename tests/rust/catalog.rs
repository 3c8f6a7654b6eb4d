//! Catalogs to test with, and what is in them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

use deltalakedb_core::action::Action;
use deltalakedb_core::catalog::{MIGRATIONS, Registered, Registration, TableSelector, register};
use deltalakedb_core::commit::Host;
use deltalakedb_core::import::ImportPlanner;
use deltalakedb_core::mirror::{commit_actions, read_commit};
use deltalakedb_core::snapshot::{At, FileCursor, Snapshot, files, snapshot};
use deltalakedb_core::sql::{Batch, Database, DatabaseError, Limits, MaybeSend, ResultSet, Statement};
use deltalakedb_native::database::SqliteDatabase;

use crate::model::{State, key_of_add};

/// Small, so that paging takes part.
const PAGE: usize = 3;

/// A database that says other limits of itself, so that its rows travel in another encoding.
#[derive(Clone)]
pub(crate) struct WithLimits<D>(pub(crate) D, pub(crate) Limits);

impl<D: Database> Database for WithLimits<D> {
    fn batch(&self, batch: Batch) -> impl Future<Output = Result<Vec<ResultSet>, DatabaseError>> + MaybeSend {
        self.0.batch(batch)
    }

    fn limits(&self) -> Limits {
        self.1
    }
}

/// A world in which it is always the same time, and nobody waits.
pub(crate) struct FixedHost {
    pub(crate) now_ms: i64,
}

impl Host for FixedHost {
    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn random(&self) -> f64 {
        0.5
    }

    async fn sleep(&self, _: u64) {}
}

/// An empty catalog in a folder that must outlive it.
pub(crate) fn new_catalog(folder: &tempfile::TempDir) -> SqliteDatabase {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    let path = folder.path().join("catalog.db");
    std::fs::write(&path, EMPTY.get_or_init(migrated)).unwrap();
    SqliteDatabase::open(path).unwrap()
}

/// The file of an empty catalog, which takes longer to make than to copy.
fn migrated() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let database = SqliteDatabase::create(path.clone()).unwrap();
    for migration in MIGRATIONS {
        database.migrate(migration.sql).unwrap();
    }
    // Closed, the database is one file.
    drop(database);
    std::fs::read(path).unwrap()
}

pub(crate) fn named(table: &str) -> TableSelector {
    TableSelector::Named(table.to_owned())
}

/// The id of a commit that has this name in a test.
pub(crate) fn id(name: &str) -> String {
    let mut hash = DefaultHasher::new();
    name.hash(&mut hash);
    format!("00000000-0000-4000-8000-{:012x}", hash.finish() >> 16)
}

/// Registers a table and begins its import.
pub(crate) async fn begin_import(database: &impl Database, table: &str, earliest_version: i64) -> ImportPlanner {
    let registration = Registration {
        import_id: format!("import of {table}"),
        table_id: format!("id of {table}"),
        name: table.to_owned(),
        location: format!("memory:///{table}"),
    };
    match register(database, &registration).await.unwrap() {
        Registered::Begun(key) => ImportPlanner::new(key, registration.import_id, earliest_version, database.limits()),
        Registered::Held(import) => panic!("{import:?} holds {table}"),
    }
}

pub(crate) async fn run(database: &impl Database, batch: Option<Batch>) {
    if let Some(batch) = batch {
        database.batch(batch).await.unwrap();
    }
}

/// A snapshot and the state that it and its files make.
pub(crate) async fn read_state(database: &impl Database, table: &str, at: At) -> (Snapshot, State) {
    let snapshot = snapshot(database, &named(table), at).await.unwrap();
    let mut state = State {
        protocol: Some(snapshot.protocol.clone()),
        metadata: Some(snapshot.metadata.clone()),
        txns: snapshot.transactions.iter().map(|txn| (txn.app_id.clone(), txn.clone())).collect(),
        domains: snapshot.domain_metadata.iter().map(|domain| (domain.domain.clone(), domain.clone())).collect(),
        ..State::default()
    };
    assert_eq!(state.txns.len(), snapshot.transactions.len());
    assert_eq!(state.domains.len(), snapshot.domain_metadata.len());
    let mut cursor = Some(FileCursor::start(&snapshot));
    while let Some(at) = cursor {
        let page = files(database, &snapshot, at, PAGE).await.unwrap();
        assert!(page.files.len() <= PAGE);
        for add in page.files {
            let again = state.files.insert(key_of_add(&add), add);
            assert_eq!(again, None, "a logical file is live once");
        }
        cursor = page.next;
    }
    (snapshot, state)
}

/// The actions of a commit; `None` when it is known from a checkpoint only.
pub(crate) async fn read_actions(database: &impl Database, snapshot: &Snapshot) -> Option<Vec<Action>> {
    let commit = read_commit(database, &snapshot.table, snapshot.version).await.unwrap();
    let mut actions = commit.actions.clone();
    let mut cursor = commit.start();
    while let Some(at) = cursor {
        let (page, next) = commit_actions(database, &commit, at, PAGE).await.unwrap();
        actions.extend(page);
        cursor = next;
    }
    commit.is_known.then_some(actions)
}

/// All rows of all tables of the catalog.
pub(crate) async fn dump(database: &impl Database) -> Vec<ResultSet> {
    let names =
        Statement::new("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'dl%' ORDER BY name", []);
    let names = database.batch(Batch::read(vec![names])).await.unwrap().remove(0).rows;
    let all = names.into_iter().map(|mut name| {
        let name = name.text(0).unwrap();
        let sql = format!("SELECT * FROM {}{}", name, if name == "dl_catalog" { "" } else { " ORDER BY 1, 2" });
        Statement { sql: sql.into(), params: Vec::new() }
    });
    let all: Vec<Statement> = all.filter(|statement| !statement.sql.contains("dl_guard")).collect();
    assert!(all.len() > 10);
    database.batch(Batch::read(all)).await.unwrap()
}
