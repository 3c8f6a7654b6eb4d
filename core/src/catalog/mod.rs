//! The tables of a catalog: finding, registering and forgetting them; migrations.

mod migrations;
mod register;
mod table;

pub use migrations::{MIGRATIONS, Migration, catalog_id, catalog_version, plan_migrations};
pub use register::{Registered, Registration, TakenOver, UnfinishedImport, register, take_over};
pub(crate) use table::{MATCHING_TABLE, chosen_table, latest_version, one_table, plan_drop, quoted};
pub use table::{Table, TableSelector, drop_published_table, drop_table, find_table, list_tables};
