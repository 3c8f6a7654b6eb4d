//! What must hold of added files and only the catalog can tell: guards of the batch, and the same questions once more
//! when one of them does not hold.

use std::collections::HashSet;

use crate::action::{Action, Add};
use crate::catalog::quoted;
use crate::sql::{Batch, Database, Limits, ResultSet, Row, RowSource, Rows, Statement, Value, with_rows};
use crate::table_features::{assigns_row_ids, has_writer_feature, is_append_only};
use crate::{Error, Result};

use super::check::{other_spellings, unusual_path, unusual_vector};
use super::intent::rows;
use super::large::statements as large;
use super::plan::Part;

/// A guard's name, the guard, and a query for the first row that breaks it: the columns of the rows, and what is wrong
/// with a row `r`, of which the path is the first. ?1 table.
macro_rules! rule {
    ($name:literal, $columns:literal, $wrong:literal) => {
        Rule {
            name: $name,
            guard: concat!(
                "WITH rows (",
                $columns,
                ") AS ({rows})\nINSERT INTO dl_guard (guard) SELECT '",
                $name,
                "' WHERE EXISTS (\n  SELECT 1 FROM rows r WHERE ",
                $wrong,
                ")"
            ),
            broken_by: concat!(
                "WITH rows (",
                $columns,
                ") AS ({rows})\nSELECT r.* FROM rows r WHERE ",
                $wrong,
                " LIMIT 1"
            ),
        }
    };
}

struct Rule {
    name: &'static str,
    guard: &'static str,
    broken_by: &'static str,
}

/// A path that no commit may bring in is one that the table has or had; so is a vector, for the same file.
const UNUSUAL_PATH: Rule = rule!(
    "unusual_path",
    "path, dv_id",
    "NOT EXISTS (
       SELECT 1 FROM dl_add_files f WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = coalesce(r.dv_id, f.dv_id))"
);

/// A file is live under one spelling of its path; imports may have brought in more.
const OTHER_SPELLING: Rule = rule!(
    "other_spelling",
    "path, spelling",
    "EXISTS (SELECT 1 FROM dl_add_files f WHERE f.table_id = ?1 AND f.path = r.spelling AND f.removed_version IS NULL)
     AND NOT EXISTS (SELECT 1 FROM dl_add_files f WHERE f.table_id = ?1 AND f.path = r.path AND f.removed_version IS NULL)"
);

/// While row tracking is suspended no ids are assigned; a file may keep those that it has or had.
const ROW_IDS_NOT_OWN: Rule = rule!(
    "row_ids_not_own",
    "path, base_row_id, default_row_commit_version",
    "NOT EXISTS (
       SELECT 1 FROM dl_add_files f WHERE f.table_id = ?1 AND f.path = r.path
         AND (r.base_row_id IS NULL OR f.base_row_id = r.base_row_id)
         AND (r.default_row_commit_version IS NULL OR f.default_row_commit_version = r.default_row_commit_version))"
);

/// A path that comes again keeps its ids: so many as rows had got them. Those after them belong to other files.
const MORE_ROWS: Rule = rule!(
    "more_rows",
    "path, row_count",
    "r.row_count > (
       SELECT max(g.row_count + coalesce(json_extract(g.deletion_vector, '$.cardinality'), 0)) FROM dl_add_files f
       CROSS JOIN dl_add_files g ON g.table_id = ?1 AND g.path = r.path AND g.base_row_id = f.base_row_id
       WHERE f.file_id = (SELECT max(l.file_id) FROM dl_add_files l WHERE l.table_id = ?1 AND l.path = r.path))"
);

/// What takes the place of a live file may be without some of its rows.
const LIVE_FILE_REPLACED: Rule = rule!(
    "live_file_replaced",
    "path",
    "EXISTS (
       SELECT 1 FROM dl_add_files f WHERE f.table_id = ?1 AND f.path = r.path AND f.removed_version IS NULL)"
);

/// An append-only table loses no rows by a commit that says that it changes no data: one that adds nothing removes files
/// without rows.
const ROWS_LOST: Rule = rule!(
    "rows_lost",
    "path, dv_id",
    "EXISTS (
       SELECT 1 FROM dl_add_files f WHERE f.table_id = ?1 AND f.path = r.path AND f.dv_id = r.dv_id
         AND f.removed_version IS NULL AND f.row_count IS NOT 0)"
);

/// The rules that a commit could break, each with the files in question.
fn rules(part: &Part<'_>) -> Vec<(&'static Rule, RowSource)> {
    let (metadata, protocol) = part.leaves();
    let mut rules = vec![(&UNUSUAL_PATH, part.unusual_files().rows()), (&OTHER_SPELLING, spellings(part))];
    if assigns_row_ids(metadata, protocol) {
        rules.push((
            &MORE_ROWS,
            added(part, large::ADDED_ROWS, |add| Some([add.path.as_str().into(), add.num_records().into()])),
        ));
    } else if has_writer_feature(protocol, "rowTracking") {
        rules.push((
            &ROW_IDS_NOT_OWN,
            added(part, large::GIVEN_ROW_IDS, |add| {
                let (base_row_id, version) = (add.base_row_id, add.default_row_commit_version);
                (base_row_id.is_some() || version.is_some())
                    .then(|| [add.path.as_str().into(), base_row_id.into(), version.into()])
            }),
        ));
    }
    if is_append_only(&part.state.metadata, &part.state.protocol) {
        rules.push((&ROWS_LOST, removed_without_trace(part)));
        rules.push((
            &LIVE_FILE_REPLACED,
            added(part, large::NEW_DATA, |add| add.data_change.then(|| [add.path.as_str().into()])),
        ));
    }
    rules
}

/// Added files with the other spellings of their path.
fn spellings(part: &Part<'_>) -> RowSource {
    match &part.staged {
        Some(staged) if staged.has_other_spellings => {
            RowSource::Stored { sql: large::OTHER_SPELLINGS, key: staged.key }
        }
        Some(_) => Rows::new(2).into(),
        None => {
            let adds = part.request.actions.iter().filter_map(|action| match action {
                Action::Add(add) => Some(&add.path),
                _ => None,
            });
            let pairs = adds.flat_map(|path| {
                other_spellings(path).into_iter().map(move |spelling| [path.as_str().into(), spelling.into()])
            });
            rows(pairs).into()
        }
    }
}

/// Files that are removed as if no data changed, by a commit that adds none which could have their rows.
fn removed_without_trace(part: &Part<'_>) -> RowSource {
    if let Some(staged) = &part.staged {
        return match staged.totals.added_count == 0 && !staged.removes_data {
            true => RowSource::Stored { sql: large::REMOVED, key: staged.key },
            false => Rows::new(2).into(),
        };
    }
    let actions = &part.request.actions;
    let adds = actions.iter().any(|action| matches!(action, Action::Add(_)));
    let removes = actions.iter().filter_map(|action| match action {
        Action::Remove(remove) if !adds && !remove.data_change => {
            Some([remove.path.as_str().into(), remove.dv_id().into()])
        }
        _ => None,
    });
    rows(removes).into()
}

fn added<const N: usize>(
    part: &Part<'_>,
    staged_rows: &'static str,
    row: impl Fn(&Add) -> Option<[Value; N]>,
) -> RowSource {
    if let Some(staged) = &part.staged {
        return RowSource::Stored { sql: staged_rows, key: staged.key };
    }
    let adds = part.request.actions.iter().filter_map(|action| match action {
        Action::Add(add) => row(add),
        _ => None,
    });
    rows(adds).into()
}

/// The guards on added files, before they are written.
pub(super) fn added_guards(part: &Part<'_>, limits: &Limits) -> Vec<Statement> {
    let fixed = [part.state.table.key.into()];
    rules(part).into_iter().flat_map(|(rule, rows)| with_rows(limits, rule.guard, &fixed, rows)).collect()
}

/// Why the guard of that name does not hold.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid), naming the file; those of the database.
pub(super) async fn check_added(database: &impl Database, part: &Part<'_>, guard: &str) -> Result<()> {
    let table = &part.state.table;
    for (rule, rows) in rules(part).into_iter().filter(|(rule, _)| rule.name == guard) {
        let queries = with_rows(&database.limits(), rule.broken_by, &[table.key.into()], rows);
        let results: Vec<ResultSet> = database.batch(Batch::read(queries)).await?;
        if let Some(mut row) = results.into_iter().flat_map(|result| result.rows).next() {
            let path = row.text(0)?;
            let error = broken(part, rule, &path, &mut row)?.path(path).table(&table.name);
            return Err(error.context(format!("committing to table {}", quoted(&table.name))));
        }
    }
    Ok(())
}

fn broken(part: &Part<'_>, rule: &Rule, path: &str, row: &mut Row) -> Result<Error> {
    let file = quoted(path);
    Ok(match rule.name {
        "other_spelling" => Error::invalid(format!(
            "the path {file} is one file with {}, which the table has: its rows would be there twice",
            quoted(&row.text(1)?)
        ))
        .hint("spell a file as in its first `add`, and write new rows to a file of another name"),
        "rows_lost" => Error::invalid(format!(
            "the table is append-only (delta.appendOnly), and nothing that the commit adds could have the rows of {file}"
        ))
        .hint("commit a rewritten file together with those that have its rows now"),
        "row_ids_not_own" => {
            Error::invalid(format!("{file} has row ids that are not its own, while row tracking is suspended"))
                .hint("leave out `baseRowId` and `defaultRowCommitVersion`, or take delta.rowTrackingSuspended away")
        }
        "more_rows" => Error::invalid(format!(
            "{file} comes again with more rows than it had: it keeps its row ids, and those after them are of other rows"
        ))
        .hint("write the rows to a file of another name, and remove this one"),
        "live_file_replaced" => Error::invalid(format!(
            "the table is append-only (delta.appendOnly), and {file} is in it already: its rows may not be replaced"
        ))
        .hint("write new rows to a file of another name; new statistics or tags go with `dataChange` false"),
        _ => {
            let dv_id = row.optional_text(1)?;
            let unusual = part.unusual_files();
            let unusual = unusual.0.iter().find(|unusual| unusual.path == path && unusual.dv_id == dv_id);
            unusual.map_or_else(|| Error::invalid(format!("the table never had {file}")), |unusual| unusual.wrong.clone())
        }
    })
}

/// Added files that no commit may bring in, unless the table has or had them.
#[derive(Clone, Debug, Default)]
pub(super) struct UnusualFiles(Vec<Unusual>);

/// A path that no commit may bring in, or a deletion vector.
#[derive(Clone, Debug)]
struct Unusual {
    path: String,
    /// Of the vector.
    dv_id: Option<String>,
    wrong: Error,
}

impl UnusualFiles {
    /// Of added files; what the commit removes is in the table.
    pub(super) fn of(actions: &[Action], location: &str, operation: &str) -> Self {
        let mut removed: Option<HashSet<&str>> = None;
        let mut is_removed = |path: &str| {
            let removes = actions.iter().filter_map(|action| match action {
                Action::Remove(remove) => Some(remove.path.as_str()),
                _ => None,
            });
            removed.get_or_insert_with(|| removes.collect()).contains(path)
        };
        let mut unusual = Vec::new();
        for action in actions {
            let Action::Add(add) = action else { continue };
            let path = &add.path;
            if let Some(wrong) = unusual_path(path, location, operation).filter(|_| !is_removed(path)) {
                unusual.push(Unusual { path: path.clone(), dv_id: None, wrong });
            }
            let vector = add.deletion_vector.as_ref();
            if let Some(wrong) = vector.and_then(|vector| unusual_vector(vector, location, operation)) {
                let wrong = wrong.context(format!("checking {}", quoted(path)));
                unusual.push(Unusual { path: path.clone(), dv_id: Some(add.dv_id()), wrong });
            }
        }
        UnusualFiles(unusual)
    }

    pub(super) fn extend(&mut self, more: UnusualFiles) {
        self.0.extend(more.0);
    }

    fn rows(&self) -> RowSource {
        rows(self.0.iter().map(|file| [file.path.as_str().into(), file.dv_id.clone().into()])).into()
    }
}
