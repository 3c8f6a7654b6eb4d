//! Times as text. The core is told the time; it never asks for it.

use chrono::{DateTime, SecondsFormat};

use crate::{Error, Result};

/// Milliseconds since the epoch as RFC 3339 in UTC; as a number where no calendar reaches.
///
/// ```
/// assert_eq!(deltalakedb_core::time::format_ms(1_704_067_200_000), "2024-01-01T00:00:00.000Z");
/// ```
pub fn format_ms(timestamp_ms: i64) -> String {
    DateTime::from_timestamp_millis(timestamp_ms)
        .map_or_else(|| format!("{timestamp_ms} ms"), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Milliseconds since the epoch from RFC 3339, a date, a date and time in UTC, or a number of milliseconds.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) when it is none of them.
///
/// ```
/// use deltalakedb_core::time::parse_ms;
/// assert_eq!(parse_ms("2024-01-01T01:00:00+01:00")?, 1_704_067_200_000);
/// assert_eq!(parse_ms("2024-01-01")?, 1_704_067_200_000);
/// assert_eq!(parse_ms("1704067200000")?, 1_704_067_200_000);
/// assert!(parse_ms("yesterday").is_err());
/// # Ok::<(), deltalakedb_core::Error>(())
/// ```
pub fn parse_ms(text: &str) -> Result<i64> {
    use chrono::{NaiveDate, NaiveDateTime};
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_millis());
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Ok(time.and_utc().timestamp_millis());
        }
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis());
    }
    Err(Error::invalid(format!("`{}` is not a time", text.chars().take(60).collect::<String>()))
        .hint("write 2024-01-31T12:00:00Z, 2024-01-31, or milliseconds since 1970"))
}
