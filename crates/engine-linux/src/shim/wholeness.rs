//! Whether an instance's namespace is as it was made. The kernel tells of every change; what somebody else took away is
//! found by looking, and is mended: tunnels' parts here, everything else by the engine, which made it.

use std::sync::Arc;
use std::time::Duration;

use causeway_plan::Instance;
use futures_util::{FutureExt, StreamExt};
use ipnet::IpNet;
use nlink::netlink::RtnetlinkGroup;
use nlink::netlink::nftables::events::NftablesGroup;
use tokio::time::{sleep, timeout};

use super::core::Core;
use super::keeper::Keeper;
use super::protocol::Refusal;
use crate::error::{Doing, LinuxError};
use crate::instance::MAIN_RULE;
use crate::names::{PRIVATE, PUBLIC};
use crate::netns::{NftSocket, RouteSocket};
use crate::routes::{DIRECTION_RULES, TABLE_INTO_NETWORK, TABLE_MAIN, is_direction_rule};
use crate::{firewall, selectors, shaping};

/// Changes come in bursts: one look at the end is enough.
const BURST: Duration = Duration::from_millis(100);
/// Without any event it is looked this often: the kernel may have dropped events.
const LOOK_AT_LEAST: Duration = Duration::from_secs(60);
/// The longest pause between two attempts to mend the same.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

const GROUPS: &[RtnetlinkGroup] = &[
    RtnetlinkGroup::Link,
    RtnetlinkGroup::Ipv4Addr,
    RtnetlinkGroup::Ipv4Route,
    RtnetlinkGroup::Ipv4Rule,
    RtnetlinkGroup::Ipv6Rule,
    RtnetlinkGroup::Ipv4Netconf,
    RtnetlinkGroup::Tc,
];

/// What is not as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    /// Of the instance: the engine makes it again.
    Instance(String),
    /// Of a tunnel: the keeper makes it again.
    Tunnel(String),
    /// A tunnel's interface is gone, and the data plane holds what is left of it: it has to be started anew.
    Interface(String),
}

impl Damage {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Instance(text) | Self::Tunnel(text) | Self::Interface(text) => text,
        }
    }
}

/// Looks after the namespace until a tunnel's interface is gone.
pub(super) async fn keep_whole(keeper: Arc<Keeper>) -> String {
    let mut pause = BURST;
    loop {
        if let Err(error) = follow(&keeper, &mut pause).await {
            keeper.log_line(format!("changes of the namespace: {}", Refusal::from_error(&error)));
        } else if let Some(Damage::Interface(what)) = &keeper.core.lock().await.damage {
            return what.clone();
        }
        sleep(LONGEST_PAUSE).await;
    }
}

/// Looks whenever the kernel tells of a change. Returns when an interface is gone.
async fn follow(keeper: &Keeper, pause: &mut Duration) -> Result<(), LinuxError> {
    let what = || "changes of the namespace".to_owned();
    let links = RouteSocket::new().doing(what)?;
    links.subscribe(GROUPS).doing(what)?;
    let rules = NftSocket::new().doing(what)?;
    rules.subscribe(&[NftablesGroup::All]).doing(what)?;
    let (mut links, mut rules) = (links.into_events().await, rules.into_events().await);
    loop {
        let damage = keeper.inspect().await?;
        match damage {
            Some(Damage::Interface(_)) => return Ok(()),
            Some(Damage::Tunnel(_)) => {
                keeper.mend().await?;
                sleep(*pause).await;
                *pause = (*pause * 2).min(LONGEST_PAUSE);
            }
            Some(Damage::Instance(_)) | None => *pause = BURST,
        }
        let event = async {
            tokio::select! {
                event = links.next() => event.is_some(),
                event = rules.next() => event.is_some(),
            }
        };
        if timeout(LOOK_AT_LEAST, event).await == Ok(false) {
            // A stream that ended tells nothing any more.
            return Err(LinuxError::Stopped);
        }
        sleep(BURST).await;
        while links.next().now_or_never().flatten().is_some() {}
        while rules.next().now_or_never().flatten().is_some() {}
    }
}

impl Core {
    /// What is not as it was made.
    pub(super) async fn find_damage(&self) -> Result<Option<Damage>, LinuxError> {
        let links = self.socket.get_links().await.doing(|| "links".into())?;
        let usable = |name: &str| links.iter().any(|link| link.name() == Some(name) && link.is_up());
        for tunnel in self.admitted.values().map(|(link, _)| link) {
            if !links.iter().any(|link| link.name() == Some(tunnel)) {
                return Ok(Some(Damage::Interface(format!("the interface {tunnel} is gone"))));
            }
        }
        if let Some(what) = instance_damage(self, &usable).await? {
            return Ok(Some(Damage::Instance(what)));
        }
        let down = self.admitted.values().find(|(link, _)| !usable(link));
        if let Some((link, _)) = down {
            return Ok(Some(Damage::Tunnel(format!("the interface {link} is down"))));
        }
        let wanted = self.admitted.values().flat_map(|(_, pairs)| pairs);
        let wanted = wanted.filter(|pair| selectors::Version::of(pair).is_some()).count();
        let seen = selectors::count(&self.nft).await?;
        let what = || format!("the firewall has {seen} of {wanted} traffic selectors");
        if seen != wanted {
            return Ok(Some(Damage::Tunnel(what())));
        }
        let are_whole = self.marks.are_whole(&self.nft, &self.socket).await?;
        Ok((!are_whole).then(|| Damage::Tunnel("marks by source are not as they were made".to_owned())))
    }
}

async fn instance_damage(core: &Core, usable: &impl Fn(&str) -> bool) -> Result<Option<String>, LinuxError> {
    let (socket, instance) = (&core.socket, &core.instance);
    for link in [PUBLIC, PRIVATE] {
        if !usable(link) {
            return Ok(Some(format!("the {link} leg is gone or down")));
        }
    }
    for (link, address) in addresses(instance) {
        let seen = socket.get_addresses_by_name(link).await.doing(|| format!("addresses of {link}"))?;
        if !seen
            .iter()
            .any(|it| it.address() == Some(&address.addr()) && it.prefix_len() == address.prefix_len())
        {
            return Ok(Some(format!("the {link} leg lacks its address {}", address.addr())));
        }
    }
    let routes = socket.get_routes().await.doing(|| "routes".into())?;
    for table in [TABLE_MAIN, TABLE_INTO_NETWORK] {
        if !routes.iter().any(|route| route.table_id() == table && route.is_default()) {
            return Ok(Some(format!("table {table} lacks its default route")));
        }
    }
    let rules = socket.get_rules().await.doing(|| "rules".into())?;
    for (family, name) in [(libc::AF_INET, "IPv4"), (libc::AF_INET6, "IPv6")] {
        let of_family = || rules.iter().filter(|rule| i32::from(rule.family()) == family);
        if !of_family().any(|rule| rule.priority() == MAIN_RULE) {
            return Ok(Some(format!("the main table of {name} is not looked in")));
        }
        let count = of_family().filter(|rule| is_direction_rule(rule.priority())).count();
        if count < DIRECTION_RULES {
            return Ok(Some(format!("{count} of {DIRECTION_RULES} routing rules of {name} are there")));
        }
    }
    let forwarding = std::fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap_or_default();
    if forwarding.trim() != "1" {
        return Ok(Some("it does not forward packets".to_owned()));
    }
    if instance.bandwidth_mbps.is_some() && !shaping::is_set(socket, PRIVATE).await? {
        return Ok(Some("the bandwidth is not enforced".to_owned()));
    }
    firewall::damage(&core.nft, instance.inner_mtu, instance.mss).await
}

fn addresses(instance: &Instance) -> [(&'static str, IpNet); 2] {
    let private = IpNet::new(instance.private_ip, instance.subnet_cidr.prefix_len());
    [
        (PUBLIC, crate::routes::host(instance.public_ip)),
        (PRIVATE, private.unwrap_or_else(|_| crate::routes::host(instance.private_ip))),
    ]
}
