/// A number in units of ten to the power of minus `scale`, cut to whole units, never through a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaled {
    /// The largest whole number of units that is not over the number.
    pub floor: i128,
    /// Whether `floor` is the number itself; else the number is between `floor` and `floor + 1`.
    pub exact: bool,
    /// How many digits the text has, from the first that is not zero to the last that is not zero.
    pub digit_count: usize,
    /// Whether the text has an exponent, as floats are written.
    pub has_exponent: bool,
}

impl Scaled {
    /// The smallest whole number of units that is not under the number.
    pub fn ceil(&self) -> i128 {
        if self.exact { self.floor } else { self.floor.saturating_add(1) }
    }

    /// How far a number may be off that its writer had as a double, as delta-rs has decimals: some of the
    /// last bits. Nothing under 10^15 units; nor where it has more digits than a double is written with.
    pub fn double_slack(&self) -> i128 {
        let may_be_double = self.digit_count <= 17 || self.has_exponent;
        if may_be_double { self.floor.saturating_abs() / 10i128.pow(15) } else { 0 }
    }
}

/// Reads a decimal number, `-12.50` or `1.25e3`, in units of ten to the power of minus `scale`.
/// `None` for what is no number or has over 38 digits left of the last unit.
///
/// ```
/// use deltalakedb_core::scalar::parse_scaled;
/// let read = |text, scale| parse_scaled(text, scale).map(|number| (number.floor, number.exact));
/// assert_eq!(read("9007199254740993", 0), Some((9007199254740993, true)));
/// assert_eq!(read("-12.5", 2), Some((-1250, true)));
/// assert_eq!(read("-10.5", 0), Some((-11, false)));
/// assert_eq!(read("1.25e3", 0), Some((1250, true)));
/// assert_eq!(read("NaN", 0), None);
/// ```
pub fn parse_scaled(text: &str, scale: u8) -> Option<Scaled> {
    // What statistics hold mostly.
    if scale == 0
        && text.len() < 19
        && text != "-0"
        && let Ok(value) = text.parse::<i64>()
    {
        let digits = text.trim_start_matches(['-', '+', '0']).trim_end_matches('0');
        return Some(Scaled { floor: i128::from(value), exact: true, digit_count: digits.len(), has_exponent: false });
    }
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(parse_exponent(exponent)?)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if whole.len() + fraction.len() == 0 || !digits().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The number is 0.DIGITS times ten to the power of `point`.
    let leading = digits().take_while(|&digit| digit == b'0').count();
    let trailing = digits().rev().take_while(|&digit| digit == b'0').count();
    let digit_count = (whole.len() + fraction.len()).saturating_sub(leading + trailing);
    let has_exponent = exponent.is_some();
    if digit_count == 0 {
        return Some(Scaled { floor: 0, exact: true, digit_count, has_exponent });
    }
    let point = whole.len() as i64 - leading as i64;
    let units = point.saturating_add(exponent.unwrap_or(0)).saturating_add(i64::from(scale));
    if units > 38 {
        return None;
    }
    let mut magnitude: i128 = 0;
    let mut left = digits().skip(leading).take(digit_count);
    for _ in 0..units.max(0) {
        let digit = left.next().map_or(0, |byte| byte - b'0');
        magnitude = magnitude.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    // The last digit of these is not zero, so that anything left is a fraction of a unit.
    let exact = units >= digit_count as i64;
    let floor = match (negative, exact) {
        (false, _) => magnitude,
        (true, true) => -magnitude,
        (true, false) => -magnitude - 1,
    };
    Some(Scaled { floor, exact, digit_count, has_exponent })
}

/// An exponent; of absurd ones only the sign matters.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let far = if text.starts_with('-') { -1_000_000_000 } else { 1_000_000_000 };
    Some(text.parse::<i64>().unwrap_or(far).clamp(-1_000_000_000, 1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::parse_scaled;

    #[test]
    fn numbers_are_exact() {
        let cases = [
            ("0", 0, Some((0, true))),
            ("-0", 0, Some((0, true))),
            ("-0.000", 2, Some((0, true))),
            ("+7", 0, Some((7, true))),
            (".5", 0, Some((0, false))),
            ("-.5", 0, Some((-1, false))),
            ("5.", 0, Some((5, true))),
            ("10.50", 1, Some((105, true))),
            ("0.00001", 2, Some((0, false))),
            ("-0.00001", 2, Some((-1, false))),
            ("-9223372036854775808", 0, Some((i64::MIN as i128, true))),
            ("9223372036854775808", 0, Some((1i128 << 63, true))),
            ("99999999999999999999999999999999999999", 0, Some((10i128.pow(38) - 1, true))),
            ("999999999999999999.99999999999999999999", 20, Some((10i128.pow(38) - 1, true))),
            ("100000000000000000000000000000000000000", 0, None),
            ("1e37", 0, Some((10i128.pow(37), true))),
            ("1e38", 0, None),
            ("1e-99999999999999999999", 0, Some((0, false))),
            ("1e99999999999999999999", 0, None),
            ("0e99999999999999999999", 0, Some((0, true))),
            ("12e-1", 0, Some((1, false))),
            ("12E+1", 0, Some((120, true))),
            ("", 0, None),
            ("-", 0, None),
            (".", 0, None),
            ("1e", 0, None),
            ("1e+", 0, None),
            ("1.2.3", 0, None),
            (" 1", 0, None),
            ("0x10", 0, None),
            ("--1", 0, None),
            ("+-1", 0, None),
            ("١", 0, None),
        ];
        for (text, scale, expected) in cases {
            assert_eq!(parse_scaled(text, scale).map(|n| (n.floor, n.exact)), expected, "{text}");
        }
        assert_eq!(parse_scaled("-001200", 0).map(|n| n.digit_count), Some(2));
        assert_eq!(parse_scaled("12.340", 2).map(|n| n.digit_count), Some(4));
    }
}
