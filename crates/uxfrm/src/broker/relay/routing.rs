//! Rules for policies without an `if_id`, and what may change them.

use crate::broker::BrokerConfig;
use crate::broker::inbound_policies::InboundPolicies;
use crate::broker::policy_routing::PolicyRouting;
use crate::database::policies::PolicyKey;
use crate::sys;
use crate::sys::rtnetlink::RouteSocket;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What could not be made is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);
/// Of many inbound policies those are taken together that come within so long.
const GATHER: Duration = Duration::from_millis(100);

/// Rules for policies without an `if_id`, and where changes are heard of that concern them.
pub(super) struct Routing {
    policies: PolicyRouting,
    inbound: InboundPolicies,
    /// It was said that the inbound policies are not enforced.
    said: bool,
    enforced_at: Option<Instant>,
    pub(super) changes: RouteSocket,
    /// When to try again what could not be made.
    pub(super) retry_at: Option<Instant>,
}

impl Routing {
    /// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`.
    const GROUPS: u32 = 1 | 0x10 | 0x100;

    pub(super) fn new(config: &BrokerConfig) -> io::Result<Self> {
        let name = config.engine.name_of(0);
        let open = || {
            let changes = RouteSocket::open(Self::GROUPS)?;
            let (policies, inbound) = (PolicyRouting::new(name.clone())?, InboundPolicies::new(name));
            Ok(Self { policies, inbound, said: false, enforced_at: None, changes, retry_at: None })
        };
        match &config.netns {
            Some(netns) => sys::netns::run_in(netns.as_fd(), open),
            None => open(),
        }
    }

    /// See [`PolicyRouting::hold`].
    pub(super) fn hold(&mut self, number: u32, request: &[u8]) -> io::Result<()> {
        self.policies.hold(number, request)
    }

    /// See [`PolicyRouting::release`].
    pub(super) fn release(&mut self, number: u32) {
        self.policies.release(number);
    }

    /// The engine has done what was requested.
    ///
    /// # Errors
    /// Of the rules for what goes out or is forwarded. What comes in is tried again by itself.
    pub(super) fn accepted(&mut self, request: &[u8]) -> io::Result<()> {
        self.inbound.accepted(request);
        self.enforce();
        self.policies.accepted(request)
    }

    /// A policy has come to the end of its lifetime.
    ///
    /// # Errors
    /// As [`Routing::accepted`].
    pub(super) fn expired(&mut self, policy: PolicyKey) -> io::Result<()> {
        self.inbound.expired(policy);
        self.enforce();
        self.policies.expired(policy)
    }

    /// Removes what a broker that was killed has left.
    pub(super) fn clean(&mut self) {
        self.policies.clean();
        self.inbound.clean();
    }

    /// Removes everything, for a broker that ends.
    pub(super) fn end(&mut self) {
        self.policies.end();
        self.inbound.end();
    }

    /// Brings the rules up to date with interfaces and addresses; what fails is tried again.
    pub(super) fn refresh(&mut self) {
        let result = self.policies.refresh();
        self.retry_at = result.is_err().then(|| Instant::now() + RETRY);
        if let Err(error) = result {
            tracing::error!(%error, "cannot bring the rules of policies up to date");
        }
        self.enforce();
    }

    /// Brings what comes in up to date. Of many policies not each has the table replaced: those that follow each other closely
    /// hold together. Without nftables there is no check of what comes in, which is said once.
    fn enforce(&mut self) {
        if self.inbound.is_enforced() {
            return;
        }
        let now = Instant::now();
        let due = self.enforced_at.filter(|_| self.inbound.is_large()).map_or(now, |at| at + GATHER);
        if due > now {
            self.retry_by(due);
            return;
        }
        let result = self.inbound.refresh();
        self.enforced_at = Some(Instant::now());
        let Err(error) = result else {
            self.said = false;
            return;
        };
        if !std::mem::replace(&mut self.said, true) {
            tracing::error!(
                %error,
                "inbound policies are not enforced for what comes to this host itself in clear (nftables)"
            );
        }
        self.retry_by(Instant::now() + RETRY);
    }

    fn retry_by(&mut self, at: Instant) {
        self.retry_at = Some(self.retry_at.map_or(at, |before| before.min(at)));
    }

    /// The rules of a policy could not be made when request `number` was done.
    pub(super) fn postpone(&mut self, number: u32) {
        self.policies.postpone(number);
        self.retry_by(Instant::now() + RETRY);
    }
}
