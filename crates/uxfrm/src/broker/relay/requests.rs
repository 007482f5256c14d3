//! The daemon's requests on their way to the engine, and the answers.

use super::Relay;
use crate::broker::journal;
use crate::database::policies::PolicyKey;
use crate::engine::link::Kind;
use crate::sys::message;
use crate::xfrm::constants::{FLUSHPOLICY, FLUSHSA, NLM_F_REQUEST, NLMSG_ERROR};
use crate::xfrm::wire::{self, Header, Writer};
use std::time::Instant;
use zeroize::Zeroizing;

/// Longest datagram of netlink requests, in bytes. strongSwan's largest is under 2 KiB.
const MAX_REQUEST_LEN: usize = 8 * 1024;
/// Requests that may wait for an engine that is starting.
const MAX_QUEUED: usize = 256;
/// The connection of requests that the broker itself makes.
const NOBODY: u32 = 0;

/// A request on its way.
pub(super) struct Pending {
    connection: u32,
    header: Header,
    pub since: Instant,
    /// A copy of a request about policies, for the journal.
    journal: Option<Vec<u8>>,
    /// The engine may have it.
    pub sent: bool,
    failed: bool,
    /// The answer to a request about policies: who asked gets it when the rules are those of the policies.
    held: Vec<Vec<u8>>,
    /// There was no room for all of the answer.
    cut: bool,
    /// Who asked was told that it took too long. The engine may still do it, and the journal must know then.
    pub late: bool,
}

impl Relay {
    pub(super) fn serve_connection(&mut self, id: u32) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut datagram = Zeroizing::new(vec![0; MAX_REQUEST_LEN]);
        match message::receive(connection.server(), &mut datagram, false) {
            Ok(None) => return,
            Ok(Some((len, _))) if len > 0 => datagram.truncate(len),
            // Too long: its beginning says whose answer the refusal is.
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                if let Some(header) = wire::header(&datagram) {
                    connection.deliver_error(header, libc::EMSGSIZE);
                }
                return;
            }
            _ => {
                self.connections.remove(&id);
                self.tell_groups();
                return;
            }
        }
        // One by one, so that each has its own answer and its own place in the journal.
        for (header, request) in wire::split(&datagram) {
            self.submit(id, header, Zeroizing::new(request.to_vec()));
        }
    }

    fn submit(&mut self, connection: u32, header: Header, request: Zeroizing<Vec<u8>>) {
        let number = self.id();
        let journal = journal::concerns_policies(&request).then(|| request.to_vec());
        if let Some(request) = &journal
            && let Err(errno) = self.hold(number, request)
        {
            if let Some(connection) = self.connections.get_mut(&connection) {
                connection.deliver_error(header, errno);
            }
            return;
        }
        let since = Instant::now();
        let mut pending = Pending {
            connection,
            header,
            since,
            journal,
            sent: false,
            failed: false,
            held: Vec::new(),
            cut: false,
            late: false,
        };
        match self.engine.as_mut().filter(|engine| engine.ready) {
            // Too much that waits means a hung engine: the timer answers.
            Some(engine) => pending.sent = engine.send(Kind::Request, number, &request).is_ok(),
            None if self.queued.len() < MAX_QUEUED || connection == NOBODY => {
                self.queued.push_back((number, request));
            }
            None => {}
        }
        self.pending.insert(number, pending);
    }

    /// What a policy protects does not leave in clear from now on. An `errno` where that cannot be had.
    fn hold(&mut self, number: u32, request: &[u8]) -> Result<(), i32> {
        let Some(routing) = &mut self.routing else { return Ok(()) };
        routing.hold(number, request).map_err(|error| {
            tracing::error!(%error, "no rule can be had for a policy, which is refused");
            routing.release(number);
            error.raw_os_error().unwrap_or(libc::EIO)
        })
    }

    /// A request will not be answered any more, or its policy is in force.
    pub(super) fn release(&mut self, number: u32) {
        if let Some(routing) = &mut self.routing {
            routing.release(number);
        }
    }

    /// Notes what the engine has done. Whether the rules are what they should be.
    fn accepted(&mut self, request: &[u8]) -> bool {
        self.journal.accepted(request);
        let Some(routing) = &mut self.routing else { return true };
        let result = routing.accepted(request);
        if let Err(error) = &result {
            tracing::error!(%error, "rules of a policy are missing: what it protects stays blocked");
        }
        result.is_ok()
    }

    /// A policy has come to the end of its lifetime.
    pub(super) fn expired(&mut self, policy: PolicyKey) {
        self.journal.remove(&policy);
        let Some(routing) = &mut self.routing else { return };
        if let Err(error) = routing.expired(policy) {
            tracing::error!(%error, "rules of a policy that has expired stay");
            routing.postpone(NOBODY);
        }
    }

    /// Tells the engine which events somebody wants to hear of, where that has changed.
    pub(super) fn tell_groups(&mut self) {
        let groups = self.connections.values().fold(0, |all, connection| all | connection.groups);
        let Some(engine) = self.engine.as_mut().filter(|engine| engine.ready && groups != self.listened)
        else {
            return;
        };
        // One that cannot be sent is tried again; an engine that is gone is told by the end of the link.
        if engine.send(Kind::Listen, groups, &[]).is_ok() {
            self.listened = groups;
        }
    }

    /// Empties the engine's databases: this engine's, or the next one's.
    pub(super) fn flush(&mut self) {
        for kind in [FLUSHPOLICY, FLUSHSA] {
            let header = Header { kind, flags: NLM_F_REQUEST, sequence: 0, port: 0 };
            let mut writer = Writer::new(header);
            // Protocol 0: all SAs.
            writer.zeros(4);
            let request = writer.finish();
            // Now for an engine that dies, and again when it is done for what is on its way before it.
            self.accepted(&request);
            self.submit(NOBODY, header, Zeroizing::new(request));
        }
    }

    /// A new engine serves: what waited for it is sent.
    pub(super) fn send_queued(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        for (number, request) in self.queued.drain(..) {
            if let Some(pending) = self.pending.get_mut(&number) {
                pending.sent = engine.send(Kind::Request, number, &request).is_ok();
            }
        }
    }

    pub(super) fn reply(&mut self, number: u32, body: &mut [u8]) {
        let Some(pending) = self.pending.get_mut(&number) else {
            if number == 0 {
                tracing::error!("the engine refuses a policy that the one before it had");
            }
            return;
        };
        let error = wire::messages(body)
            .any(|m| m.header.kind == NLMSG_ERROR && m.payload.first_chunk() != Some(&0i32.to_ne_bytes()));
        pending.failed |= error;
        // A long answer is under way.
        pending.since = Instant::now();
        if pending.journal.is_some() {
            pending.held.push(body.to_vec());
        } else if let Some(connection) =
            self.connections.get_mut(&pending.connection).filter(|_| !pending.late)
        {
            pending.cut |= !connection.deliver(body);
        }
    }

    /// The engine has dealt with a request. `meaning` is what it was in other words, where these are needed.
    pub(super) fn done(&mut self, number: u32, meaning: &[u8]) {
        let Some(mut pending) = self.pending.remove(&number) else { return };
        let mut in_force = true;
        if let (Some(request), false) = (&pending.journal, pending.failed) {
            in_force = self.accepted(if meaning.is_empty() { request } else { meaning });
        }
        match &mut self.routing {
            Some(routing) if !in_force => routing.postpone(number),
            _ if pending.journal.is_some() => self.release(number),
            _ => {}
        }
        let Some(connection) = self.connections.get_mut(&pending.connection) else { return };
        for body in pending.held.iter_mut().filter(|_| !pending.late) {
            pending.cut |= !connection.deliver(body);
        }
        if pending.cut {
            connection.deliver_error(pending.header, libc::ENOBUFS);
        }
    }

    /// Answers in the engine's place.
    pub(super) fn fail(&mut self, number: u32) {
        let Some(pending) = self.pending.get_mut(&number).filter(|pending| !pending.late) else { return };
        if let Some(connection) = self.connections.get_mut(&pending.connection) {
            connection.deliver_error(pending.header, libc::ETIMEDOUT);
        }
        pending.late = true;
        let matters = pending.connection == NOBODY || pending.sent && pending.journal.is_some();
        if !matters {
            self.pending.remove(&number);
            self.release(number);
            self.queued.retain(|(queued, _)| *queued != number);
        }
    }
}
