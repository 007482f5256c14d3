//! The policies that the engine has, so that the next one has them too. They hold no secrets.

use crate::xfrm::constants::*;
use crate::xfrm::policy::{PolicyId, PolicyRequest};
use crate::xfrm::wire::{NLMSG_HEADER_LEN, messages};
use std::collections::BTreeMap;

/// Selector, direction, interface: what makes two policies the same.
type Key = (Vec<u8>, u8, u32);

/// Accepted requests by policy.
#[derive(Default)]
pub struct Journal {
    policies: BTreeMap<Key, Vec<u8>>,
}

/// Length of `xfrm_selector`, with which both kinds of request begin.
const SELECTOR_LEN: usize = 56;

/// Whether a request may matter here.
pub fn concerns_policies(request: &[u8]) -> bool {
    messages(request).any(|m| matches!(m.header.kind, NEWPOLICY | UPDPOLICY | DELPOLICY | FLUSHPOLICY))
}

impl Journal {
    /// Notes a request that the engine has accepted.
    pub fn accepted(&mut self, request: &[u8]) {
        for message in messages(request) {
            let selector = || message.payload[..SELECTOR_LEN].to_vec();
            match message.header.kind {
                NEWPOLICY | UPDPOLICY => {
                    let Ok(policy) = PolicyRequest::read(message.payload) else { continue };
                    let mut request = request[..NLMSG_HEADER_LEN + message.payload.len()].to_vec();
                    // Inserts or replaces, without an acknowledgement.
                    request[4..6].copy_from_slice(&UPDPOLICY.to_ne_bytes());
                    request[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
                    self.policies.insert((selector(), policy.info.direction, policy.if_id), request);
                }
                DELPOLICY => {
                    let Ok(policy) = PolicyId::read(message.payload) else { continue };
                    self.policies.remove(&(selector(), policy.direction, policy.if_id));
                }
                FLUSHPOLICY => self.policies.clear(),
                _ => {}
            }
        }
    }

    /// Requests that bring a new engine up to date.
    pub fn requests(&self) -> impl Iterator<Item = &[u8]> {
        self.policies.values().map(Vec::as_slice)
    }
}
