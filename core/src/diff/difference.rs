//! What may differ, and how it is told.

use serde::Serialize;

use crate::action::Json;

/// Something that catalog and log do not tell alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What it is about.
    #[serde(flatten)]
    pub item: Item,
    /// Who has it.
    pub found: Found,
    /// Where both have it: the fields that differ.
    pub fields: Vec<FieldDifference>,
}

/// A part of a table's state.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "item", rename_all = "snake_case")]
pub enum Item {
    /// A logical file.
    File {
        /// As in the log.
        path: String,
        /// The unique id of its deletion vector; none without one.
        deletion_vector: Option<String>,
    },
    /// The `protocol`.
    Protocol,
    /// The `metaData`.
    Metadata,
    /// A `txn`.
    Transaction {
        /// The application.
        app_id: String,
    },
    /// A `domainMetadata`.
    Domain {
        /// Its name.
        domain: String,
    },
}

/// Where an item was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The log lacks it.
    CatalogOnly,
    /// The catalog lacks it.
    LogOnly,
    /// Both have it, with other fields.
    Different,
}

/// A field that has two values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldDifference {
    /// Its name, after those of the objects around it, as in `stats.minValues.id`.
    pub field: String,
    /// The catalog's value; none where it has none.
    pub catalog: Option<Json>,
    /// The log's value.
    pub log: Option<Json>,
}

/// How many of each there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Files that the log lacks.
    pub files_in_catalog_only: u64,
    /// Files that the catalog lacks.
    pub files_in_log_only: u64,
    /// Files of other fields.
    pub files_different: u64,
    /// 1 when the protocols differ.
    pub protocol: u64,
    /// 1 when the metadata differ.
    pub metadata: u64,
    /// Applications.
    pub transactions: u64,
    /// Domains.
    pub domains: u64,
}

impl Counts {
    /// Counts a difference.
    pub fn count(&mut self, difference: &Difference) {
        let counter = match (&difference.item, difference.found) {
            (Item::File { .. }, Found::CatalogOnly) => &mut self.files_in_catalog_only,
            (Item::File { .. }, Found::LogOnly) => &mut self.files_in_log_only,
            (Item::File { .. }, Found::Different) => &mut self.files_different,
            (Item::Protocol, _) => &mut self.protocol,
            (Item::Metadata, _) => &mut self.metadata,
            (Item::Transaction { .. }, _) => &mut self.transactions,
            (Item::Domain { .. }, _) => &mut self.domains,
        };
        *counter += 1;
    }

    /// Files that are not alike.
    pub fn files(&self) -> u64 {
        self.files_in_catalog_only + self.files_in_log_only + self.files_different
    }

    /// What is not alike beside files.
    pub fn others(&self) -> u64 {
        self.protocol + self.metadata + self.transactions + self.domains
    }

    /// Whether nothing differs.
    pub fn is_equal(&self) -> bool {
        self.files() == 0 && self.others() == 0
    }
}
