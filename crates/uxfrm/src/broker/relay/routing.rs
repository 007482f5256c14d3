//! Rules for policies without an `if_id`, and what may change them.

use crate::broker::BrokerConfig;
use crate::broker::policy_routing::PolicyRouting;
use crate::sys;
use crate::sys::rtnetlink::RouteSocket;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What could not be made is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);

/// Rules for policies without an `if_id`, and where changes are heard of that concern them.
pub(super) struct Routing {
    pub(super) policies: PolicyRouting,
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
            let (policies, changes) = (PolicyRouting::new(name)?, RouteSocket::open(Self::GROUPS)?);
            Ok(Self { policies, changes, retry_at: None })
        };
        match &config.netns {
            Some(netns) => sys::netns::run_in(netns.as_fd(), open),
            None => open(),
        }
    }

    /// Brings the rules up to date with interfaces and addresses; what fails is tried again.
    pub(super) fn refresh(&mut self) {
        let result = self.policies.refresh();
        self.retry_at = result.is_err().then(|| Instant::now() + RETRY);
        if let Err(error) = result {
            tracing::error!(%error, "cannot bring the rules of policies up to date");
        }
    }

    /// The rules of a policy could not be made when request `number` was done.
    pub(super) fn postpone(&mut self, number: u32) {
        self.policies.postpone(number);
        self.retry_at = Some(Instant::now() + RETRY);
    }
}
