//! Packets that come before the keys of their SA, in an engine where the keys never come. Needs root.

mod support;

use std::net::UdpSocket;
use std::time::{Duration, Instant};
use support::load::inside;
use support::stand::Stand;
use support::until;

const PACKETS: u64 = 5;
/// Far more than the second that packets wait, and the two that an idle worker takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many have come early so far, and how many packets were for no SA.
fn counted(stand: &Stand) -> [u64; 2] {
    let uxfrm = env!("CARGO_BIN_EXE_uxfrm");
    let text = support::run(&format!("{uxfrm} stats --stats {}", stand.path("stats").display()));
    let stats: serde_json::Value = serde_json::from_str(&text).unwrap();
    ["early", "unknown_spi"].map(|counter| stats["path"][counter].as_u64().unwrap())
}

/// An SPI that waits for its keys.
fn allocated(stand: &Stand) -> u32 {
    let output = stand.ip("xfrm state allocspi src 127.0.0.2 dst 127.0.0.1 proto esp");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let spi = text.split("spi 0x").nth(1).unwrap_or_else(|| panic!("{output:?}"));
    u32::from_str_radix(&spi[..8], 16).unwrap()
}

fn send(stand: &Stand, spi: u32, count: u64) {
    let work = move || {
        let socket = UdpSocket::bind("127.0.0.2:0").unwrap();
        let packet = [&spi.to_be_bytes()[..], &[7; 60]].concat();
        (0..count).for_each(|_| assert_eq!(socket.send_to(&packet, "127.0.0.1:4500").unwrap(), packet.len()));
    };
    inside(&stand.namespace, work).join().unwrap();
}

/// No SA changes, and the worker sleeps: it lets them go with its packet memory.
#[test]
fn an_idle_worker_lets_go_of_what_came_early() {
    lab_or_skip!();
    let stand = Stand::new("ei", "", "");
    let spi = allocated(&stand);
    send(&stand, spi, PACKETS);
    until("packets that wait", PATIENCE, || counted(&stand)[0] == PACKETS);
    until("packets that were let go", PATIENCE, || counted(&stand) == [PACKETS, PACKETS]);
}

/// No SA changes, and the worker never sleeps for long.
#[test]
fn a_busy_worker_lets_go_of_what_came_early() {
    lab_or_skip!();
    let stand = Stand::new("eb", "", "");
    let spi = allocated(&stand);
    send(&stand, spi, PACKETS);
    until("packets that wait", PATIENCE, || counted(&stand)[0] == PACKETS);
    let (start, mut others) = (Instant::now(), 0);
    // For nobody; one comes before the worker is idle for two seconds.
    while counted(&stand)[1] <= others {
        assert!(start.elapsed() < PATIENCE, "{:?} after {others}", counted(&stand));
        send(&stand, spi ^ 1, 1);
        others += 1;
        std::thread::sleep(Duration::from_millis(100));
        until("the last one", PATIENCE, || counted(&stand)[1] >= others);
    }
    until("all of them", PATIENCE, || counted(&stand) == [PACKETS, others + PACKETS]);
}
