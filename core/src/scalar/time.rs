use chrono::{Datelike, NaiveDate};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// The days from 0001-01-01, which chrono counts from as day 1, to 1970-01-01.
const EPOCH_FROM_COMMON_ERA: i32 = 719_163;

/// What a timestamp's text says about its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Nothing; `micros` are on a clock that is not known.
    Unknown,
    /// `Z`; `micros` are in UTC.
    Utc,
    /// An offset, which was taken off; `micros` are in UTC.
    Offset,
}

/// A date and time of day, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Microseconds since 1970-01-01 00:00:00.
    pub micros: i64,
    /// On whose clock.
    pub zone: Zone,
    /// Whether the text had digits other than zero under the microsecond, which were cut off.
    pub is_cut: bool,
}

/// Reads `2024-01-31`, also `2024-1-31`, as days since 1970-01-01; years 0 to 9999.
///
/// ```
/// use deltalakedb_core::scalar::parse_date;
/// assert_eq!(parse_date("1970-01-02"), Some(1));
/// assert_eq!(parse_date("2023-02-29"), None);
/// ```
pub fn parse_date(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let year = number(parts.next()?, 4, 4)?;
    let month = number(parts.next()?, 1, 2)?;
    let day = number(parts.next()?, 1, 2)?;
    if parts.next().is_some() {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year as i32, month, day)?;
    Some(date.num_days_from_ce() - EPOCH_FROM_COMMON_ERA)
}

/// Reads `2024-01-31 12:30:00.25`, ISO 8601 with `T` and `Z` or an offset, or a date alone (midnight).
///
/// ```
/// use deltalakedb_core::scalar::{Zone, parse_instant};
/// let instant = parse_instant("1970-01-01T01:00:00.000001+01:00").unwrap();
/// assert_eq!((instant.micros, instant.zone), (1, Zone::Offset));
/// assert_eq!(parse_instant("1970-01-01 00:00:01").unwrap().zone, Zone::Unknown);
/// assert_eq!(parse_instant("1970-01-01 25:00:00"), None);
/// ```
pub fn parse_instant(text: &str) -> Option<Instant> {
    let Some((date, rest)) = text.split_once(['T', ' ']) else {
        let micros = i64::from(parse_date(text)?) * SECONDS_PER_DAY * MICROS_PER_SECOND;
        return Some(Instant { micros, zone: Zone::Unknown, is_cut: false });
    };
    let days = i64::from(parse_date(date)?);
    let (time, zone, offset_seconds) = split_zone(rest)?;
    let (time, fraction) = time.split_once('.').map_or((time, None), |(time, fraction)| (time, Some(fraction)));
    let mut parts = time.split(':');
    let hour = number(parts.next()?, 1, 2)?;
    let minute = number(parts.next()?, 2, 2)?;
    let second = parts.next().map_or(Some(0), |second| number(second, 2, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, is_cut) = match fraction {
        Some(fraction) => parse_fraction(fraction)?,
        None => (0, false),
    };
    let seconds = days * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second) - offset_seconds;
    Some(Instant { micros: seconds * MICROS_PER_SECOND + micros, zone, is_cut })
}

/// The time of day, and what comes after it.
fn split_zone(text: &str) -> Option<(&str, Zone, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, Zone::Utc, 0));
    }
    let Some(at) = text.find(['+', '-']) else {
        return Some((text, Zone::Unknown, 0));
    };
    let offset = &text[at + 1..];
    let (hours, minutes) = match offset.split_once(':') {
        Some(parts) => parts,
        None if offset.len() == 4 && offset.is_ascii() => offset.split_at(2),
        None => (offset, "00"),
    };
    let (hours, minutes) = (number(hours, 2, 2)?, number(minutes, 2, 2)?);
    if hours > 18 || minutes > 59 {
        return None;
    }
    let seconds = i64::from(hours * 3600 + minutes * 60);
    let seconds = if text.as_bytes()[at] == b'-' { -seconds } else { seconds };
    Some((&text[..at], Zone::Offset, seconds))
}

/// Microseconds from the digits after the point.
fn parse_fraction(digits: &str) -> Option<(i64, bool)> {
    if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digit = |index| digits.as_bytes().get(index).map_or(0, |byte| i64::from(byte - b'0'));
    let micros = (0..6).fold(0, |sum, index| sum * 10 + digit(index));
    Some((micros, digits.bytes().skip(6).any(|byte| byte != b'0')))
}

/// A number of `min` to `max` digits and nothing else.
fn number(text: &str, min: usize, max: usize) -> Option<u32> {
    let proper = (min..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if proper { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{parse_date, parse_instant};

    #[test]
    fn dates() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("1969-12-31", Some(-1)),
            ("2024-2-9", Some(19762)),
            ("0001-01-01", Some(-719162)),
            ("9999-12-31", Some(2932896)),
            ("2024-02-30", None),
            ("24-02-01", None),
            ("2024-02", None),
            ("2024-02-01-", None),
            ("-2024-02-01", None),
            ("2024-02-01 ", None),
            ("", None),
        ];
        for (text, days) in cases {
            assert_eq!(parse_date(text), days, "{text}");
        }
    }

    #[test]
    fn instants() {
        let cases = [
            ("1970-01-01 00:00:00", Some(0)),
            ("1970-01-01 00:00:00.5", Some(500_000)),
            ("1970-01-01T00:00:00.123456Z", Some(123_456)),
            ("1970-01-01T00:00:00.123456999Z", Some(123_456)),
            ("1970-01-01T00:00Z", Some(0)),
            ("1970-01-01T00:00:01-08:00", Some(28_801_000_000)),
            ("1970-01-01T00:00:00+0530", Some(-19_800_000_000)),
            ("1970-01-01 00:00:00+01", Some(-3_600_000_000)),
            ("1969-12-31T23:59:59.999Z", Some(-1000)),
            ("1970-01-02", Some(86_400_000_000)),
            ("1970-01-01T24:00:00Z", None),
            ("1970-01-01T00:60:00Z", None),
            ("1970-01-01T00:00:60Z", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00+1é0", None),
            ("1970-01-01T00:00:00+19:00", None),
            ("1970-01-01T00:00:00 UTC", None),
            ("1970-01-01T", None),
            ("12:00:00", None),
            ("0", None),
        ];
        for (text, micros) in cases {
            assert_eq!(parse_instant(text).map(|instant| instant.micros), micros, "{text}");
        }
    }
}
