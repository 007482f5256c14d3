//! What a request does to the policies, for all who follow them beside the engine.

use crate::database::policies::PolicyKey;
use crate::xfrm::constants::{DELPOLICY, FLUSHPOLICY, NEWPOLICY, UPDPOLICY};
use crate::xfrm::policy::{PolicyId, PolicyRequest, flushes_main_policies};
use crate::xfrm::wire::{Message, messages};

/// One change.
pub(super) enum PolicyChange<'a> {
    /// A policy came, or took the place of the one before; and the message that says so.
    Put(PolicyRequest, Message<'a>),
    Removed(PolicyKey),
    AllRemoved,
}

/// The changes of a request that the engine has accepted. What is malformed it has refused.
pub(super) fn changes(request: &[u8]) -> impl Iterator<Item = PolicyChange<'_>> {
    messages(request).filter_map(|message| match message.header.kind {
        NEWPOLICY | UPDPOLICY => Some(PolicyChange::Put(PolicyRequest::read(message.payload).ok()?, message)),
        DELPOLICY => {
            let PolicyId { direction, selector, if_id, .. } = PolicyId::read(message.payload).ok()?;
            Some(PolicyChange::Removed(PolicyKey { direction, if_id, selector }))
        }
        FLUSHPOLICY if flushes_main_policies(message.payload) == Ok(true) => Some(PolicyChange::AllRemoved),
        _ => None,
    })
}

/// By what a policy is known.
pub(super) fn key_of(policy: &PolicyRequest) -> PolicyKey {
    PolicyKey { direction: policy.info.direction, if_id: policy.if_id, selector: policy.info.selector }
}
