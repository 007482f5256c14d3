//! Autonomous system numbers as parameters.

/// An autonomous system number: decimal, or two 16-bit parts with a dot between them (RFC 5396, asdot+).
pub fn parse(text: &str) -> Option<u32> {
    let number = match text.split_once('.') {
        Some((high, low)) => {
            let (high, low): (u16, u16) = (high.parse().ok()?, low.parse().ok()?);
            (u32::from(high) << 16) | u32::from(low)
        }
        None => text.parse().ok()?,
    };
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn numbers_have_two_forms() {
        assert_eq!(parse("65530"), Some(65530));
        assert_eq!(parse("123.456"), Some(8_061_384));
        assert_eq!(parse("4294967295"), Some(u32::MAX));
        for wrong in ["0", "4294967296", "1.65536", "a", "-1", "1.2.3", ""] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
