//! What an end tells, as the other would tell it of the SA in which it plays the same part.

use super::agent::{INNER, OUTER};
use super::cases::{Case, End};
use std::net::IpAddr;
use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::wire::{attributes, messages};

/// A message, with what may differ blanked.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Told {
    pub kind: u16,
    pub payload: String,
    /// Kind and value, in order.
    pub attributes: Vec<(u16, String)>,
}

impl Told {
    /// An error instead of an answer.
    pub fn is_refusal(&self) -> bool {
        self.kind == NLMSG_ERROR && !self.payload.starts_with("00000000")
    }
}

/// Length of `xfrm_usersa_info`, and of it with what EXPIRE and ACQUIRE have around it, in bytes.
const SA_LEN: usize = 224;
const EXPIRE_LEN: usize = SA_LEN + 8;
const ACQUIRE_LEN: usize = 280;
const POLICY_LEN: usize = 168;
const AEVENT_LEN: usize = 48;
/// Where `xfrm_lifetime_cur` lies in `xfrm_usersa_info`, and its two times in it.
const SA_USAGE: usize = 56 + 24 + 16 + 64;
const TIMES: std::ops::Range<usize> = 16..32;

/// The messages of datagrams of one end.
pub fn told(datagrams: &[u8], end: End, case: &Case) -> Vec<Told> {
    messages(datagrams)
        .map(|message| {
            let kind = message.header.kind;
            let fixed = match kind {
                NEWSA => SA_LEN,
                EXPIRE => EXPIRE_LEN,
                ACQUIRE => ACQUIRE_LEN,
                NEWAE => AEVENT_LEN,
                // Of an error only its number: the request was another.
                NLMSG_ERROR => 4,
                _ => message.payload.len(),
            };
            let (fixed, rest) = message.payload.split_at(fixed.min(message.payload.len()));
            let mut payload = fixed.to_vec();
            blank(kind, &mut payload);
            let rest = if kind == NLMSG_ERROR { &[] } else { rest };
            let attributes = attributes(rest).map(|(kind, value)| {
                let mut value = value.to_vec();
                blank_attribute(kind, &mut value);
                (kind, hex::encode(mirrored(&value, end, case)))
            });
            let attributes = attributes.collect();
            Told { kind, payload: hex::encode(mirrored(&payload, end, case)), attributes }
        })
        .collect()
}

fn blank(kind: u16, payload: &mut [u8]) {
    let times = |payload: &mut [u8], usage: usize| payload[usage..][TIMES].fill(0);
    match kind {
        NEWSA | EXPIRE => times(payload, SA_USAGE),
        ACQUIRE => {
            // `xfrm_id`, address, selector; then the policy with its times and index; at the end the sequence number.
            let policy = 24 + 16 + 56;
            times(payload, policy + 56 + 64);
            payload[policy + POLICY_LEN - 12..policy + POLICY_LEN - 8].fill(0);
            payload[ACQUIRE_LEN - 4..].fill(0);
        }
        _ => {}
    }
}

fn blank_attribute(kind: u16, value: &mut [u8]) {
    match kind {
        XFRMA_LTIME_VAL => value[TIMES].fill(0),
        XFRMA_LASTUSED => value.fill(0),
        // Name, key length, check value; then the key.
        XFRMA_ALG_AEAD | XFRMA_ALG_AUTH_TRUNC => value[72..].fill(0),
        XFRMA_ALG_AUTH | XFRMA_ALG_CRYPT => value[68..].fill(0),
        _ => {}
    }
}

/// The kernel's side with its addresses and SPIs changed for ours.
fn mirrored(bytes: &[u8], end: End, case: &Case) -> Vec<u8> {
    if end == End::Ours {
        return bytes.to_vec();
    }
    let octets = |text: &str| match text.parse().unwrap() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> =
        OUTER.iter().chain(&INNER).map(|[ours, kernels]| (octets(ours), octets(kernels))).collect();
    let spi = |sender| case.sa_id(sender).spi.to_be_bytes().to_vec();
    pairs.push((spi(End::Ours), spi(End::Kernels)));
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let found = pairs.iter().find_map(|(one, other)| {
            let other_way = rest.starts_with(other).then_some(one);
            rest.starts_with(one).then_some(other).or(other_way)
        });
        match found {
            Some(instead) => out.extend_from_slice(instead),
            None => out.push(bytes[at]),
        }
        at += found.map_or(1, Vec::len);
    }
    out
}
