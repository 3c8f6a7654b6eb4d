//! Single values as texts have them: exact numbers, dates and times. Literals of predicates, partition
//! values and statistics share these readers.

mod number;
mod time;

pub use number::{Scaled, parse_scaled};
pub use time::{Instant, Zone, parse_date, parse_instant};

/// A value of a primitive type.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Scalar {
    /// Of a `boolean`.
    Boolean(bool),
    /// Of a `byte`, `short`, `integer` or `long`.
    Integer(i64),
    /// Of a `decimal`: `unscaled` divided by ten to the power of `scale`.
    Decimal {
        /// All digits.
        unscaled: i128,
        /// How many of them are right of the point.
        scale: u8,
    },
    /// Of a `float`.
    Float(f32),
    /// Of a `double`.
    Double(f64),
    /// Of a `string`.
    String(String),
    /// Of a `binary`.
    Binary(Vec<u8>),
    /// Of a `date`: days since 1970-01-01.
    Date(i32),
    /// Of a `timestamp`; the zone says how well the instant is known.
    Timestamp(Instant),
    /// Of a `timestamp_ntz`: microseconds since 1970-01-01 00:00:00 on the same clock.
    TimestampNtz(i64),
}
