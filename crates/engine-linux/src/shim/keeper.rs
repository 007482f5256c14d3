//! The keeper's state and what can be done with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use causeway_plan::{Instance, InstanceHealth, Object, Tunnel};
use ipnet::IpNet;
use tokio::sync::{Mutex, Notify, watch};

use super::ShimArgs;
use super::protocol::Status;
use super::tunnels::Tunnels;
use crate::dataplane::{self, DataPlane};
use crate::error::{Doing, LinuxError};
use crate::names;
use crate::netns::RouteSocket;
use crate::records;
use crate::routes::{self, TABLE_INTO_TUNNELS, Way};
use crate::strongswan::client::{Client, ViciError};
use crate::strongswan::connection::{self, LoadError, LocalEnd};
use crate::strongswan::sas;

/// How many lines of charon's log are kept.
const LOG_LINES: usize = 300;

/// How long a request waits for a charon that is starting.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// The keeper of one instance.
pub(super) struct Keeper {
    pub args: ShimArgs,
    pub core: Mutex<Core>,
    /// Counts changes of the status.
    changes: watch::Sender<u64>,
    /// Rung when the times of calls have changed.
    pub calls_changed: Notify,
    /// Becomes true when the keeper is to end.
    stopping: watch::Sender<bool>,
    pub log: std::sync::Mutex<std::collections::VecDeque<String>>,
}

/// What is held together by one lock. Every use of charon's command socket is under it, so that loads,
/// calls and looks do not interleave.
pub(super) struct Core {
    pub instance: Instance,
    pub health: InstanceHealth,
    pub charon_pid: Option<u32>,
    pub client: Option<Client>,
    pub tunnels: Tunnels,
    pub plane: Box<dyn DataPlane>,
    socket: RouteSocket,
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

impl Keeper {
    pub(super) fn new(args: ShimArgs) -> Result<Self, LinuxError> {
        let instance = read_instance(&args)?;
        let (dir, vici) = (&args.instance_dir, vici_socket(&args.instance_dir));
        let plane = dataplane::start(args.data_plane, dir, &instance, &vici)?;
        let core = Core {
            instance,
            health: InstanceHealth::Starting,
            charon_pid: None,
            client: None,
            tunnels: Tunnels::default(),
            plane,
            socket: RouteSocket::new().doing(|| "routing socket".into())?,
        };
        Ok(Self {
            args,
            core: Mutex::new(core),
            changes: watch::Sender::new(0),
            calls_changed: Notify::new(),
            stopping: watch::Sender::new(false),
            log: std::sync::Mutex::default(),
        })
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits until the keeper is to end.
    pub(super) async fn stopped(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Waits while charon is starting.
    pub(super) async fn started(&self) {
        let mut changes = self.watch();
        while self.core.lock().await.health == InstanceHealth::Starting {
            if tokio::time::timeout(START_PATIENCE, changes.changed()).await.is_err() {
                return;
            }
        }
    }

    pub(super) fn log_line(&self, line: String) {
        let mut log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        log.push_back(line);
    }

    pub(super) async fn status(&self) -> Status {
        let mut core = self.core.lock().await;
        // Whoever sees a change first tells the others: the event may come later and bring no news.
        if core.look().await {
            self.changed();
        }
        Status {
            health: core.health.clone(),
            data_plane: core.plane.name().to_owned(),
            charon_pid: core.charon_pid,
            tunnels: core.tunnels.report(),
        }
    }

    /// Reads the instance's record again. Tunnels are made anew when the address they end on changed.
    pub(super) async fn reload(&self) -> Result<(), TunnelFailure> {
        let instance = read_instance(&self.args).map_err(TunnelFailure::Record)?;
        let mut core = self.core.lock().await;
        let moved = core.instance.public_ip != instance.public_ip;
        let resized = core.instance.inner_mtu != instance.inner_mtu;
        core.instance = instance;
        let names = if moved || resized { core.tunnels.names() } else { Vec::new() };
        for name in names {
            let tunnel = core.tunnels.get(&name).map(|kept| kept.tunnel.clone());
            let Some(tunnel) = tunnel else { continue };
            core.prepare_interface(&tunnel).await.map_err(TunnelFailure::Interface)?;
            if moved {
                core.hand_over(&name, &tunnel, true).await?;
            }
        }
        drop(core);
        self.calls_changed.notify_one();
        self.changed();
        Ok(())
    }

    /// Makes a tunnel as its record says.
    pub(super) async fn load(&self, name: &str) -> Result<(), TunnelFailure> {
        let path = records::tunnel_path(&self.args.instance_dir, name);
        let record = records::read(&path).map_err(TunnelFailure::Record)?;
        let Object::Tunnel(tunnel) = record.object else { return Err(TunnelFailure::NoTunnel(path)) };
        let mut core = self.core.lock().await;
        let known = core.tunnels.get(name);
        if known.is_some_and(|kept| kept.loaded && kept.fingerprint == record.fingerprint) {
            return Ok(());
        }
        let old = core.tunnels.put(name, (*tunnel).clone(), record.fingerprint);
        if let Some(old) = &old {
            core.drop_stale(old, Some(&tunnel)).await.map_err(TunnelFailure::Interface)?;
        }
        core.prepare_interface(&tunnel).await.map_err(TunnelFailure::Interface)?;
        // A charon that is just starting takes the tunnel with all others when it is up.
        let result = match core.health {
            InstanceHealth::Active => core.hand_over(name, &tunnel, old.is_some()).await,
            InstanceHealth::Starting | InstanceHealth::Failed(_) => Err(TunnelFailure::NoCharon),
        };
        drop(core);
        self.calls_changed.notify_one();
        self.changed();
        result
    }

    /// Closes every tunnel and tells the peers.
    pub(super) async fn close_all(&self) {
        let mut core = self.core.lock().await;
        for name in core.tunnels.names() {
            if let Some(client) = &mut core.client {
                let _ = connection::terminate(client, &name).await;
            }
        }
    }

    /// Takes a tunnel away.
    pub(super) async fn unload(&self, name: &str) -> Result<(), TunnelFailure> {
        let mut core = self.core.lock().await;
        if let Some(client) = &mut core.client {
            connection::unload(client, name).await?;
        }
        if let Some(old) = core.tunnels.remove(name) {
            core.drop_stale(&old, None).await.map_err(TunnelFailure::Interface)?;
        }
        drop(core);
        self.changed();
        Ok(())
    }
}

impl Core {
    /// Looks at charon's SAs; tells whether any tunnel's state changed.
    pub(super) async fn look(&mut self) -> bool {
        let Some(client) = &mut self.client else { return false };
        match sas::list(client).await {
            Ok(seen) => self.tunnels.refresh(&seen),
            Err(error) => {
                // The loop that keeps charon running sees that there is no client and starts a new charon.
                eprintln!("looking at the SAs: {error}");
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

    /// Makes a tunnel's interface, addresses and routes.
    pub(super) async fn prepare_interface(&mut self, tunnel: &Tunnel) -> Result<(), LinuxError> {
        let link = names::tunnel(tunnel.if_id);
        self.plane.ensure_interface(tunnel.if_id, &link, self.instance.inner_mtu).await?;
        let addresses: Vec<IpNet> = tunnel.inner_address.into_iter().collect();
        crate::links::set_addresses(&self.socket, &link, &addresses).await?;
        crate::links::up(&self.socket, &link).await?;
        self.add_routes(tunnel).await
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
            self.plane.remove_interface(old.if_id, &names::tunnel(old.if_id)).await?;
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

/// Where charon of an instance has its control socket.
pub(super) fn vici_socket(instance_dir: &Path) -> PathBuf {
    instance_dir.join("charon.vici")
}

fn read_instance(args: &ShimArgs) -> Result<Instance, LinuxError> {
    let path = records::instance_path(&args.instance_dir);
    match records::read(&path)?.object {
        Object::Instance(instance) => Ok(instance),
        _ => {
            let source = std::io::Error::from(std::io::ErrorKind::InvalidData);
            Err(LinuxError::File { path, source })
        }
    }
}
