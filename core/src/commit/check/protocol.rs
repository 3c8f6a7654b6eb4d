//! What may change in a table's protocol.

use crate::action::Protocol;
use crate::table_features::{IMPLIED_FEATURES, check_well_formed, check_writable, has_writer_feature};
use crate::{Error, Result};

pub(super) fn check_protocol(current: &Protocol, new: &Protocol) -> Result<()> {
    if new == current {
        return Ok(());
    }
    check_well_formed(new)?;
    check_writable(new)?;
    for (old, new) in
        [(&current.reader_features, &new.reader_features), (&current.writer_features, &new.writer_features)]
    {
        let kept = new.as_deref().unwrap_or_default();
        if let Some(lost) = old.iter().flatten().find(|feature| !kept.contains(feature)) {
            return Err(Error::invalid(format!("the protocol may not lose the table feature `{lost}`"))
                .hint("drop features with the engine that made the table"));
        }
    }
    if new.min_reader_version < current.min_reader_version || new.min_writer_version < current.min_writer_version {
        return Err(Error::invalid(format!(
            "the protocol may not go down from ({}, {}) to ({}, {})",
            current.min_reader_version, current.min_writer_version, new.min_reader_version, new.min_writer_version
        )));
    }
    let lost = |(feature, _): &&(&str, i64)| has_writer_feature(current, feature) && !has_writer_feature(new, feature);
    if let Some((lost, _)) = IMPLIED_FEATURES.iter().find(lost) {
        return Err(Error::invalid(format!("the protocol may not lose `{lost}`, which the old versions imply"))
            .hint("list the feature in `writerFeatures`"));
    }
    Ok(())
}
