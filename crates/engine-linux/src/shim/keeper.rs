//! The keeper's state and what can be done with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use causeway_plan::{Instance, InstanceHealth, Object};
use tokio::sync::{Mutex, Notify, watch};

use super::core::{Core, TunnelFailure};
use super::protocol::{PROTOCOL, Status};
use super::wholeness::Damage;
use super::{ShimArgs, say};
use crate::dataplane;
use crate::error::LinuxError;
use crate::records;
use crate::strongswan::connection;

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

impl Keeper {
    pub(super) fn new(args: ShimArgs) -> Result<Self, LinuxError> {
        let instance = read_instance(&args)?;
        let (dir, vici) = (&args.instance_dir, vici_socket(&args.instance_dir));
        let plane = dataplane::start(args.data_plane, dir, &instance, &vici)?;
        let core = Core::new(instance, plane)?;
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
            protocol: PROTOCOL,
            health: core.health.clone(),
            damage: core.damage.as_ref().map(|damage| damage.text().to_owned()),
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
            core.prepare_interface(&name, &tunnel).await.map_err(TunnelFailure::Interface)?;
            if moved {
                core.hand_over(&name, &tunnel, true).await?;
            }
        }
        drop(core);
        if let Some(Damage::Tunnel(_)) = self.inspect().await.map_err(TunnelFailure::Interface)? {
            self.mend().await.map_err(TunnelFailure::Interface)?;
            self.inspect().await.map_err(TunnelFailure::Interface)?;
        }
        self.calls_changed.notify_one();
        self.changed();
        Ok(())
    }

    /// Looks whether everything is as it was made, and tells the engine when the answer is another one than before.
    pub(super) async fn inspect(&self) -> Result<Option<Damage>, LinuxError> {
        let mut core = self.core.lock().await;
        let found = core.find_damage().await?;
        if found != core.damage {
            match &found {
                Some(damage) => say(format_args!("not as it was made: {}", damage.text())),
                None => say(format_args!("everything is as it was made again")),
            }
            core.damage.clone_from(&found);
            self.changed();
        }
        Ok(found)
    }

    /// Makes what tunnels lack again.
    pub(super) async fn mend(&self) -> Result<(), LinuxError> {
        self.core.lock().await.make_interfaces_again().await
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
        let result = core.make(name, *tunnel, record.fingerprint).await;
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
        core.forget(name).await?;
        drop(core);
        self.changed();
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
