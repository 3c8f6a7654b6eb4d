//! The port to a SQL database, and what goes through it.
//!
//! All catalog I/O is [`Database::batch`]: statements with parameters in, result sets out, wholly or not
//! at all. There is no interactive transaction, because D1 has none and a held one is what slows peers.

mod batch;
mod database;
mod page;
mod rows;
mod value;

pub use batch::{Access, Batch, ResultSet, Row, Statement};
pub use database::{Database, DatabaseError, Limits, MaybeSend, RowsEncoding, SegmentSizes};
pub use page::PageStart;
pub(crate) use rows::{RowSource, Rows, with_rows};
pub use value::Value;
