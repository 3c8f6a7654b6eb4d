//! Intervals on the command line.

use std::time::Duration;

/// How often something happens; `None`: never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval(pub(crate) Option<Duration>);

/// `1s`, `250ms` or `never`.
pub(crate) fn parse_interval(text: &str) -> std::result::Result<Interval, String> {
    if text == "never" {
        return Ok(Interval(None));
    }
    let (number, unit_ms) = match text.strip_suffix("ms") {
        Some(number) => (number, 1.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1000.0),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 => Ok(Interval(Some(Duration::from_secs_f64(number * unit_ms / 1000.0)))),
        _ => Err(format!("`{text}` is not a time such as 1s or 250ms")),
    }
}
