//! Addresses and keys that change under load: NAT remapping and MOBIKE over both families, rekeys from both ends at once. Needs root.

mod support;

use std::time::Duration;
use support::{Lab, Options, run, until};

/// Pings a second, and of those that are on their way at a change how many may be lost: 200 ms of them.
const RATE: u32 = 500;
const IN_FLIGHT: u32 = RATE / 5;
const SECONDS: u32 = 6;

/// Pings through the tunnel while something changes; returns how many of how many got no answer.
fn lost_under_load(lab: &Lab, change: impl FnOnce()) -> (u32, u32) {
    let (count, interval) = (RATE * SECONDS, 1.0 / f64::from(RATE));
    let received = std::thread::scope(|scope| {
        let ping = scope.spawn(|| lab.ping_with("ha", "10.2.0.2", count, &format!("-i {interval}")));
        std::thread::sleep(Duration::from_secs(2));
        change();
        ping.join().unwrap()
    });
    (count - received, count)
}

fn a_nat_remapping_loses_what_is_on_its_way(name: &str, outer_v6: bool) {
    let lab = Lab::new(name, Options { outer_v6, ..Options::default() });
    lab.nat("ga", 5555);
    lab.initiate("c0");
    assert_eq!(lab.ping("ha", "10.2.0.2", 5), 5);
    assert!(lab.swanctl("b", "--list-sas").contains("[5555]"));
    let (lost, sent) = lost_under_load(&lab, || lab.nat("ga", 6666));
    println!("NAT remapping, outer IPv{}: {lost} of {sent} lost", if outer_v6 { 6 } else { 4 });
    assert!(lost <= IN_FLIGHT, "{lost} of {sent} were lost");
    assert!(lab.swanctl("b", "--list-sas").contains("[6666]"));
    assert_eq!(lab.sa_counter("b", "replayed") + lab.sa_counter("a", "replayed"), 0);
}

#[test]
fn nat_remapping_under_load() {
    lab_or_skip!();
    a_nat_remapping_loses_what_is_on_its_way("n4", false);
}

#[test]
fn nat_remapping_under_load_over_ipv6() {
    lab_or_skip!();
    a_nat_remapping_loses_what_is_on_its_way("n6", true);
}

/// MOBIKE over IPv6: the initiator's address goes away, another has come. What was sent until charon has noticed is lost.
#[test]
fn mobike_under_load_over_ipv6() {
    lab_or_skip!();
    let lab = Lab::new("m6", Options { outer_v6: true, ..Options::default() });
    lab.initiate("c0");
    assert_eq!(lab.ping("ha", "10.2.0.2", 5), 5);
    let name = lab.name.clone();
    // Only one family to move to.
    run(&format!(
        "ip -n {name}ga addr del 198.51.100.1/24 dev wan; ip -n {name}gb addr del 198.51.100.2/24 dev wan"
    ));
    run(&format!("ip -n {name}ga addr add 2001:db8::11/64 dev wan nodad"));
    let (lost, sent) = lost_under_load(&lab, || {
        run(&format!("ip -n {name}ga addr del 2001:db8::1/64 dev wan"));
    });
    println!("MOBIKE, outer IPv6: {lost} of {sent} lost");
    // charon waits for more changes before it acts, and asks by the new path first.
    assert!(lost <= RATE * 3, "{lost} of {sent} were lost");
    let peers = lab.swanctl("b", "--list-sas");
    assert!(peers.contains("2001:db8::11") && !peers.contains("@ 2001:db8::1["), "{peers}");
    assert_eq!(lab.ping("ha", "10.2.0.2", 20), 20, "after the move nothing is lost");
    assert_eq!(lab.sa_counter("b", "replayed") + lab.sa_counter("a", "replayed"), 0);
}

/// A peer may send by a new SA as soon as it has answered, and its packets may overtake the answer: they wait for the keys.
#[test]
fn what_overtakes_the_end_of_a_negotiation_is_not_lost() {
    lab_or_skip!();
    let proposals = ["aes128gcm16-esn", "aes256gcm16-esn"].map(String::from).to_vec();
    let lab = Lab::new("ot", Options { proposals, ..Options::default() });
    lab.initiate("c0");
    assert_eq!(lab.ping("hb", "10.1.0.2", 5), 5);
    let charons = ["a", "b"].map(|side| lab.child_pid(side, "charon-systemd"));
    let received = std::thread::scope(|scope| {
        let ping = scope.spawn(|| lab.ping_with("hb", "10.1.0.2", 200, "-i 0.01"));
        let signal = |signal, pid| run(&format!("kill -{signal} {pid}"));
        signal("STOP", charons[1]);
        let asked = lab.log("a").matches("CREATE_CHILD_SA request").count();
        lab.swanctl("a", "--initiate --child c1 --timeout -1");
        until("a request", Duration::from_secs(10), || {
            lab.log("a").matches("CREATE_CHILD_SA request").count() > asked
        });
        // What it logs it sends at once.
        std::thread::sleep(Duration::from_millis(50));
        signal("STOP", charons[0]);
        signal("CONT", charons[1]);
        until("ESP before its keys", Duration::from_secs(10), || {
            lab.stats("a")["path"]["early"].as_u64().unwrap() >= 10
        });
        signal("CONT", charons[0]);
        ping.join().unwrap()
    });
    let path = lab.stats("a")["path"].clone();
    assert_eq!((received, path["unknown_spi"].as_u64()), (200, Some(0)), "{path}");
    assert!(lab.has_all_sas("a"));
}

/// IKE messages after their marker: all, responses (flag R of the IKE header, RFC 7296 section 3.1), and those of the exchange
/// INFORMATIONAL, by which what a rekey replaced is deleted.
const IKE: &str = "udp sport 4500 @th,64,32 0";
const RESPONSES: &str = "udp sport 4500 @th,64,32 0 @th,248,8 & 0x20 == 0x20";
const DELETES: &str = "udp sport 4500 @th,64,32 0 @th,240,8 37";

/// Lets no such message leave a gateway; ESP passes.
fn hold_back(lab: &Lab, messages: &str) {
    for node in ["ga", "gb"] {
        lab.nft(
            node,
            &format!(
                "table inet hold
                 delete table inet hold
                 table inet hold {{ chain out {{
                   type filter hook output priority 0
                   {messages} drop
                 }}
                 }}"
            ),
        );
    }
}

/// Makes the rekeys of both ends cross: both ask before either hears of the other's request, both have answered before either
/// hears the answer, and both have heard it before either hears what the other deletes for it. Requests come again after
/// a second, and after 1.8 more.
fn collide(lab: &Lab) {
    hold_back(lab, IKE);
    std::thread::scope(|scope| {
        for side in ["a", "b"] {
            scope.spawn(move || {
                let uri = lab.path(side, "vici");
                support::try_run(&format!(
                    "timeout 1 swanctl --rekey --child c0 --uri unix://{}",
                    uri.display()
                ))
            });
        }
    });
    let both = |words: &str| ["a", "b"].iter().all(|side| lab.log(side).contains(words));
    hold_back(lab, RESPONSES);
    until("both requests", Duration::from_secs(30), || {
        both("detected CHILD_REKEY collision with CHILD_REKEY")
    });
    hold_back(lab, DELETES);
    until("both answers", Duration::from_secs(30), || both("CHILD_SA rekey collision"));
    for side in ["a", "b"] {
        lab.exec(&format!("g{side}"), "nft delete table inet hold");
    }
}

/// Both ends ask for a rekey before either has heard of the other's: RFC 7296 section 2.8.1. One CHILD_SA is left in the end.
#[test]
fn simultaneous_rekeys_lose_nothing() {
    lab_or_skip!();
    let lab = Lab::new("sr", Options::default());
    lab.initiate("c0");
    assert_eq!(lab.ping("ha", "10.2.0.2", 5), 5);
    // Answers that come late count.
    let received = std::thread::scope(|scope| {
        let ping = scope.spawn(|| lab.ping_with("ha", "10.2.0.2", 1500, "-i 0.01"));
        collide(&lab);
        ping.join().unwrap()
    });
    assert_eq!(received, 1500);
    for side in ["a", "b"] {
        until("one CHILD_SA", Duration::from_secs(20), || {
            lab.swanctl(side, "--list-sas").lines().filter(|line| line.contains("reqid")).count() == 1
        });
        let sas = lab.stats(side)["sas"].as_array().unwrap().len();
        assert_eq!(sas, 2, "one each way at {side}");
    }
    assert_eq!(lab.ping("ha", "10.2.0.2", 20), 20);
    assert_eq!(lab.sa_counter("a", "replayed") + lab.sa_counter("b", "replayed"), 0);
}
