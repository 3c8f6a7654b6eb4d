//! Checkpoints: a version's state in Parquet (protocol sections "Checkpoints" and "Checkpoint Schema").
//!
//! [`CheckpointForm::of`] says in which form a table wants them, [`CheckpointWriter`] divides a stream of actions into
//! the files of that form. A host puts the files into the log, and last the one that names the others, if one does.

mod actions;
mod delta_schema;
mod fields;
mod file;
mod form;
mod kept;
mod leaf;
mod parsed;
mod part_of;
mod partition_values;
mod stats_parsed;
#[cfg(test)]
mod tests;
mod v2;

pub(crate) use delta_schema::delta_schema;
pub use file::CheckpointSummary;
pub use form::{CheckpointFiles, CheckpointForm, PART_SIZE};
pub use kept::{UnknownFields, WHOLE_ACTION, has_unknown_fields};
pub(crate) use leaf::has_room;
pub use v2::{content_id, v2_checkpoint};

use std::io::Write;

use file::FileWriter;
use part_of::part_of;

use crate::action::Action;
use crate::{Error, ErrorKind, Result};

/// What the files that are being written hold in memory together, about.
const MEMORY_BYTES: usize = 64 << 20;

/// The files of a checkpoint, written at the same time or one after the other.
pub struct CheckpointWriter<W: Write + Send> {
    form: CheckpointForm,
    unknown_fields: UnknownFields,
    sink: Box<dyn FnMut() -> Result<W> + Send>,
    open: Vec<FileWriter<W>>,
    written: Vec<(W, CheckpointSummary)>,
    other_actions: Vec<Action>,
}

/// The files of a written checkpoint.
pub struct WrittenCheckpoint<W> {
    /// Each with what is in it: the only file, the parts in order, or the sidecars.
    pub files: Vec<(W, CheckpointSummary)>,
    /// With sidecars, the actions that are not in them.
    pub other_actions: Vec<Action>,
}

impl<W: Write + Send> CheckpointWriter<W> {
    /// A writer of files of this form into sinks that `sink` makes.
    ///
    /// # Errors
    /// Those of `sink`; [`Unavailable`](ErrorKind::Unavailable) when the sink fails.
    pub fn new(
        form: CheckpointForm,
        unknown_fields: UnknownFields,
        sink: impl FnMut() -> Result<W> + Send + 'static,
    ) -> Result<Self> {
        let mut writer = CheckpointWriter {
            form,
            unknown_fields,
            sink: Box::new(sink),
            open: Vec::new(),
            written: Vec::new(),
            other_actions: Vec::new(),
        };
        let at_once = match writer.form.files {
            CheckpointFiles::Single => 1,
            CheckpointFiles::MultiPart { parts } => parts,
            // A table without files has none.
            CheckpointFiles::Sidecars { .. } => 0,
        };
        (0..at_once).try_for_each(|_| writer.begin_file())?;
        Ok(writer)
    }

    /// Writes some actions. Their number is what memory grows with.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when a sink fails; [`Corrupt`](ErrorKind::Corrupt) for an action that the
    /// protocol's columns have no room for; [`Invalid`](ErrorKind::Invalid) for one that no checkpoint holds.
    pub fn write(&mut self, actions: &[Action]) -> Result<()> {
        match self.form.files {
            CheckpointFiles::Single => self.open.iter_mut().try_for_each(|file| file.write(actions))?,
            CheckpointFiles::MultiPart { .. } => self.write_to_parts(actions)?,
            CheckpointFiles::Sidecars { actions: limit } => self.write_to_sidecars(actions, limit)?,
        }
        let share = MEMORY_BYTES / self.open.len().max(1);
        self.open.iter_mut().try_for_each(|file| file.flush_if_over(share))
    }

    fn write_to_parts(&mut self, actions: &[Action]) -> Result<()> {
        let mut by_part: Vec<Vec<&Action>> = vec![Vec::new(); self.open.len()];
        for action in actions {
            let part = part_of(action, by_part.len(), self.form.has_deletion_vectors);
            by_part[part].push(action);
        }
        self.open.iter_mut().zip(by_part).try_for_each(|(file, actions)| file.write(actions))
    }

    fn write_to_sidecars(&mut self, actions: &[Action], limit: u64) -> Result<()> {
        let is_of_file = |action: &&Action| matches!(action, Action::Add(_) | Action::Remove(_));
        let mut of_files: Vec<&Action> = actions.iter().filter(is_of_file).collect();
        self.other_actions.extend(actions.iter().filter(|action| !is_of_file(action)).cloned());
        while !of_files.is_empty() {
            if self.open.last().is_none_or(|file| file.actions() >= limit) {
                self.finish_files()?;
                self.begin_file()?;
            }
            let Some(file) = self.open.last_mut() else { break };
            let room = usize::try_from(limit - file.actions()).unwrap_or(usize::MAX);
            let rest = of_files.split_off(room.min(of_files.len()));
            file.write(of_files)?;
            of_files = rest;
        }
        Ok(())
    }

    fn begin_file(&mut self) -> Result<()> {
        let sink = (self.sink)()?;
        self.open.push(FileWriter::new(sink, &self.form, self.unknown_fields)?);
        Ok(())
    }

    fn finish_files(&mut self) -> Result<()> {
        for file in self.open.drain(..) {
            self.written.push(file.finish()?);
        }
        Ok(())
    }

    /// Writes the footers and gives the sinks back.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when a sink fails.
    pub fn finish(mut self) -> Result<WrittenCheckpoint<W>> {
        self.finish_files()?;
        Ok(WrittenCheckpoint { files: self.written, other_actions: self.other_actions })
    }
}

impl<W> WrittenCheckpoint<W> {
    /// The add actions of all files.
    pub fn add_files(&self) -> i64 {
        self.files.iter().map(|(_, summary)| summary.add_files).sum()
    }

    /// The actions in files.
    pub fn actions(&self) -> i64 {
        self.files.iter().map(|(_, summary)| summary.actions).sum()
    }

    /// Bytes of all files.
    pub fn size_in_bytes(&self) -> i64 {
        self.files.iter().map(|(_, summary)| summary.size_in_bytes).sum()
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unavailable, format!("writing a checkpoint: {error}"))
        .hint("check the space on the disk; nothing was published, run the mirror again")
}
