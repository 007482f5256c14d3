//! The policies that the engine has, so that the next one has them too. They hold no secrets.

use crate::xfrm::constants::*;
use crate::xfrm::policy::{PolicyId, PolicyRequest};
use crate::xfrm::wire::{Header, Writer, messages};
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
                    // Inserts or replaces, without an acknowledgement.
                    let header = Header { kind: UPDPOLICY, flags: NLM_F_REQUEST, ..message.header };
                    let mut writer = Writer::new(header);
                    writer.bytes(message.payload);
                    let request = writer.finish();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(kind: u16, priority: u32, if_id: u32) -> Vec<u8> {
        let flags = NLM_F_REQUEST | NLM_F_ACK;
        let mut writer = Writer::new(Header { kind, flags, sequence: 1, port: 0 });
        writer.zeros(40).u16(AF_INET).zeros(14);
        if kind == DELPOLICY {
            writer.u32(0).u8(XFRM_POLICY_OUT).zeros(3);
        } else {
            writer.zeros(96).u32(priority).u32(0).u8(XFRM_POLICY_OUT).zeros(7);
        }
        writer.attribute(XFRMA_IF_ID, |w| {
            w.u32(if_id);
        });
        writer.finish()
    }

    #[test]
    fn keeps_the_last_word_on_each_policy() {
        let mut journal = Journal::default();
        // Two messages in one datagram.
        journal.accepted(&[policy(NEWPOLICY, 5, 1), policy(NEWPOLICY, 6, 2)].concat());
        journal.accepted(&policy(UPDPOLICY, 7, 1));
        let priorities = |journal: &Journal| -> Vec<u32> {
            let read = |request: &[u8]| {
                let message = messages(request).next().unwrap();
                assert_eq!((message.header.kind, message.header.flags), (UPDPOLICY, NLM_F_REQUEST));
                PolicyRequest::read(message.payload).unwrap().info.priority
            };
            journal.requests().map(read).collect()
        };
        assert_eq!(priorities(&journal), [7, 6]);
        journal.accepted(&policy(DELPOLICY, 0, 1));
        assert_eq!(priorities(&journal), [6]);
        journal.accepted(&policy(FLUSHPOLICY, 0, 0));
        assert!(priorities(&journal).is_empty());
    }
}
