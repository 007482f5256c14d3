//! The time formats of the APIs.

use causeway_model::Millis;
use jiff::Timestamp;
use jiff::tz::Offset;

/// A time's date and time of day, with one character between them.
fn written(millis: Millis, between: char, zone: Offset) -> String {
    let at = Timestamp::from_millisecond(millis.0).unwrap_or(Timestamp::UNIX_EPOCH);
    let civil = zone.to_datetime(at);
    let mut text = String::with_capacity(20);
    push_digits(&mut text, i32::from(civil.year()).unsigned_abs(), 4);
    for (before, part) in [
        ('-', civil.month()),
        ('-', civil.day()),
        (between, civil.hour()),
        (':', civil.minute()),
        (':', civil.second()),
    ] {
        text.push(before);
        push_digits(&mut text, u32::from(part.unsigned_abs()), 2);
    }
    text
}

/// A number in decimal with leading zeros.
fn push_digits(text: &mut String, number: u32, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

/// `YYYY-MM-DDThh:mm:ssZ` in UTC.
pub fn iso_utc(millis: Millis) -> String {
    let mut text = written(millis, 'T', Offset::UTC);
    text.push('Z');
    text
}

/// `YYYY-MM-DD hh:mm:ss` in China standard time (UTC+8).
pub fn china_standard(millis: Millis) -> String {
    written(millis, ' ', jiff::tz::offset(8))
}

/// The date `YYYY-MM-DD` in UTC of a number of seconds since the epoch.
pub fn utc_date(seconds: i64) -> String {
    let mut text = written(Millis(seconds.saturating_mul(1000)), 'T', Offset::UTC);
    text.truncate("YYYY-MM-DD".len());
    text
}

/// Reads `YYYY-MM-DDThh:mm:ssZ` into seconds since the epoch; `None` for anything else.
pub fn parse_iso_utc(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 20 || bytes[10] != b'T' || bytes[19] != b'Z' {
        return None;
    }
    text.parse::<Timestamp>().ok().map(|at| at.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library's own writing is general, and slow beside this.
    #[test]
    fn times_are_written_as_the_library_writes_them() {
        let pattern = |millis: i64, pattern: &str, zone: Offset| {
            let at = Timestamp::from_millisecond(millis).unwrap();
            at.to_zoned(zone.to_time_zone()).strftime(pattern).to_string()
        };
        for step in -3_000..6_000_i64 {
            let millis = step * 9_876_543_211;
            let at = Millis(millis);
            assert_eq!(iso_utc(at), pattern(millis, "%Y-%m-%dT%H:%M:%SZ", Offset::UTC));
            assert_eq!(china_standard(at), pattern(millis, "%Y-%m-%d %H:%M:%S", jiff::tz::offset(8)));
            assert_eq!(utc_date(at.seconds()), pattern(millis, "%Y-%m-%d", Offset::UTC));
        }
    }

    #[test]
    fn formats_and_reads() {
        let at = Millis(1_493_363_486_000);
        assert_eq!(iso_utc(at), "2017-04-28T07:11:26Z");
        assert_eq!(china_standard(at), "2017-04-28 15:11:26");
        assert_eq!(utc_date(at.seconds()), "2017-04-28");
        assert_eq!(parse_iso_utc("2017-04-28T07:11:26Z"), Some(1_493_363_486));
        for wrong in ["2017-04-28 07:11:26", "2017-04-28T07:11:26+08:00", "2017-13-28T07:11:26Z", ""] {
            assert_eq!(parse_iso_utc(wrong), None, "{wrong}");
        }
    }
}
