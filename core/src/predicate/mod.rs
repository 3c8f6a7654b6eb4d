//! stub
#![allow(missing_docs, dead_code)]
pub struct Predicate;
pub struct FileView<'a> { pub partition_values: &'a std::collections::BTreeMap<String, Option<String>>, pub stats: Option<&'a str>, pub has_deletion_vector: bool }
impl Predicate { pub fn parse(_: &str, _: &crate::schema::Schema) -> crate::Result<Self> { Ok(Predicate) } pub fn may_match(&self, _: &FileView) -> bool { true } }
