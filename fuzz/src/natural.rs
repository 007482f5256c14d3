//! Inputs in their own form, as the seeds have them: a request as it goes over the wire, netlink messages, lines. What is
//! not of that form is structure for the fuzzer to fill ([`structured`]).

use arbitrary::{Arbitrary, Unstructured};
use causeway_dialect::Request;
use causeway_dialect::encoding::form_pairs;

/// What the fuzzer's bytes make of a type.
pub fn structured<'a, T: Arbitrary<'a>>(data: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(data)).ok()
}

/// What follows a mark in the first line.
pub fn marked<'a>(data: &'a [u8], mark: &str) -> Option<&'a [u8]> {
    data.strip_prefix(mark.as_bytes())?.strip_prefix(b"\n")
}

/// So many lines; the last one is all that is left, and those that are missing are empty.
pub fn lines<const N: usize>(text: &str) -> [&str; N] {
    let mut rest = text.splitn(N, '\n');
    std::array::from_fn(|_| rest.next().unwrap_or_default())
}

/// A request of HTTP/1.1, head and body, if the bytes begin like one.
pub fn http(data: &[u8]) -> Option<Request> {
    let method =
        ["GET", "POST"].into_iter().find(|method| data.starts_with(format!("{method} ").as_bytes()))?;
    let end = data.windows(2).position(|pair| pair == b"\n\n").unwrap_or(data.len());
    let body = data.get(end + 2..).unwrap_or_default();
    let head = String::from_utf8_lossy(&data[..end]);
    let (first, headers) = head.split_once('\n').unwrap_or((&head, ""));
    let target = first[method.len() + 1..].split(' ').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = headers.lines().filter_map(|line| line.split_once(": "));
    Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
        body: body.to_vec().into(),
    })
}

/// Netlink messages, one after the other, each a datagram of the length that it says.
pub fn netlink(mut data: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some(len) = data.first_chunk().map(|len| u32::from_ne_bytes(*len)) {
        let len = usize::try_from(len).unwrap_or(usize::MAX).max(16).next_multiple_of(4).min(data.len());
        let (message, rest) = data.split_at(len);
        messages.push(message);
        data = rest;
    }
    messages
}

/// A line of a life: `alibaba` or `tencent`, an action, and its parameters as a query, in which `$0` is the first id that
/// exists, `$1` the next one.
pub struct Line<'a> {
    /// Whose API.
    pub dialect: &'a str,
    /// The action.
    pub action: &'a str,
    /// Names and values.
    pub pairs: Vec<(String, String)>,
}

impl<'a> Line<'a> {
    /// Reads a line, given the ids that exist.
    pub fn read(line: &'a str, ids: &[String]) -> Self {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (dialect, action, query) = (word(), word(), word());
        let resolve = |value: String| match value.strip_prefix('$').and_then(|place| place.parse().ok()) {
            Some(place) => ids.get::<usize>(place).cloned().unwrap_or(value),
            None => value,
        };
        let pairs = form_pairs(query).unwrap_or_default();
        Self {
            dialect,
            action,
            pairs: pairs.into_iter().map(|(name, value)| (name, resolve(value))).collect(),
        }
    }
}
