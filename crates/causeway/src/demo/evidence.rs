//! Pings, throughput, and a capture of the public leg.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::ensure;
use causeway_lab::{Iperf, Machine, Ping, Protocol};

use super::packets::{self, Kinds};

const PINGS: u32 = 20;
const PING_INTERVAL: Duration = Duration::from_millis(20);
const IPERF_SECONDS: u32 = 4;

/// What was seen.
#[derive(Clone, Debug)]
pub struct Carried {
    /// Pings.
    pub ping: Ping,
    /// One TCP stream.
    pub tcp: Iperf,
    /// Packets of the public leg, where it was captured.
    pub public_leg: Option<Kinds>,
}

/// Pings and measures from one host to another.
///
/// # Errors
/// When no ping comes back, or iperf3 fails.
pub async fn measured(from: &Machine, to: &Machine, address: IpAddr) -> anyhow::Result<Carried> {
    let ping = from.ping(address, PINGS, PING_INTERVAL).await?;
    ensure!(ping.received > 0, "no ping to {address} came back");
    let tcp = from.iperf(to, address, Protocol::Tcp { streams: 1 }, IPERF_SECONDS, false).await?;
    Ok(Carried { ping, tcp, public_leg: None })
}

/// Like [`measured`], with every packet of `router`'s public leg captured meanwhile.
///
/// # Errors
/// When no ping comes back, or a tool fails.
pub async fn carried(
    router: &Machine,
    from: &Machine,
    to: &Machine,
    address: IpAddr,
) -> anyhow::Result<Carried> {
    let dir = tempfile::tempdir()?;
    let capture = dir.path().join("public.pcap");
    let file = capture.display().to_string();
    // 96 octets are enough to tell what a packet is.
    let mut tcpdump = router.start(&["tcpdump", "-Z", "root", "-U", "-s", "96", "-i", "wan", "-w", &file])?;
    // It has to be listening before the first packet.
    while std::fs::metadata(&capture).map_or(0, |meta| meta.len()) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        ensure!(tcpdump.try_wait()?.is_none(), "tcpdump ended early");
    }
    let mut carried = measured(from, to, address).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    tcpdump.kill().await?;
    carried.public_leg = Some(packets::count(router, &capture).await?);
    Ok(carried)
}
