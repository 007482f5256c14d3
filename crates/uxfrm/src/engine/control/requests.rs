//! Requests that the broker relays, and what it is told beside the databases' own answers.

use super::{Control, SETTLE_LIMIT};
use crate::database::Answer;
use crate::database::policies::Policy;
use crate::engine::link::{self, Kind, Message};
use crate::engine::say;
use crate::xfrm::constants::{ALLOCSPI, DELPOLICY, NEWPOLICY, NEWSA, UPDPOLICY, UPDSA, XFRMA_IF_ID};
use crate::xfrm::policy::{PolicyId, PolicyRequest};
use crate::xfrm::state::SaRequest;
use crate::xfrm::wire::{self, Writer};
use std::io;
use std::os::fd::AsFd;
use zeroize::Zeroize;

impl Control {
    /// Answers one request. `unpublished` says whether the data path has yet to learn of those before, `unsettled` whether
    /// packets under way may still be handled by what they have changed.
    pub(super) fn serve_request(
        &mut self,
        message: Message<'_>,
        unpublished: &mut bool,
        unsettled: &mut bool,
    ) -> io::Result<()> {
        let number = message.number;
        let meaning = self.in_other_words(message.body);
        let answer = match self.ensure_interfaces_of(message.body) {
            Ok(()) => {
                let clock = self.clock();
                self.database.handle_datagram(message.body, clock)
            }
            Err(refusal) => Answer { messages: vec![refusal], ..Answer::default() },
        };
        // What only adds takes nothing away from packets under way.
        let adds = wire::messages(message.body).all(|m| matches!(m.header.kind, NEWSA | ALLOCSPI));
        drop(message);
        // The data path knows before the daemon does, so that nothing is sent by a deleted SA.
        *unpublished |= answer.changed;
        *unsettled |= answer.changed && !adds;
        if number != 0 {
            self.publish(std::mem::take(unpublished));
            if std::mem::take(unsettled) {
                self.shared.settle(SETTLE_LIMIT);
            }
        }
        // Those that the broker makes to bring a new engine up to date are no news to anybody.
        if number != 0 {
            self.send_events(answer.events)?;
        }
        for mut reply in answer.messages {
            link::send(self.link.as_fd(), Kind::Reply, number, &reply, None, true)?;
            reply.zeroize();
        }
        if number != 0 {
            link::send(self.link.as_fd(), Kind::Done, number, &meaning, None, true)?;
        }
        Ok(())
    }

    pub(super) fn send_spis(&self) -> io::Result<()> {
        const PER_MESSAGE: usize = 2048;
        let states = self.database.states.by_id.values().filter(|state| !state.is_larval());
        let spis: Vec<_> = states.map(|state| state.request.info.id.spi.to_ne_bytes()).collect();
        let mut left = spis.len().div_ceil(PER_MESSAGE).max(1) as u32;
        for part in spis.chunks(PER_MESSAGE).chain(spis.is_empty().then_some(&[][..])) {
            left -= 1;
            link::send(self.link.as_fd(), Kind::Spis, left, part.as_flattened(), None, true)?;
        }
        Ok(())
    }

    /// A request that names a policy by its index, which the broker does not know, names it by its selector to the journal.
    pub(super) fn in_other_words(&self, request: &[u8]) -> Vec<u8> {
        let Some(message) = wire::messages(request).next().filter(|m| m.header.kind == DELPOLICY) else {
            return Vec::new();
        };
        let index = PolicyId::read(message.payload).map_or(0, |id| id.index);
        let Some(key) = self.database.policies.by_index.get(&index).map(Policy::key) else {
            return Vec::new();
        };
        let mut writer = Writer::new(message.header);
        key.selector.write(&mut writer);
        writer.u32(0).u8(key.direction).zeros(3);
        writer.attribute(XFRMA_IF_ID, |w| {
            w.u32(key.if_id);
        });
        writer.finish()
    }

    /// Makes the interfaces that requests name: one that cannot be had refuses the policy or SA.
    pub(super) fn ensure_interfaces_of(&mut self, datagram: &[u8]) -> Result<(), Vec<u8>> {
        for message in wire::messages(datagram) {
            let if_id = match message.header.kind {
                NEWPOLICY | UPDPOLICY => PolicyRequest::read(message.payload).map(|policy| policy.if_id),
                NEWSA | UPDSA => SaRequest::read(message.payload).map(|sa| sa.if_id),
                _ => continue,
            };
            // What is malformed is refused by the database.
            let Ok(if_id) = if_id else { continue };
            // One that is named already is looked after when the databases are published.
            if self.database.names_interface(if_id) {
                continue;
            }
            if let Err(error) = self.ensure_interface(if_id) {
                say(format_args!("interface {if_id}: {error}"));
                let errno = match error.kind() {
                    io::ErrorKind::AlreadyExists => libc::EEXIST,
                    _ => error.raw_os_error().unwrap_or(libc::ENOMEM),
                };
                return Err(wire::error_message(message, errno));
            }
        }
        Ok(())
    }
}
