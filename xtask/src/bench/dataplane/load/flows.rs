//! Sending alone: UDP flows enter the near gateway, and its ESP is counted and dropped where it comes off the wire, so that the
//! far gateway and its host cost nothing. The flows are super-packets, few system calls for many packets, and wait for the
//! gateway as TCP does: no more enters than has left.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;
use uxfrm::sys::socket::{RawAddress, SendControl, send};

use super::super::lab::{FAR_HOST, Lab, NEAR_HOST, Side, inside};

/// Payload of a packet: with IP and UDP headers 1400 bytes, the largest that passes whole.
const PAYLOAD: usize = 1372;
/// Packets of a super-packet: as many as fit 64 KiB.
const SEGMENTS: usize = 44;
/// Flows; so many that a hash deals them out evenly.
const FLOWS: u16 = 128;
/// The port of the near host, and that of the first flow at the far one.
const NEAR_PORT: u16 = 7100;
const FAR_PORT: u16 = 7101;
/// Super-packets that may wait for the gateway, all flows together: what it sends in some milliseconds.
const WINDOW: u64 = 24;
/// While the window is nearly full.
const PAUSE: Duration = Duration::from_micros(100);
/// Each flow is answered so often: a gateway's TUN forgets flows after three seconds.
const ANSWER_EVERY: Duration = Duration::from_millis(200);
/// Before it counts: a gateway spreads flows after some tenths of a second.
const WARM_UP: Duration = Duration::from_secs(1);
/// Nothing but ESP with data is as long.
const SHORTEST: usize = 300;

/// What came out on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// ESP with its outer headers, Gbit.
    pub gbit: f64,
    /// In so many seconds.
    pub seconds: f64,
    /// What was used meanwhile of what was asked for: CPU seconds.
    pub used: [f64; 2],
}

/// The end of the wire, where the near gateway's ESP is dropped; packets pass again when it is dropped itself.
struct Sink<'a> {
    lab: &'a Lab,
}

impl<'a> Sink<'a> {
    fn new(lab: &'a Lab) -> anyhow::Result<Self> {
        let source = Side::A.address();
        let rules = format!(
            "table netdev bench {{\n chain sink {{\n type filter hook ingress device \"wan\" priority 0;\n\
             ip saddr {source} udp dport 4500 meta length > {SHORTEST} counter drop\n }}\n}}\n"
        );
        let file = lab.path(Side::B, "sink.nft");
        fs::write(&file, rules)?;
        let sink = Self { lab };
        lab.exec(&lab.gateway(Side::B), &format!("nft -f {}", file.display()))?;
        Ok(sink)
    }

    /// Bytes that came, each datagram's outer headers once.
    fn bytes(&self) -> anyhow::Result<u64> {
        let text = self.lab.exec(&self.lab.gateway(Side::B), "nft -j list chain netdev bench sink")?;
        counted_bytes(&text).context("nft tells no counter")
    }
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        let _ = self.lab.exec(&self.lab.gateway(Side::B), "nft delete table netdev bench");
    }
}

/// The first counter of nft's JSON.
fn counted_bytes(text: &str) -> Option<u64> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let statements = answer["nftables"].as_array()?.iter().filter_map(|item| item["rule"]["expr"].as_array());
    statements.flatten().find_map(|statement| statement["counter"]["bytes"].as_u64())
}

/// Sends for so long, after a moment that is not counted; `answered`: the far host sends something back on each flow, as
/// a receiver of TCP or QUIC does. `cpu` tells CPU seconds, when counting begins and when it ends.
///
/// # Errors
/// Where nothing comes out, or the gateway's interface does not take super-packets of UDP.
pub fn run(
    lab: &Lab,
    interface: &str,
    answered: bool,
    seconds: u32,
    cpu: impl Fn() -> [f64; 2],
) -> anyhow::Result<Sent> {
    let near = inside(&lab.host(Side::A), || Ok(UdpSocket::bind((NEAR_HOST, NEAR_PORT))?))?;
    let ports = FAR_PORT..FAR_PORT + FLOWS;
    let answering: Vec<UdpSocket> = inside(&lab.host(Side::B), || {
        ports.clone().map(|port| Ok(UdpSocket::bind((FAR_HOST, port))?)).collect()
    })?;
    let sink = Sink::new(lab)?;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let driving = scope.spawn(|| inside(&lab.gateway(Side::A), || drive(&near, interface, &is_over)));
        if answered {
            scope.spawn(|| answer(&answering, &is_over));
        }
        let counted = count(&sink, seconds, cpu);
        is_over.store(true, Ordering::Relaxed);
        driving.join().expect("the sender does not panic")?;
        counted
    })
}

fn count(sink: &Sink<'_>, seconds: u32, cpu: impl Fn() -> [f64; 2]) -> anyhow::Result<Sent> {
    std::thread::sleep(WARM_UP);
    let (start, before, used) = (Instant::now(), sink.bytes()?, cpu());
    std::thread::sleep(Duration::from_secs(seconds.into()));
    let (elapsed, bytes, now) = (start.elapsed(), sink.bytes()? - before, cpu());
    ensure!(bytes > 0, "nothing came out");
    let used = [now[0] - used[0], now[1] - used[1]];
    Ok(Sent { gbit: bytes as f64 * 8.0 / 1e9, seconds: elapsed.as_secs_f64(), used })
}

/// Sends by all flows in turn, as fast as the gateway takes it. In the gateway's namespace, whose counters it reads.
fn drive(near: &UdpSocket, interface: &str, is_over: &AtomicBool) -> anyhow::Result<()> {
    let payload = vec![0x5a; PAYLOAD * SEGMENTS];
    let address: IpAddr = FAR_HOST.parse()?;
    let to: Vec<RawAddress> =
        (0..FLOWS).map(|flow| RawAddress::new(SocketAddr::new(address, FAR_PORT + flow))).collect();
    let mut control = SendControl::new(NEAR_HOST.parse()?, 0, Some(PAYLOAD as u16));
    let before = taken(interface)?;
    let mut sent = 0u64;
    while !is_over.load(Ordering::Relaxed) {
        let taken = taken(interface)? - before;
        ensure!(taken <= sent + WINDOW, "{interface} takes no super-packets of UDP (Linux 6.2)");
        let room = WINDOW.saturating_sub(sent.saturating_sub(taken));
        if room < WINDOW / 8 {
            std::thread::sleep(PAUSE);
            continue;
        }
        for _ in 0..room {
            send(near.as_fd(), &to[(sent % u64::from(FLOWS)) as usize], &mut control, &payload)
                .context("a super-packet of UDP")?;
            sent += 1;
        }
    }
    Ok(())
}

/// Packets that a gateway has taken from the interface of this namespace, or lost there.
fn taken(interface: &str) -> anyhow::Result<u64> {
    let devices = fs::read_to_string("/proc/thread-self/net/dev")?;
    taken_of(&devices, interface).with_context(|| format!("no interface {interface}"))
}

fn taken_of(devices: &str, interface: &str) -> Option<u64> {
    let line =
        devices.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    let number = |field: usize| line.split_whitespace().nth(field)?.parse::<u64>().ok();
    // Behind eight numbers of what is received: bytes, packets, errors, drops.
    Some(number(9)? + number(11)?)
}

fn answer(sockets: &[UdpSocket], is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        for socket in sockets {
            // One that is lost is no matter.
            let _ = socket.send_to(&[0x5a], (NEAR_HOST, NEAR_PORT));
        }
        std::thread::sleep(ANSWER_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_where_they_are_written() {
        let devices = "Inter-| Receive\n face |bytes\n  wan: 1 2 0 5 0 0 0 0 3 4 0 6 0 0 0 0\n\
                       ipsec42: 1 2 0 5 0 0 0 0 300 40 0 2 0 0 0 0\n";
        assert_eq!(taken_of(devices, "ipsec42"), Some(42));
        assert_eq!(taken_of(devices, "ipsec4"), None);
        let rules = r#"{"nftables": [{"metainfo": {}}, {"chain": {"name": "sink"}}, {"rule": {"expr": [
            {"match": {}}, {"counter": {"packets": 3, "bytes": 4500}}, {"drop": null}]}}]}"#;
        assert_eq!(counted_bytes(rules), Some(4500));
        assert_eq!(counted_bytes("{}"), None);
    }
}
