//! The library's own face: interfaces that come and go with a broker, in a namespace of their own. Needs root.

mod support;

use std::process::Command;
use std::time::Duration;
use support::until;
use uxfrm::broker::{Broker, BrokerConfig};

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(20);

/// The test's program starts itself again as an engine, so it has its own `main`.
fn main() {
    uxfrm::engine::child_entry();
    // What nextest asks a test program that has no harness: the names of its tests, and of those it ignores.
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            println!("interfaces: test");
        }
        return;
    }
    if let Some(reason) = support::unavailable() {
        support::skipped(reason);
        return;
    }
    // SAFETY: no pointers; the process has one thread.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
    interfaces_come_and_go();
    they_survive_the_engine();
    what_the_operator_has_set_stays();
    deleted_ones_are_made_anew();
    a_flush_reaches_the_next_engine();
    a_taken_port_is_an_error();
    println!("interfaces: ok");
}

fn exists(name: &str) -> bool {
    Command::new("ip").args(["link", "show", name]).output().unwrap().status.success()
}

fn interfaces_come_and_go() {
    let broker = Broker::start(BrokerConfig::default()).unwrap();
    for _ in 0..3 {
        assert_eq!(broker.ensure_interface(9).unwrap(), "ipsec9");
        assert_eq!(broker.ensure_interface(10).unwrap(), "ipsec10");
        assert!(exists("ipsec9") && exists("ipsec10"));
        // Else services announce themselves through it, and each such packet asks for an SA.
        assert!(!show("ipsec9").contains("MULTICAST"));
        broker.remove_interface(9).unwrap();
        until("the interface to go", PATIENCE, || !exists("ipsec9"));
        assert!(exists("ipsec10"));
    }
    drop(broker);
    assert!(!exists("ipsec10"), "interfaces end with the broker");
}

fn show(name: &str) -> String {
    let output = Command::new("ip").args(["-o", "link", "show", name]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn kill_engine(broker: &Broker) {
    let engine = broker.engine_pid().unwrap();
    // SAFETY: a process that this test's broker has started.
    unsafe { libc::kill(engine as i32, libc::SIGKILL) };
    until("another engine", PATIENCE, || broker.engine_pid().is_some_and(|pid| pid != engine));
}

fn they_survive_the_engine() {
    let broker = Broker::start(BrokerConfig::default()).unwrap();
    broker.ensure_interface(11).unwrap();
    let before = show("ipsec11");
    kill_engine(&broker);
    assert_eq!(broker.ensure_interface(11).unwrap(), "ipsec11");
    assert_eq!(show("ipsec11"), before, "the same interface");
}

fn what_the_operator_has_set_stays() {
    let broker = Broker::start(BrokerConfig::default()).unwrap();
    broker.ensure_interface(12).unwrap();
    support::run("ip link set ipsec12 mtu 1300 down");
    let before = show("ipsec12");
    assert!(before.contains("mtu 1300") && !before.contains(",UP"), "{before}");
    kill_engine(&broker);
    assert_eq!(broker.ensure_interface(12).unwrap(), "ipsec12");
    assert_eq!(show("ipsec12"), before);
}

fn deleted_ones_are_made_anew() {
    let broker = Broker::start(BrokerConfig::default()).unwrap();
    broker.ensure_interface(13).unwrap();
    for engine_dies in [false, true] {
        support::run("ip link del ipsec13");
        assert!(!exists("ipsec13"));
        if engine_dies {
            kill_engine(&broker);
        }
        assert_eq!(broker.ensure_interface(13).unwrap(), "ipsec13");
        assert!(show("ipsec13").contains("mtu 1400"), "there again");
    }
    broker.remove_interface(13).unwrap();
    until("the interface to go", PATIENCE, || !exists("ipsec13"));
}

fn a_flush_reaches_the_next_engine() {
    let directory = tempfile::tempdir().unwrap();
    let control = directory.path().join("control");
    let config = BrokerConfig { control: Some(control.clone()), ..BrokerConfig::default() };
    let broker = Broker::start(config).unwrap();
    let ip = |arguments: &str| {
        let words = arguments.split_whitespace();
        let mut command = Command::new(env!("CARGO_BIN_EXE_uxfrm"));
        command.args(["join", "--control", control.to_str().unwrap(), "--", "ip", "xfrm", "policy"]);
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    ip("add src 10.1.0.0/24 dst 10.2.0.0/24 dir out if_id 1 action block");
    // Policy-based: without an if_id.
    assert!(!exists("ipsec0"));
    ip("add src 10.1.0.0/24 dst 10.3.0.0/24 dir out action block");
    assert!(show("ipsec0").contains(",UP"), "{}", show("ipsec0"));
    let engine = broker.engine_pid().unwrap();
    // SAFETY: a process that this test's broker has started.
    unsafe { libc::kill(engine as i32, libc::SIGKILL) };
    until("the engine's end", PATIENCE, || broker.engine_pid() != Some(engine));
    broker.flush().unwrap();
    assert!(ip("count").contains("OUT 0 "), "{}", ip("count"));
}

fn a_taken_port_is_an_error() {
    let _first = Broker::start(BrokerConfig::default()).unwrap();
    // Sharing needs the same user, which a second engine is; a foreign socket without SO_REUSEPORT is refused.
    let taken = std::net::UdpSocket::bind("0.0.0.0:4600").unwrap();
    let mut config = BrokerConfig::default();
    config.engine.port = 4600;
    assert!(Broker::start(config).is_err(), "the port is taken");
    drop(taken);
}
