//! The bandwidth that was bought, enforced with a token bucket (tc-tbf) in each direction.
//!
//! The buckets are the root qdiscs at the two ends of the private leg: what goes from the network to the
//! instance is shaped before it is encrypted, what came out of tunnels after it was decrypted. So the
//! bought rate counts inner packets, which is what a customer measures.

use nlink::netlink::tc::TbfConfig;
use nlink::{Bytes, Rate, TcHandle};

use crate::error::{Doing, LinuxError};
use crate::netns::RouteSocket;

/// Ethernet's header, which the qdisc counts and a customer does not buy.
const LINK_HEADER_BYTES: u64 = 14;
/// The longest that a packet may wait, in milliseconds: about what a home router allows.
const QUEUE_MS: u64 = 50;
/// What the bucket holds, in milliseconds of the rate: several ticks of the slowest kernel timer.
const BURST_MS: u64 = 5;
/// A bucket below a packet would let nothing through, one below ten would starve on a busy machine.
const MIN_BURST_BYTES: u64 = 16 * 1024;
const MIN_QUEUE_BYTES: u64 = 64 * 1024;

/// Sets or lifts the limit on what leaves by a link.
pub(crate) async fn set(
    socket: &RouteSocket,
    link: &str,
    bandwidth_mbps: Option<u32>,
    mtu: u16,
) -> Result<(), LinuxError> {
    let what = || format!("bandwidth of {link}");
    let Some(mbps) = bandwidth_mbps else {
        socket.del_qdisc_if_exists(link, TcHandle::ROOT).await.doing(what)?;
        return Ok(());
    };
    socket.replace_qdisc(link, bucket(mbps, mtu)).await.doing(what)
}

fn bucket(mbps: u32, mtu: u16) -> TbfConfig {
    let bits = u64::from(mbps) * 1_000_000;
    let mtu = u64::from(mtu);
    // A full packet of `mtu` bytes is charged with its link header too.
    let bits = bits * (mtu + LINK_HEADER_BYTES) / mtu;
    let bytes_per_ms = bits / 8 / 1_000;
    TbfConfig::new()
        .rate(Rate::bits_per_sec(bits))
        .burst(Bytes::new((bytes_per_ms * BURST_MS).max(MIN_BURST_BYTES)))
        .limit(Bytes::new((bytes_per_ms * QUEUE_MS).max(MIN_QUEUE_BYTES)))
}
