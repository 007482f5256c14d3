//! Pages by token. A token is the place where the next page begins, in decimal; what is made or deleted between
//! two pages moves the rest, as with `Offset`.

use crate::params::Members;
use crate::refusal::Refusal;

/// How an action takes pages by token: the token's parameter (the length is `MaxResults` everywhere), the codes
/// of what is wrong, and lengths.
#[derive(Clone, Copy, Debug)]
pub struct ByToken {
    /// The parameter with the token.
    pub token: &'static str,
    /// The code of a token that is none.
    pub malformed: &'static str,
    /// The code of a length out of bounds.
    pub out_of_bounds: &'static str,
    /// Items of a page by default.
    pub default: i64,
    /// Items of a page at most.
    pub max: i64,
}

impl ByToken {
    /// Where the page begins, and its length.
    ///
    /// # Errors
    /// The two codes.
    pub fn read(&self, members: &Members<'_>) -> Result<(usize, usize), Refusal> {
        let start = match members.text(self.token) {
            None => 0,
            Some(token) => token
                .parse::<usize>()
                .map_err(|_| Refusal::value_as(self.malformed, &members.path(self.token), &token))?,
        };
        let limit = members.integer_in("MaxResults", 1..=self.max, self.out_of_bounds)?;
        Ok((start, usize::try_from(limit.unwrap_or(self.default)).unwrap_or_default()))
    }
}

/// The token of the page after one; empty when there is none.
pub fn next(start: usize, limit: usize, total: usize) -> String {
    let end = start.saturating_add(limit);
    if end < total { end.to_string() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn the_last_page_has_no_next_one() {
        assert_eq!((next(0, 2, 3), next(2, 2, 3), next(0, 3, 3)), ("2".into(), String::new(), String::new()));
        assert_eq!(next(usize::MAX, 1, 3), "");
    }
}
