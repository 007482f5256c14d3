//! The policies that the engine has, so that the next one has them too. They hold no secrets.

use super::policy_change::{PolicyChange, changes, key_of};
use crate::database::policies::PolicyKey;
use crate::xfrm::constants::*;
use crate::xfrm::policy::PolicyInfo;
use crate::xfrm::wire::{Header, Reader, Writer, attributes, messages};
use std::collections::{BTreeMap, HashMap};

/// Accepted requests by policy.
#[derive(Default)]
pub struct Journal {
    places: HashMap<PolicyKey, u64>,
    /// In the order in which the policies came, which decides between those of the same priority.
    policies: BTreeMap<u64, Vec<u8>>,
    next_place: u64,
}

/// Whether a request may matter here.
pub fn concerns_policies(request: &[u8]) -> bool {
    messages(request).any(|m| matches!(m.header.kind, NEWPOLICY | UPDPOLICY | DELPOLICY | FLUSHPOLICY))
}

/// The policies that an event says have come to the end of their lifetimes.
pub fn expired_policies(event: &[u8]) -> Vec<PolicyKey> {
    let expired = messages(event).filter(|m| m.header.kind == POLEXPIRE).filter_map(|message| {
        let mut reader = Reader::new(message.payload);
        let (info, hard) = (PolicyInfo::read(&mut reader).ok()?, reader.array::<8>().ok()?);
        let if_id = attributes(reader.rest()).find(|(kind, _)| *kind == XFRMA_IF_ID);
        let if_id = if_id.map_or(Ok(0), |(_, value)| Reader::new(value).u32()).ok()?;
        let key = PolicyKey { direction: info.direction, if_id, selector: info.selector };
        (hard[0] != 0).then_some(key)
    });
    expired.collect()
}

impl Journal {
    /// Notes a request that the engine has accepted.
    pub fn accepted(&mut self, request: &[u8]) {
        for change in changes(request) {
            match change {
                PolicyChange::Put(policy, message) => {
                    // Inserts or replaces, without an acknowledgement.
                    let header = Header { kind: UPDPOLICY, flags: NLM_F_REQUEST, ..message.header };
                    let mut writer = Writer::new(header);
                    writer.bytes(message.payload);
                    let request = writer.finish();
                    let place = *self.places.entry(key_of(&policy)).or_insert_with(|| {
                        self.next_place += 1;
                        self.next_place
                    });
                    self.policies.insert(place, request);
                }
                PolicyChange::Removed(key) => self.remove(&key),
                PolicyChange::AllRemoved => {
                    self.places.clear();
                    self.policies.clear();
                }
            }
        }
    }

    /// Takes out a policy.
    pub fn remove(&mut self, key: &PolicyKey) {
        if let Some(place) = self.places.remove(key) {
            self.policies.remove(&place);
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
    use crate::xfrm::policy::PolicyRequest;

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
