//! Rules for policies without an `if_id`, and what may change them.

use crate::broker::BrokerConfig;
use crate::broker::policy_routing::PolicyRouting;
use crate::sys;
use crate::sys::rtnetlink::RouteSocket;
use std::io;
use std::os::fd::AsFd;

/// Rules for policies without an `if_id`, and where changes are heard of that concern them.
pub(super) struct Routing {
    pub(super) policies: PolicyRouting,
    pub(super) changes: RouteSocket,
}

impl Routing {
    /// `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`.
    const GROUPS: u32 = 1 | 0x10 | 0x100;

    pub(super) fn new(config: &BrokerConfig) -> io::Result<Self> {
        let name = config.engine.name_of(0);
        let open =
            || Ok(Self { policies: PolicyRouting::new(name)?, changes: RouteSocket::open(Self::GROUPS)? });
        match &config.netns {
            Some(netns) => sys::netns::run_in(netns.as_fd(), open),
            None => open(),
        }
    }
}
