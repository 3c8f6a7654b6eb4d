//! Times as text. The core is told the time; it never asks for it.

use chrono::{DateTime, SecondsFormat};

use crate::{Error, Result};

/// The last time that JavaScript's dates reach, in the year 275760; versions after it need room to count on.
pub(crate) const LATEST_TIME_MS: i64 = 8_640_000_000_000_000;

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

/// Milliseconds of an interval as Spark writes it in table properties; `None` when it is none.
///
/// ```
/// use deltalakedb_core::time::parse_interval_ms;
/// assert_eq!(parse_interval_ms("interval 2 days 12 hours"), Some(216_000_000));
/// assert_eq!(parse_interval_ms("soon"), None);
/// ```
pub fn parse_interval_ms(text: &str) -> Option<i64> {
    let lower = text.trim().to_ascii_lowercase();
    let words: Vec<&str> = lower.strip_prefix("interval").unwrap_or(&lower).split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return None;
    }
    let mut ms: i64 = 0;
    for pair in words.chunks(2) {
        let count: i64 = pair[0].trim_matches('\'').parse().ok()?;
        let unit = match pair[1].trim_end_matches('s') {
            "week" => 7 * 24 * 3_600_000,
            "day" => 24 * 3_600_000,
            "hour" => 3_600_000,
            "minute" => 60_000,
            "second" => 1_000,
            "millisecond" => 1,
            _ => return None,
        };
        ms = ms.checked_add(count.checked_mul(unit)?)?;
    }
    (ms >= 0).then_some(ms)
}

/// Milliseconds as an interval for people, in its two largest units.
///
/// ```
/// use deltalakedb_core::time::format_interval_ms;
/// assert_eq!(format_interval_ms(216_000_000), "2 days 12 hours");
/// assert_eq!(format_interval_ms(3_600_001), "1 hour 1 millisecond");
/// assert_eq!(format_interval_ms(0), "0 milliseconds");
/// ```
pub fn format_interval_ms(interval_ms: i64) -> String {
    let mut rest_ms = interval_ms;
    let mut parts = Vec::new();
    for (unit, unit_ms) in
        [("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000), ("millisecond", 1)]
    {
        let count = rest_ms / unit_ms;
        rest_ms %= unit_ms;
        if count != 0 {
            parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
        }
    }
    parts.truncate(2);
    if parts.is_empty() { "0 milliseconds".to_owned() } else { parts.join(" ") }
}
