//! Answers one netlink request as the kernel does: which message gets which reply, and when an acknowledgement.

use super::{Answer, Clock, Database};
use crate::xfrm::constants::*;
use crate::xfrm::wire::{self, Errno, Header, Message, Reader, Writer};

/// What a handler returns: replies (an acknowledgement is added where asked for), and whether the databases changed.
pub(super) type Outcome = Result<(Vec<Vec<u8>>, bool), Errno>;

/// Sizes of the hash tables of a kernel's empty database, which this one has not.
const HASH_MASK: u32 = 7;
const HASH_MAXIMUM: u32 = 1 << 20;

/// A change without a reply.
pub(super) const CHANGED: Outcome = Ok((Vec::new(), true));

/// `XFRMA_SPD_IPV4_HTHRESH`; that of IPv6 follows.
const IPV4_THRESHOLDS: u16 = 3;
const LONGEST_PREFIXES: [u8; 2] = [32, 128];
/// From which prefix lengths on policies are hashed, of source and destination, for IPv4 and IPv6: the kernel's default.
pub(super) struct Thresholds([[u8; 2]; 2]);

impl Default for Thresholds {
    fn default() -> Self {
        Self([[32; 2], [128; 2]])
    }
}

/// `XFRM_USERPOLICY_ACCEPT`.
const DEFAULT_ACCEPT: u8 = 2;

impl Database {
    /// Answers all messages of a datagram.
    pub fn handle_datagram(&mut self, datagram: &[u8], clock: Clock) -> Answer {
        let mut answer = Answer::default();
        for message in wire::messages(datagram) {
            self.handle(message, clock, &mut answer);
        }
        answer.events = std::mem::take(&mut self.announced);
        answer
    }

    /// Answers one message.
    fn handle(&mut self, message: Message<'_>, clock: Clock, answer: &mut Answer) {
        let header = message.header;
        let wants_ack = header.flags & NLM_F_ACK != 0;
        // As `netlink_rcv_skb`: control messages and what is no request are only acknowledged.
        let outcome = if header.flags & NLM_F_REQUEST == 0 || header.kind < NEWSA {
            Ok((Vec::new(), false))
        } else if header.flags & NLM_F_DUMP != 0 && matches!(header.kind, GETSA | GETPOLICY) {
            answer.messages.extend(self.dump(message));
            return;
        } else {
            self.dispatch(message, clock)
        };
        match outcome {
            Ok((messages, changed)) => {
                answer.messages.extend(messages);
                answer.changed |= changed;
                if wants_ack {
                    answer.messages.push(wire::error_message(message, 0));
                }
            }
            Err(Errno(errno)) => answer.messages.push(wire::error_message(message, errno)),
        }
    }

    fn dispatch(&mut self, message: Message<'_>, clock: Clock) -> Outcome {
        let Message { header, payload } = message;
        match header.kind {
            ALLOCSPI => self.allocate_spi(header, payload, clock),
            NEWSA => self.new_state(header, payload, clock),
            UPDSA => self.update_state(header, payload, clock),
            DELSA => self.delete_state(header, payload),
            GETSA => self.get_state(header, payload),
            FLUSHSA => self.flush_states(header, payload),
            GETAE => self.get_replay(header, payload),
            NEWPOLICY => self.new_policy(header, payload, clock, true),
            UPDPOLICY => self.new_policy(header, payload, clock, false),
            DELPOLICY => self.delete_policy(header, payload),
            GETPOLICY => self.get_policy(header, payload),
            FLUSHPOLICY => self.flush_policies(header, payload),
            GETSADINFO => Ok((vec![self.sad_info(header, payload)?], false)),
            GETSPDINFO => Ok((vec![self.spd_info(header, payload)?], false)),
            NEWSPDINFO => self.set_thresholds(payload),
            GETDEFAULT => {
                let mut writer = Writer::new(reply(header, GETDEFAULT, 0));
                // What matches no policy is not blocked, in all three directions, as the kernel has it until it is told otherwise.
                writer.u8(DEFAULT_ACCEPT).u8(DEFAULT_ACCEPT).u8(DEFAULT_ACCEPT).zeros(1);
                Ok((vec![writer.finish()], false))
            }
            SETDEFAULT | NEWAE => Err(Errno(libc::EOPNOTSUPP)),
            // As a kernel without CONFIG_XFRM_MIGRATE.
            33 => Err(Errno(libc::ENOPROTOOPT)),
            _ => Err(Errno(libc::EINVAL)),
        }
    }

    fn dump(&self, message: Message<'_>) -> Vec<Vec<u8>> {
        let header = message.header;
        let mut messages = if header.kind == GETSA {
            let protocol = wire::attributes(message.payload)
                .find_map(|(kind, value)| (kind == XFRMA_PROTO).then(|| value.first().copied())?)
                .unwrap_or(0);
            let wanted = |p: u8| protocol == 0 || protocol == p || i32::from(protocol) == 255;
            let states = self.states.by_id.values();
            states
                .filter(|state| wanted(state.request.info.id.protocol))
                .map(|state| super::handler_state::write_state(state, reply(header, NEWSA, NLM_F_MULTI)))
                .collect::<Vec<_>>()
        } else {
            let policies = self.policies.by_index.values();
            policies
                .map(|policy| {
                    super::handler_policy::write_policy(policy, reply(header, NEWPOLICY, NLM_F_MULTI))
                })
                .collect()
        };
        messages.push(wire::done_message(header));
        messages
    }

    fn sad_info(&self, header: Header, payload: &[u8]) -> Result<Vec<u8>, Errno> {
        let flags = Reader::new(payload).u32()?;
        let mut writer = Writer::new(reply(header, NEWSADINFO, 0));
        let count = self.states.by_id.len() as u32;
        writer.u32(flags);
        // XFRMA_SAD_CNT; XFRMA_SAD_HINFO: buckets now and at most.
        writer.attribute(1, |w| {
            w.u32(count);
        });
        writer.attribute(2, |w| {
            w.u32(HASH_MASK + 1).u32(HASH_MAXIMUM);
        });
        Ok(writer.finish())
    }

    fn spd_info(&self, header: Header, payload: &[u8]) -> Result<Vec<u8>, Errno> {
        let flags = Reader::new(payload).u32()?;
        let count = |direction| {
            let policies = self.policies.by_index.values();
            policies.filter(|p| p.request.info.direction == direction).count() as u32
        };
        let mut writer = Writer::new(reply(header, NEWSPDINFO, 0));
        writer.u32(flags);
        // XFRMA_SPD_INFO: in, out, forward; then the same for socket policies, which do not exist here.
        writer.attribute(1, |w| {
            w.u32(count(XFRM_POLICY_IN)).u32(count(XFRM_POLICY_OUT)).u32(count(XFRM_POLICY_FWD)).zeros(12);
        });
        writer.attribute(2, |w| {
            w.u32(HASH_MASK).u32(HASH_MAXIMUM);
        });
        for (kind, thresholds) in (IPV4_THRESHOLDS..).zip(self.thresholds.0) {
            writer.attribute(kind, |w| {
                w.bytes(&thresholds);
            });
        }
        Ok(writer.finish())
    }

    /// A tuning of the kernel's tables, which ours do not need: shown again, and nothing else.
    fn set_thresholds(&mut self, payload: &[u8]) -> Outcome {
        let mut reader = Reader::new(payload);
        reader.u32()?;
        let mut thresholds = self.thresholds.0;
        for (kind, value) in wire::attributes(reader.rest()) {
            let Some(family) = kind.checked_sub(IPV4_THRESHOLDS).filter(|family| *family < 2) else {
                continue;
            };
            let family = usize::from(family);
            let bits = value.first_chunk::<2>().ok_or(Errno(libc::ERANGE))?;
            if bits.iter().any(|bits| *bits > LONGEST_PREFIXES[family]) {
                return Err(Errno(libc::EINVAL));
            }
            thresholds[family] = *bits;
        }
        self.thresholds = Thresholds(thresholds);
        Ok((Vec::new(), false))
    }
}

/// The header of a reply to a request.
pub(super) fn reply(request: Header, kind: u16, flags: u16) -> Header {
    Header { kind, flags, ..request }
}
