//! uxfrm: the kernel's XFRM interface and ESP in user space, where the kernel has none.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use causeway_plan::Instance;
use futures_util::future::BoxFuture;
use tokio::process::{Child, Command};
use uxfrm::broker::{Broker, BrokerConfig, BrokerError};
use uxfrm::engine::EngineConfig;

use super::DataPlane;
use crate::error::{Doing, LinuxError};
use crate::netns::RouteSocket;
use crate::{links, names};

/// On a machine where a hundred instances start at once an engine may wait for its turn.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Up to this bandwidth, in Mbit/s, one pair of worker threads does; it moves several times as much. With
/// more a TUN gets 256 transmit queues, which cost 3.7 MiB of kernel memory for each tunnel.
const ONE_WORKER_MBPS: u32 = 2_000;

/// Holds charon's side of the XFRM sockets and the engine that answers them.
pub(crate) struct UserXfrm {
    broker: Broker,
    socket: RouteSocket,
}

impl UserXfrm {
    /// For the namespace that the calling thread is in. Returns when the engine has its sockets.
    pub(crate) fn start(instance_dir: &Path, instance: &Instance, vici: &Path) -> Result<Self, LinuxError> {
        let slow = instance.bandwidth_mbps.is_some_and(|mbps| mbps <= ONE_WORKER_MBPS);
        let workers = if slow { 1 } else { 0 };
        let engine = EngineConfig {
            interface_name: format!("{}{{if_id}}", names::TUNNEL_PREFIX),
            mtu: instance.inner_mtu,
            workers,
            stats: Some(instance_dir.join("uxfrm.stats")),
            ..EngineConfig::default()
        };
        let config = BrokerConfig {
            engine,
            vici: Some(vici.to_owned()),
            control: Some(instance_dir.join("uxfrm.control")),
            start_timeout: START_LIMIT,
            ..BrokerConfig::default()
        };
        let broker = Broker::start(config).map_err(|source| LinuxError::User { source })?;
        Ok(Self { broker, socket: RouteSocket::new().doing(|| "routing socket".into())? })
    }
}

impl DataPlane for UserXfrm {
    fn name(&self) -> &'static str {
        "uxfrm"
    }

    fn force_encap(&self) -> bool {
        // UDP offloads work for encapsulated ESP only.
        true
    }

    fn ended(&self) -> io::Result<Option<OwnedFd>> {
        self.broker.ended().try_clone_to_owned().map(Some)
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), LinuxError>> {
        Box::pin(async { self.broker.flush().map_err(|source| LinuxError::User { source }) })
    }

    fn spawn(&mut self, charon: Command) -> io::Result<Child> {
        let mut charon = charon;
        self.broker.intercept(charon.as_std_mut()).map_err(io::Error::other)?;
        charon.spawn()
    }

    fn ensure_interface<'a>(
        &'a mut self,
        if_id: u32,
        name: &'a str,
        mtu: u16,
    ) -> BoxFuture<'a, Result<(), LinuxError>> {
        Box::pin(async move {
            self.broker.ensure_interface(if_id).map_err(|source| LinuxError::User { source })?;
            self.socket.set_link_mtu(name, mtu.into()).await.doing(|| format!("MTU of {name}"))
        })
    }

    fn remove_interface<'a>(
        &'a mut self,
        if_id: u32,
        name: &'a str,
        is_last: bool,
    ) -> BoxFuture<'a, Result<(), LinuxError>> {
        Box::pin(async move {
            let mut removed = self.broker.remove_interface(if_id);
            // SAs of a charon that was killed may still be there, until they expire.
            if let (Err(BrokerError::InUse(_)), true) = (&removed, is_last) {
                removed = self.broker.flush().and_then(|()| self.broker.remove_interface(if_id));
            }
            match removed {
                // Down, the interface carries nothing, and its routes are gone.
                Err(BrokerError::InUse(_)) => {
                    links::set_addresses(&self.socket, name, &[]).await?;
                    self.socket.set_link_down(name).await.doing(|| format!("putting {name} down"))
                }
                other => other.map_err(|source| LinuxError::User { source }),
            }
        })
    }
}
