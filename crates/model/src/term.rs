//! How a gateway is paid for, and until when.

use jiff::tz::{TimeZone, offset};
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Gateway, Millis};

/// The hours that the calendar of the terms is ahead of UTC: months end by it.
const CALENDAR_OFFSET_H: i8 = 8;

/// How a gateway is paid for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Charge {
    /// After use, by the hour or by traffic.
    PostPaid,
    /// In advance.
    PrePaid {
        /// Months bought.
        months: u32,
        /// What follows them.
        #[serde(default)]
        at_end: AtEnd,
    },
}

/// What follows the end of a term that was paid in advance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum AtEnd {
    /// Nothing: it is over.
    #[default]
    Expires,
    /// Another term of the same length, as long as the owner's account has funds.
    Renews,
    /// It is paid for after use from then on.
    PostPaid,
}

/// Where a gateway stands in what it was paid for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Term {
    /// It is paid for after use.
    Open,
    /// It is paid for until then.
    Until(Millis),
    /// What was paid for ended then.
    Over(Millis),
}

impl Term {
    /// The end, to come or past; none of what is paid for after use.
    pub fn end(self) -> Option<Millis> {
        match self {
            Term::Open => None,
            Term::Until(end) | Term::Over(end) => Some(end),
        }
    }
}

impl Gateway {
    /// Where it stands at `now`. A term begins with the payment; of an open order the end is shown as if it had been
    /// paid when it was placed, and has not come. `has_funds`: its owner could pay for a renewal.
    pub fn term(&self, now: Millis, has_funds: bool) -> Term {
        let Charge::PrePaid { months, at_end } = self.charge else { return Term::Open };
        let begin = self.paid_at.unwrap_or(self.meta.created);
        let end = months_later(begin, months);
        if !self.paid || now < end {
            return Term::Until(end);
        }
        match at_end {
            AtEnd::PostPaid => Term::Open,
            AtEnd::Renews if has_funds => {
                // Counted from the beginning, so that a short month does not shorten the later ones.
                let ends = (2..).map(|terms: u32| months_later(begin, months.saturating_mul(terms)));
                Term::Until(ends.take(TERMS_MAX).find(|end| now < *end).unwrap_or(Millis(i64::MAX)))
            }
            AtEnd::Renews | AtEnd::Expires => Term::Over(end),
        }
    }
}

/// As many renewals as are counted: a hundred years of months.
const TERMS_MAX: usize = 1_200;

/// So many calendar months later; never, where the calendar ends.
fn months_later(from: Millis, months: u32) -> Millis {
    let later = || {
        let zone = TimeZone::fixed(offset(CALENDAR_OFFSET_H));
        let start = Timestamp::from_millisecond(from.0).ok()?.to_zoned(zone);
        let span = Span::new().try_months(i64::from(months)).ok()?;
        Some(Millis(start.checked_add(span).ok()?.timestamp().as_millisecond()))
    };
    later().unwrap_or(Millis(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::gateway;

    fn at(text: &str) -> Millis {
        Millis(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn bought(at_end: AtEnd) -> Gateway {
        let mut it = gateway(1);
        it.meta.created = at("2024-01-01T00:00:00Z");
        it.paid_at = Some(at("2024-01-31T12:00:00+08:00"));
        it.charge = Charge::PrePaid { months: 1, at_end };
        it
    }

    #[test]
    fn a_term_is_whole_months_from_the_payment() {
        let (mut it, end) = (bought(AtEnd::Expires), at("2024-02-29T12:00:00+08:00"));
        assert_eq!(it.term(Millis(end.0 - 1), true), Term::Until(end));
        assert_eq!(it.term(end, true), Term::Over(end));
        it.paid_at = None;
        assert_eq!(it.term(end, true), Term::Over(at("2024-02-01T00:00:00Z")));
        it.paid = false;
        assert_eq!(it.term(end, true), Term::Until(at("2024-02-01T00:00:00Z")), "it has not begun");
        assert_eq!(gateway(1).term(end, true), Term::Open);
    }

    #[test]
    fn what_follows_a_term_was_agreed() {
        let late = at("2024-04-01T00:00:00Z");
        assert_eq!(bought(AtEnd::PostPaid).term(late, false), Term::Open);
        assert_eq!(
            bought(AtEnd::PostPaid).term(at("2024-02-01T00:00:00Z"), false).end(),
            Some(at("2024-02-29T04:00:00Z"))
        );
        let renewed = bought(AtEnd::Renews);
        assert_eq!(renewed.term(late, true), Term::Until(at("2024-04-30T12:00:00+08:00")));
        assert_eq!(
            renewed.term(at("2024-03-01T00:00:00Z"), true),
            Term::Until(at("2024-03-31T12:00:00+08:00"))
        );
        assert_eq!(renewed.term(late, false), Term::Over(at("2024-02-29T12:00:00+08:00")));
    }

    #[test]
    fn a_charge_is_read_in_its_old_form_too() {
        let old: Charge = serde_json::from_str(r#"{"PrePaid":{"months":3}}"#).unwrap();
        assert_eq!(old, Charge::PrePaid { months: 3, at_end: AtEnd::Expires });
    }
}
