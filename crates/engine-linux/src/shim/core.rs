//! What a keeper holds: the instance, charon's control socket, the data plane and the tunnels, and how a tunnel is
//! made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use causeway_model::TrafficSelectors;
use causeway_plan::{Fingerprint, Instance, InstanceHealth, Tunnel};
use ipnet::IpNet;

use super::tunnels::Tunnels;
use super::wholeness::Damage;
use crate::dataplane::DataPlane;
use crate::error::{Doing, LinuxError};
use crate::names;
use crate::netns::{NftSocket, RouteSocket};
use crate::routes::{self, TABLE_INTO_TUNNELS, Way};
use crate::selectors::{self, Pair};
use crate::source_routing::{self, marks, marks::Marks};
use crate::strongswan::client::{Client, ViciError};
use crate::strongswan::connection::{self, LoadError, LocalEnd};
use crate::strongswan::sas;

/// What is held together by one lock. Every use of charon's command socket is under it, so that loads,
/// calls and looks do not interleave.
pub(super) struct Core {
    pub instance: Instance,
    pub health: InstanceHealth,
    pub charon_pid: Option<u32>,
    pub client: Option<Client>,
    pub tunnels: Tunnels,
    pub plane: Box<dyn DataPlane>,
    pub socket: RouteSocket,
    pub nft: NftSocket,
    /// What the firewall lets pass each tunnel: its interface and the pairs. Every tunnel with an interface is in it.
    pub admitted: BTreeMap<String, (String, BTreeSet<Pair>)>,
    pub marks: Marks,
    /// What was last found not to be as it was made.
    pub damage: Option<Damage>,
}

/// Why a tunnel could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum TunnelFailure {
    #[error("the tunnel's record")]
    Record(#[source] LinuxError),
    #[error("the file {0} is no record of a tunnel")]
    NoTunnel(PathBuf),
    #[error("the tunnel's interface")]
    Interface(#[source] LinuxError),
    #[error("charon")]
    Charon(#[from] LoadError),
    #[error("charon is not running")]
    NoCharon,
}

impl From<ViciError> for TunnelFailure {
    fn from(error: ViciError) -> Self {
        Self::Charon(error.into())
    }
}

impl Core {
    pub(super) fn new(instance: Instance, plane: Box<dyn DataPlane>) -> Result<Self, LinuxError> {
        Ok(Self {
            instance,
            health: InstanceHealth::Starting,
            charon_pid: None,
            client: None,
            tunnels: Tunnels::default(),
            plane,
            socket: RouteSocket::new().doing(|| "routing socket".into())?,
            nft: NftSocket::new().doing(|| "nftables socket".into())?,
            admitted: BTreeMap::new(),
            damage: None,
            marks: Marks::default(),
        })
    }

    /// Takes away what an earlier keeper's tunnels left in the firewall.
    pub(super) async fn clear(&self) -> Result<(), LinuxError> {
        selectors::clear(&self.nft).await?;
        marks::clear(&self.nft, &self.socket).await
    }

    /// Makes a tunnel. Where only its children changed, those that stay carry traffic all the while.
    pub(super) async fn make(
        &mut self,
        name: &str,
        tunnel: Tunnel,
        fingerprint: Fingerprint,
    ) -> Result<(), TunnelFailure> {
        let known = self.tunnels.get(name).filter(|kept| kept.loaded).map(|kept| kept.tunnel.clone());
        let reshaped = known.filter(|old| has_other_children_only(old, &tunnel));
        let is_reshaped = reshaped.is_some();
        let old = match reshaped {
            Some(old) => {
                self.tunnels.reshape(name, tunnel.clone(), fingerprint);
                Some(old)
            }
            None => self.tunnels.put(name, tunnel.clone(), fingerprint),
        };
        if let Some(old) = &old {
            self.drop_stale(old, Some(&tunnel)).await.map_err(TunnelFailure::Interface)?;
        }
        self.prepare_interface(name, &tunnel).await.map_err(TunnelFailure::Interface)?;
        // A charon that is just starting takes the tunnel with all others when it is up.
        match self.health {
            InstanceHealth::Active => self.hand_over(name, &tunnel, old.is_some() && !is_reshaped).await,
            InstanceHealth::Starting | InstanceHealth::Failed(_) => Err(TunnelFailure::NoCharon),
        }
    }

    /// Takes a tunnel's interface, routes and place in the firewall away.
    pub(super) async fn forget(&mut self, name: &str) -> Result<(), TunnelFailure> {
        self.admit_nothing(name).await.map_err(TunnelFailure::Interface)?;
        if let Some(old) = self.tunnels.remove(name) {
            self.drop_stale(&old, None).await.map_err(TunnelFailure::Interface)?;
            self.mark().await.map_err(TunnelFailure::Interface)?;
        }
        Ok(())
    }

    /// Calls the peers of these tunnels for the children that they lack.
    pub(super) async fn call(&mut self, names: &[String]) -> Result<(), ViciError> {
        for name in names {
            let Some(kept) = self.tunnels.get(name).filter(|kept| kept.wants_call()) else { continue };
            for child in kept.missing() {
                if let Some(client) = &mut self.client {
                    connection::initiate(client, name, &child).await?;
                }
            }
            self.tunnels.set_called(name);
        }
        Ok(())
    }

    /// Ends the CHILD_SAs of children that are no longer a tunnel's.
    pub(super) async fn end_stale(&mut self) -> Result<(), ViciError> {
        let stale = self.tunnels.iter().map(|(name, kept)| (name.clone(), kept.stale()));
        let stale: Vec<(String, Vec<String>)> = stale.filter(|(_, children)| !children.is_empty()).collect();
        for (name, children) in stale {
            for child in children {
                if let Some(client) = &mut self.client {
                    connection::terminate_child(client, &name, &child).await?;
                }
            }
        }
        Ok(())
    }

    /// Looks at charon's SAs; tells whether any tunnel's state changed.
    pub(super) async fn look(&mut self) -> bool {
        let Some(client) = &mut self.client else { return false };
        match sas::list(client).await {
            Ok(seen) => self.tunnels.refresh(&seen),
            Err(error) => {
                // The loop that keeps charon running sees that there is no client and starts a new charon.
                super::say(format_args!("looking at the SAs: {error}"));
                self.client = None;
                false
            }
        }
    }

    /// Gives charon a tunnel. One that it may have had before is closed first, because SAs of the old
    /// configuration would stay.
    pub(super) async fn hand_over(
        &mut self,
        name: &str,
        tunnel: &Tunnel,
        had_before: bool,
    ) -> Result<(), TunnelFailure> {
        let end = LocalEnd { address: self.instance.public_ip, force_encap: self.plane.force_encap() };
        let client = self.client.as_mut().ok_or(TunnelFailure::NoCharon)?;
        if had_before {
            connection::unload(client, name).await?;
        }
        connection::load(client, tunnel, end).await?;
        self.tunnels.set_loaded(name);
        Ok(())
    }

    /// Makes every tunnel's routes and place in the firewall again, and puts its interface up.
    pub(super) async fn make_interfaces_again(&mut self) -> Result<(), LinuxError> {
        self.clear().await?;
        self.admitted.values_mut().for_each(|(_, pairs)| pairs.clear());
        self.marks = Marks::default();
        let known: Vec<String> = self.admitted.keys().cloned().collect();
        for name in known {
            let tunnel = self.tunnels.get(&name).map(|kept| kept.tunnel.clone());
            if let Some(tunnel) = tunnel {
                self.prepare_interface(&name, &tunnel).await?;
            }
        }
        Ok(())
    }

    /// Makes a tunnel's interface with its addresses, traffic selectors and routes.
    pub(super) async fn prepare_interface(&mut self, name: &str, tunnel: &Tunnel) -> Result<(), LinuxError> {
        let link = names::tunnel(tunnel.if_id);
        self.plane.ensure_interface(tunnel.if_id, &link, self.instance.inner_mtu).await?;
        let addresses: Vec<IpNet> = tunnel.inner_address.into_iter().collect();
        crate::links::set_addresses(&self.socket, &link, &addresses).await?;
        crate::links::up(&self.socket, &link).await?;
        self.admit(name, tunnel, &link).await?;
        self.add_routes(tunnel).await?;
        self.mark().await
    }

    /// Leads packets by their source too, where tunnels want the same destinations.
    async fn mark(&mut self) -> Result<(), LinuxError> {
        // The others have no interface yet.
        let prepared = self.tunnels.iter().filter(|(name, _)| self.admitted.contains_key(*name));
        let wishes = prepared.flat_map(|(_, kept)| source_routing::wishes(&kept.tunnel));
        let wanted = source_routing::contested(wishes.collect());
        self.marks.change(&self.nft, &self.socket, wanted).await
    }

    /// Lets the firewall pass what the tunnel's children protect, and nothing else.
    async fn admit(&mut self, name: &str, tunnel: &Tunnel, link: &str) -> Result<(), LinuxError> {
        if self.admitted.get(name).is_some_and(|(known, _)| known != link) {
            self.admit_nothing(name).await?;
        }
        let pairs = tunnel.children.iter().flat_map(TrafficSelectors::pairs);
        let new = selectors::apart(pairs.map(|(local, remote)| (remote, local)));
        let none = BTreeSet::new();
        let old = self.admitted.get(name).map_or(&none, |(_, old)| old);
        selectors::change(&self.nft, link, old, &new).await?;
        self.admitted.insert(name.to_owned(), (link.to_owned(), new));
        Ok(())
    }

    async fn admit_nothing(&mut self, name: &str) -> Result<(), LinuxError> {
        let Some((link, old)) = self.admitted.get(name) else { return Ok(()) };
        selectors::change(&self.nft, link, old, &BTreeSet::new()).await?;
        self.admitted.remove(name);
        Ok(())
    }

    async fn add_routes(&self, tunnel: &Tunnel) -> Result<(), LinuxError> {
        let link = names::tunnel(tunnel.if_id);
        let way = Way { gateway: None, link: Some(&link), onlink: false, table: TABLE_INTO_TUNNELS };
        for to in &tunnel.routes {
            routes::set(&self.socket, *to, way).await?;
        }
        Ok(())
    }

    /// Takes away what an old version of a tunnel had and its new one has not. Another tunnel that has the
    /// same route gets it back.
    async fn drop_stale(&mut self, old: &Tunnel, new: Option<&Tunnel>) -> Result<(), LinuxError> {
        let new_routes = new.map_or(&[][..], |tunnel| &tunnel.routes);
        let gone: Vec<IpNet> = old.routes.iter().filter(|r| !new_routes.contains(r)).copied().collect();
        for to in &gone {
            routes::remove(&self.socket, *to, TABLE_INTO_TUNNELS).await?;
        }
        if new.is_none_or(|tunnel| tunnel.if_id != old.if_id) {
            let is_last = new.is_none() && self.tunnels.iter().next().is_none();
            self.plane.remove_interface(old.if_id, &names::tunnel(old.if_id), is_last).await?;
        }
        let others = self.tunnels.iter().map(|(_, kept)| &kept.tunnel);
        for other in others.filter(|tunnel| tunnel.key != old.key) {
            if other.routes.iter().any(|to| gone.contains(to)) {
                self.add_routes(other).await?;
            }
        }
        Ok(())
    }
}

/// Whether two versions of a tunnel differ only in what can change under the IKE_SA that is there.
fn has_other_children_only(old: &Tunnel, new: &Tunnel) -> bool {
    let as_old = Tunnel {
        children: old.children.clone(),
        routes: old.routes.clone(),
        initiation: old.initiation,
        inner_address: old.inner_address,
        ..new.clone()
    };
    as_old == *old
}
