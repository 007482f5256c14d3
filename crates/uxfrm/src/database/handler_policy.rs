//! Requests about policies.

use super::handler::{CHANGED, Outcome, reply};
use super::policies::{Policy, PolicyKey};
use super::{Clock, Database, MAX_POLICIES};
use crate::xfrm::constants::NEWPOLICY;
use crate::xfrm::policy::{PolicyId, PolicyRequest, flushes_main_policies};
use crate::xfrm::wire::{Errno, Header, Writer};

impl Database {
    /// `exclusive`: NEWPOLICY refuses to replace, UPDPOLICY does not.
    pub(super) fn new_policy(
        &mut self,
        header: Header,
        payload: &[u8],
        clock: Clock,
        exclusive: bool,
    ) -> Outcome {
        let request = PolicyRequest::read(payload)?;
        let key = PolicyKey {
            direction: request.info.direction,
            if_id: request.if_id,
            selector: request.info.selector,
        };
        let existing = self.policies.index_of(&key);
        if exclusive && existing.is_some() {
            return Err(Errno(libc::EEXIST));
        }
        if existing.is_none() && self.policies.by_index.len() >= MAX_POLICIES {
            return Err(Errno(libc::ENOMEM));
        }
        let index = self.put_policy(request, clock);
        self.announce_policy(header, index);
        CHANGED
    }

    fn find_policy(&self, id: &PolicyId) -> Result<u32, Errno> {
        let found = if id.index != 0 {
            let policy = self.policies.by_index.get(&id.index);
            policy
                .filter(|p| p.key().direction == id.direction && p.key().if_id == id.if_id)
                .map(|_| id.index)
        } else {
            let key = PolicyKey { direction: id.direction, if_id: id.if_id, selector: id.selector };
            self.policies.index_of(&key)
        };
        found.ok_or(Errno(libc::ENOENT))
    }

    pub(super) fn delete_policy(&mut self, header: Header, payload: &[u8]) -> Outcome {
        let id = PolicyId::read(payload)?;
        let index = self.find_policy(&id)?;
        let gone = self.remove_policy(index).ok_or(Errno(libc::ENOENT))?;
        self.announce_deleted_policy(header, &gone, id.index != 0);
        CHANGED
    }

    pub(super) fn flush_policies(&mut self, header: Header, payload: &[u8]) -> Outcome {
        if !flushes_main_policies(payload)? {
            return Ok((Vec::new(), false));
        }
        if !self.policies.is_empty() {
            self.clear_policies();
            self.announce_flushed_policies(header);
        }
        CHANGED
    }

    pub(super) fn get_policy(&mut self, header: Header, payload: &[u8]) -> Outcome {
        let index = self.find_policy(&PolicyId::read(payload)?)?;
        let policy = self.policies.by_index.get(&index).ok_or(Errno(libc::ENOENT))?;
        Ok((vec![write_policy(policy, reply(header, NEWPOLICY, 0))], false))
    }
}

/// A policy as GETPOLICY answers it.
pub(super) fn write_policy(policy: &Policy, header: Header) -> Vec<u8> {
    let mut writer = Writer::new(header);
    policy.info().write(&mut writer);
    policy.request.write_attributes(&mut writer);
    writer.finish()
}
