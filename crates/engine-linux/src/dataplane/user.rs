//! uxfrm: the kernel's XFRM interface and ESP in user space, where the kernel has none.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use nlink::netlink::tc::PfifoConfig;
use tokio::process::{Child, Command};
use uxfrm::broker::{Broker, BrokerConfig};
use uxfrm::engine::EngineConfig;

use super::DataPlane;
use crate::error::{Doing, LinuxError};
use crate::netns::RouteSocket;
use crate::{links, names};

/// On a machine where a hundred instances start at once an engine may wait for its turn.
const START_LIMIT: Duration = Duration::from_secs(20);

/// As long as the kernel's default for a TUN.
const QUEUE_PACKETS: u32 = 500;

/// Holds charon's side of the XFRM sockets and the engine that answers them.
pub(crate) struct UserXfrm {
    broker: Broker,
    socket: RouteSocket,
}

impl UserXfrm {
    /// For the namespace that the calling thread is in. Returns when the engine has its sockets.
    pub(crate) fn start(instance_dir: &Path, mtu: u16, vici: &Path) -> Result<Self, LinuxError> {
        let engine = EngineConfig {
            interface_name: format!("{}{{if_id}}", names::TUNNEL_PREFIX),
            mtu,
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
            self.socket.set_link_mtu(name, mtu.into()).await.doing(|| format!("MTU of {name}"))?;
            one_queue(&self.socket, name).await
        })
    }

    fn remove_interface<'a>(
        &'a mut self,
        _if_id: u32,
        name: &'a str,
    ) -> BoxFuture<'a, Result<(), LinuxError>> {
        // The engine keeps the TUN for when the number is used again; down it carries nothing, and the
        // kernel takes its routes away.
        Box::pin(async move {
            if links::exists(&self.socket, name).await? {
                links::set_addresses(&self.socket, name, &[]).await?;
                self.socket.set_link_down(name).await.doing(|| format!("putting {name} down"))?;
            }
            Ok(())
        })
    }
}

/// Puts one queue in front of a TUN. A TUN for several workers has 256 transmit queues, and the kernel gives
/// each one its own of the default kind: together 3.7 MiB of kernel memory for each tunnel.
async fn one_queue(socket: &RouteSocket, name: &str) -> Result<(), LinuxError> {
    let queue = PfifoConfig::new().limit(QUEUE_PACKETS.into());
    socket.replace_qdisc(name, queue).await.doing(|| format!("queue of {name}"))
}
