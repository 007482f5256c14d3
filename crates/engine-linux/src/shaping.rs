//! The bandwidth that was bought, enforced with a token bucket (tc-tbf) in each direction.
//!
//! The buckets are the root qdiscs at the two ends of the private leg: what goes from the network to the
//! instance is shaped before it is encrypted, what came out of tunnels after it was decrypted. So the
//! bought rate counts the payload of inner packets, which is what a customer measures.

use nlink::netlink::tc::{FqCodelConfig, TbfConfig};
use nlink::{Bytes, Rate, TcHandle};

use crate::error::{Doing, LinuxError};
use crate::netns::RouteSocket;

/// What the qdisc counts and a customer does not measure: Ethernet's header, and those of IPv4 and TCP.
const LINK_HEADER_BYTES: u64 = 14;
const PAYLOAD_HEADERS_BYTES: u64 = 40;
/// The longest that a packet may wait, in milliseconds, where the kernel has no fq_codel: TCP needs about a
/// round trip's worth of queue to use a rate fully.
const QUEUE_MS: u64 = 100;
/// What the bucket holds, in milliseconds of the rate: several ticks of the slowest kernel timer, and the
/// pauses of a busy machine.
const BURST_MS: u64 = 10;
/// A bucket below a packet would let nothing through, one below ten would starve on a busy machine.
const MIN_BURST_BYTES: u64 = 16 * 1024;
const MIN_QUEUE_BYTES: u64 = 128 * 1024;
/// The bucket's handle, and the place of the queue in it.
const BUCKET: TcHandle = TcHandle::major_only(1);
const IN_BUCKET: TcHandle = TcHandle::new(1, 1);

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
    let place = TcHandle::ROOT;
    socket.replace_qdisc_full(link, place, Some(BUCKET), bucket(mbps, mtu)).await.doing(what)?;
    match socket.replace_qdisc_full(link, IN_BUCKET, None, FqCodelConfig::new()).await {
        // A kernel without fq_codel keeps the bucket's plain queue.
        Err(error) if error.is_not_found() || error.is_not_supported() => Ok(()),
        other => other.doing(what),
    }
}

/// Whether what leaves by a link is limited.
pub(crate) async fn is_set(socket: &RouteSocket, link: &str) -> Result<bool, LinuxError> {
    let qdiscs = socket.get_qdiscs_by_name(link).await.doing(|| format!("bandwidth of {link}"))?;
    Ok(qdiscs.iter().any(|qdisc| qdisc.is_root() && qdisc.kind() == Some("tbf")))
}

fn bucket(mbps: u32, mtu: u16) -> TbfConfig {
    let bits = u64::from(mbps) * 1_000_000;
    let mtu = u64::from(mtu);
    // So that full packets carry the bought rate of payload.
    let payload = mtu.saturating_sub(PAYLOAD_HEADERS_BYTES).max(1);
    let bits = bits * (mtu + LINK_HEADER_BYTES) / payload;
    let bytes_per_ms = bits / 8 / 1_000;
    TbfConfig::new()
        .rate(Rate::bits_per_sec(bits))
        .burst(Bytes::new((bytes_per_ms * BURST_MS).max(MIN_BURST_BYTES)))
        .limit(Bytes::new((bytes_per_ms * QUEUE_MS).max(MIN_QUEUE_BYTES)))
}
