//! Events that nobody's request makes: ACQUIRE, EXPIRE, POLEXPIRE, MAPPING.

use super::constants::*;
use super::policy::{PolicyInfo, PolicyRequest, Template};
use super::selector::Selector;
use super::state::{SaId, SaInfo};
use super::wire::{Header, Writer};
use std::fmt;
use std::net::IpAddr;
use zeroize::Zeroize;

/// An event and the multicast group that hears it. Cleansed on drop: those of SAs carry keys, as the kernel's do.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    pub group: u32,
    pub message: Vec<u8>,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("group", &self.group).field("len", &self.message.len()).finish()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.message.zeroize();
    }
}

fn header(kind: u16) -> Header {
    Header { kind, flags: 0, sequence: 0, port: 0 }
}

fn if_id_attribute(writer: &mut Writer, if_id: u32) {
    if if_id != 0 {
        writer.attribute(XFRMA_IF_ID, |w| {
            w.u32(if_id);
        });
    }
}

/// A packet hit a policy that has no SA: `xfrm_user_acquire`.
pub fn acquire(
    policy: &PolicyInfo,
    template: &Template,
    flow: &Selector,
    if_id: u32,
    sequence: u32,
) -> Event {
    let mut writer = Writer::new(header(ACQUIRE));
    writer.address(template.destination).be32(0).u8(template.protocol).zeros(3).address(template.source);
    flow.write(&mut writer);
    policy.write(&mut writer);
    template.algorithms.iter().for_each(|mask| {
        writer.u32(*mask);
    });
    writer.u32(sequence);
    writer.attribute(XFRMA_TMPL, |w| template.write(w));
    // `xfrm_userpolicy_type`: type 0 with its padding.
    writer.attribute(XFRMA_POLICY_TYPE, |w| {
        w.zeros(6);
    });
    if_id_attribute(&mut writer, if_id);
    Event { group: XFRMNLGRP_ACQUIRE, message: writer.finish() }
}

/// A limit was reached: `xfrm_user_expire`. After a hard one the SA is gone.
pub fn expire(info: &SaInfo, if_id: u32, hard: bool) -> Event {
    let mut writer = Writer::new(header(EXPIRE));
    info.write(&mut writer);
    writer.u8(u8::from(hard)).zeros(7);
    if_id_attribute(&mut writer, if_id);
    Event { group: XFRMNLGRP_EXPIRE, message: writer.finish() }
}

/// A limit of a policy was reached: `xfrm_user_polexpire`. After a hard one the policy is gone.
pub fn policy_expire(info: &PolicyInfo, request: &PolicyRequest, hard: bool) -> Event {
    let mut writer = Writer::new(header(POLEXPIRE));
    info.write(&mut writer);
    writer.u8(u8::from(hard)).zeros(7);
    request.write_attributes(&mut writer);
    Event { group: XFRMNLGRP_EXPIRE, message: writer.finish() }
}

/// The peer's packets of this SA come from another address or port: `xfrm_user_mapping`.
pub fn mapping(id: &SaId, reqid: u32, old: (IpAddr, u16), new: (IpAddr, u16)) -> Event {
    let mut writer = Writer::new(header(MAPPING));
    id.write(&mut writer);
    writer.u32(reqid).address(old.0).address(new.0).be16(old.1).be16(new.1);
    Event { group: XFRMNLGRP_MAPPING, message: writer.finish() }
}
