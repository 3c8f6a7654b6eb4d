//! The columns of a checkpoint: one an action (protocol section "Checkpoint Schema").

use std::sync::Arc;

use arrow_array::{ArrayRef, StructArray};
use arrow_schema::{DataType, Field, Fields};

use super::fields::{Boolean, Column, Columns, Integer, Long, Struct, Tags, Text, TextList, TextMap, columns};
use super::fields::{DeletionVectorColumns, FormatColumns};
use super::form::CheckpointForm;
use super::kept::{UnknownFields, WHOLE_ACTION, has_unknown_fields, whole_action};
use super::parsed::ParsedColumn;
use super::partition_values::PartitionValuesColumn;
use crate::action::{Action, Add, DomainMetadata, Metadata, Protocol, Remove, Txn};

columns! {
    TxnColumns of Txn {
        app_id "appId": Text = |txn| Some(txn.app_id.as_str()),
        version "version": Long = |txn| Some(txn.version),
        last_updated "lastUpdated": Long = |txn| txn.last_updated,
    }
}

columns! {
    MetadataColumns of Metadata {
        id "id": Text = |metadata| Some(metadata.id.as_str()),
        name "name": Text = |metadata| metadata.name.as_deref(),
        description "description": Text = |metadata| metadata.description.as_deref(),
        format "format": Struct<FormatColumns> = |metadata| Some(&metadata.format),
        schema_string "schemaString": Text = |metadata| metadata.schema_string.as_deref(),
        partition_columns "partitionColumns": TextList = |metadata| Some(&metadata.partition_columns),
        created_time "createdTime": Long = |metadata| metadata.created_time,
        configuration "configuration": TextMap = |metadata| Some(&metadata.configuration),
    }
}

columns! {
    ProtocolColumns of Protocol {
        min_reader_version "minReaderVersion": Integer = |protocol| protocol.min_reader_version.try_into().ok(),
        min_writer_version "minWriterVersion": Integer = |protocol| protocol.min_writer_version.try_into().ok(),
        reader_features "readerFeatures": TextList = |protocol| protocol.reader_features.as_ref(),
        writer_features "writerFeatures": TextList = |protocol| protocol.writer_features.as_ref(),
    }
}

columns! {
    DomainMetadataColumns of DomainMetadata {
        domain "domain": Text = |domain| Some(domain.domain.as_str()),
        configuration "configuration": Text = |domain| Some(domain.configuration.as_str()),
        removed "removed": Boolean = |domain| Some(domain.removed),
    }
}

columns! {
    /// Without `stats` and `tags`, which checkpoints do not have of removed files.
    RemoveColumns of Remove {
        path "path": Text = |remove| Some(remove.path.as_str()),
        deletion_timestamp "deletionTimestamp": Long = |remove| remove.deletion_timestamp,
        data_change "dataChange": Boolean = |remove| Some(remove.data_change),
        extended_file_metadata "extendedFileMetadata": Boolean = |remove| remove.extended_file_metadata,
        partition_values "partitionValues": TextMap = |remove| remove.partition_values.as_ref(),
        size "size": Long = |remove| remove.size,
        deletion_vector "deletionVector": Struct<DeletionVectorColumns> = |remove| remove.deletion_vector.as_ref(),
        base_row_id "baseRowId": Long = |remove| remove.base_row_id,
        default_row_commit_version "defaultRowCommitVersion": Long = |remove| remove.default_row_commit_version,
    }
}

columns! {
    /// Without those that hang on the table's properties.
    AddColumns of Add {
        path "path": Text = |add| Some(add.path.as_str()),
        partition_values "partitionValues": TextMap = |add| Some(&add.partition_values),
        size "size": Long = |add| Some(add.size),
        modification_time "modificationTime": Long = |add| Some(add.modification_time),
        data_change "dataChange": Boolean = |add| Some(add.data_change),
        tags "tags": Tags = |add| add.tags.as_ref(),
        deletion_vector "deletionVector": Struct<DeletionVectorColumns> = |add| add.deletion_vector.as_ref(),
        base_row_id "baseRowId": Long = |add| add.base_row_id,
        default_row_commit_version "defaultRowCommitVersion": Long = |add| add.default_row_commit_version,
        clustering_provider "clusteringProvider": Text = |add| add.clustering_provider.as_deref(),
    }
}

/// The column of one action under construction; no row of it is null.
pub(super) struct ActionColumn {
    pub(super) name: &'static str,
    values: Values,
    /// The column [`WHOLE_ACTION`].
    whole: Option<Text>,
}

enum Values {
    Txn(TxnColumns),
    Add(Box<AddValues>),
    Remove(Box<RemoveColumns>),
    Metadata(Box<MetadataColumns>),
    Protocol(Box<ProtocolColumns>),
    DomainMetadata(DomainMetadataColumns),
}

impl ActionColumn {
    /// The columns of a file of a checkpoint; those of the V2 spec have the others elsewhere.
    pub(super) fn all(form: &CheckpointForm, unknown_fields: UnknownFields) -> Vec<ActionColumn> {
        let add = Values::Add(Box::new(AddValues::new(form)));
        let mut columns = vec![("add", add), ("remove", Values::Remove(Box::default()))];
        if !form.has_sidecars() {
            columns.splice(0..0, [("txn", Values::Txn(TxnColumns::default()))]);
            columns.push(("metaData", Values::Metadata(Box::default())));
            columns.push(("protocol", Values::Protocol(Box::default())));
            columns.push(("domainMetadata", Values::DomainMetadata(DomainMetadataColumns::default())));
        }
        let whole = || (unknown_fields == UnknownFields::Kept).then(Text::default);
        columns.into_iter().map(|(name, values)| ActionColumn { name, values, whole: whole() }).collect()
    }

    pub(super) fn field(&self) -> Field {
        Field::new(self.name, DataType::Struct(self.fields()), true)
    }

    fn fields(&self) -> Fields {
        let mut fields = match &self.values {
            Values::Txn(_) => TxnColumns::fields(),
            Values::Add(values) => values.fields(),
            Values::Remove(_) => RemoveColumns::fields(),
            Values::Metadata(_) => MetadataColumns::fields(),
            Values::Protocol(_) => ProtocolColumns::fields(),
            Values::DomainMetadata(_) => DomainMetadataColumns::fields(),
        };
        fields.extend(self.whole.iter().map(|_| Field::new(WHOLE_ACTION, Text::data_type(), true)));
        fields.into()
    }

    /// Appends an action of this column's name; another one leaves it as it is.
    pub(super) fn append(&mut self, action: &Action) {
        let stats_as_json = match &self.values {
            Values::Add(values) => values.stats.is_some(),
            _ => true,
        };
        match (&mut self.values, action) {
            (Values::Txn(columns), Action::Txn(txn)) => columns.append(Some(txn)),
            (Values::Add(values), Action::Add(add)) => values.append(add),
            (Values::Remove(columns), Action::Remove(remove)) => columns.append(Some(remove)),
            (Values::Metadata(columns), Action::Metadata(metadata)) => columns.append(Some(metadata)),
            (Values::Protocol(columns), Action::Protocol(protocol)) => columns.append(Some(protocol)),
            (Values::DomainMetadata(columns), Action::DomainMetadata(domain)) => columns.append(Some(domain)),
            _ => return,
        }
        if let Some(whole) = &mut self.whole {
            let text = has_unknown_fields(action).then(|| whole_action(action, stats_as_json));
            whole.append(text.as_deref());
        }
    }

    /// The rows so far, and begins anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let mut columns = match &mut self.values {
            Values::Txn(columns) => columns.finish(),
            Values::Add(values) => values.finish(),
            Values::Remove(columns) => columns.finish(),
            Values::Metadata(columns) => columns.finish(),
            Values::Protocol(columns) => columns.finish(),
            Values::DomainMetadata(columns) => columns.finish(),
        };
        columns.extend(self.whole.as_mut().map(Column::finish));
        Arc::new(StructArray::new(self.fields(), columns, None))
    }
}

const STATS: &str = "stats";

/// The columns of `add`.
struct AddValues {
    columns: AddColumns,
    stats: Option<Text>,
    stats_parsed: Option<ParsedColumn>,
    partition_values_parsed: Option<PartitionValuesColumn>,
}

impl AddValues {
    fn new(form: &CheckpointForm) -> Self {
        AddValues {
            columns: AddColumns::default(),
            stats: form.stats_as_json.then(Text::default),
            stats_parsed: form.stats_parsed.as_ref().map(ParsedColumn::new),
            partition_values_parsed: form.partition_values_parsed.as_ref().map(PartitionValuesColumn::new),
        }
    }

    fn fields(&self) -> Vec<Field> {
        let mut fields = AddColumns::fields();
        fields.extend(self.stats.iter().map(|_| Field::new(STATS, Text::data_type(), true)));
        let parsed = self.partition_values_parsed.iter();
        fields.extend(parsed.map(|values| Field::new("partitionValues_parsed", values.data_type(), true)));
        fields.extend(self.stats_parsed.iter().map(|column| Field::new("stats_parsed", column.data_type(), true)));
        fields
    }

    fn append(&mut self, add: &Add) {
        self.columns.append(Some(add));
        if let Some(stats) = &mut self.stats {
            stats.append(add.stats.as_deref());
        }
        if let Some(values) = &mut self.partition_values_parsed {
            values.append(add);
        }
        if let Some(column) = &mut self.stats_parsed {
            column.append_json(add.stats.as_deref());
        }
    }

    fn finish(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.columns.finish();
        columns.extend(self.stats.as_mut().map(Column::finish));
        columns.extend(self.partition_values_parsed.as_mut().map(PartitionValuesColumn::finish));
        columns.extend(self.stats_parsed.as_mut().map(ParsedColumn::finish));
        columns
    }
}
