//! The time formats of the APIs.

use causeway_model::Millis;
use jiff::Timestamp;
use jiff::tz::TimeZone;

fn format(millis: Millis, pattern: &str, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(millis.0).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned(zone.clone()).strftime(pattern).to_string()
}

/// `YYYY-MM-DDThh:mm:ssZ` in UTC.
pub fn iso_utc(millis: Millis) -> String {
    format(millis, "%Y-%m-%dT%H:%M:%SZ", &TimeZone::UTC)
}

/// `YYYY-MM-DD hh:mm:ss` in China standard time (UTC+8).
pub fn china_standard(millis: Millis) -> String {
    format(millis, "%Y-%m-%d %H:%M:%S", &TimeZone::fixed(jiff::tz::offset(8)))
}

/// The date `YYYY-MM-DD` in UTC of a number of seconds since the epoch.
pub fn utc_date(seconds: i64) -> String {
    format(Millis(seconds.saturating_mul(1000)), "%Y-%m-%d", &TimeZone::UTC)
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
