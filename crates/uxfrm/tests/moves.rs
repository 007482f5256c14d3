//! Addresses and keys that change under load: NAT remapping and MOBIKE over both families, rekeys from both ends at once. Needs root.

mod support;

use std::time::{Duration, Instant};
use support::{Lab, Options, run, until};

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pings a second.
const RATE: u64 = 500;
/// Of those that are on their way at a change how many may be lost.
const IN_FLIGHT: u64 = RATE / 5;
/// A busy machine may let a daemon take its time, but not always: so often a change is made until it was soon enough.
const TRIES: usize = 3;

/// Pings through the tunnel while something changes, until the daemons know of it and some more: how many got no answer.
/// None of those that were sent when the daemons knew.
fn lost_at(lab: &Lab, change: impl FnOnce(), is_known: impl FnMut() -> bool) -> u64 {
    let pings = lab.keep_pinging("ha", "10.2.0.2", Duration::from_secs(1) / RATE as u32);
    pings.until_answered(RATE / 2, PATIENCE);
    let start = Instant::now();
    change();
    until("daemons that know of it", PATIENCE, is_known);
    let took = start.elapsed();
    pings.until_answered(RATE / 2, PATIENCE);
    let (sent, answered) = pings.finish();
    let lost = sent - answered;
    println!("{lost} of {sent} lost; the daemons knew after {took:?}");
    assert!(
        lost <= (RATE as f64 * took.as_secs_f64()) as u64 + IN_FLIGHT,
        "{lost} of {sent} lost in {took:?}"
    );
    lost
}

fn a_nat_remapping_loses_what_is_on_its_way(name: &str, outer_v6: bool) {
    let lab = Lab::new(name, Options { outer_v6, ..Options::default() });
    lab.nat("ga", 5555);
    lab.initiate("c0");
    assert_eq!(lab.ping("ha", "10.2.0.2", 5), 5);
    assert!(lab.swanctl("b", "--list-sas").contains("[5555]"));
    let soon = (6666..).take(TRIES).any(|port| {
        let known = || lab.swanctl("b", "--list-sas").contains(&format!("[{port}]"));
        lost_at(&lab, || lab.nat("ga", port), known) <= IN_FLIGHT
    });
    assert!(soon, "more than {IN_FLIGHT} were lost each time");
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
    let mut old = "2001:db8::1".to_owned();
    let soon = (0x11..).take(TRIES).any(|host| {
        let new = format!("2001:db8::{host:x}");
        run(&format!("ip -n {name}ga addr add {new}/64 dev wan nodad"));
        let change = || drop(run(&format!("ip -n {name}ga addr del {old}/64 dev wan")));
        let known = || {
            let peers = lab.swanctl("b", "--list-sas");
            peers.contains(&format!("@ {new}[")) && !peers.contains(&format!("@ {old}["))
        };
        let lost = lost_at(&lab, change, known);
        old = new;
        // charon waits for more changes before it acts, and asks by the new path first.
        lost <= RATE * 3
    });
    assert!(soon, "more than three seconds' packets were lost each time");
    assert_eq!(lab.ping("ha", "10.2.0.2", 20), 20, "after the move nothing is lost");
    assert_eq!(lab.sa_counter("b", "replayed") + lab.sa_counter("a", "replayed"), 0);
}

/// A peer may send by a new SA as soon as it has answered, and its packets may overtake the answer: they wait for the keys.
#[test]
fn what_overtakes_the_end_of_a_negotiation_is_not_lost() {
    lab_or_skip!();
    let proposals = ["aes128gcm16-esn", "aes256gcm16-esn", "aes192gcm16-esn", "chacha20poly1305-esn"];
    let lab =
        Lab::new("ot", Options { proposals: proposals.map(String::from).to_vec(), ..Options::default() });
    lab.initiate("c0");
    assert_eq!(lab.ping("hb", "10.1.0.2", 5), 5);
    // They wait for a second, which a busy machine may let pass before the daemon has its turn.
    let none_lost = (1..=TRIES).any(|child| overtake(&lab, &format!("c{child}")));
    assert!(none_lost, "{}", lab.stats("a")["path"]);
    assert!(lab.has_all_sas("a"));
}

/// Negotiates a child whose packets come before the keys. Whether none of them was lost.
fn overtake(lab: &Lab, child: &str) -> bool {
    let counter = |name: &str| lab.stats("a")["path"][name].as_u64().unwrap();
    let (early, unknown) = (counter("early"), counter("unknown_spi"));
    let charons = ["a", "b"].map(|side| lab.child_pid(side, "charon-systemd"));
    let signal = |signal, pid| run(&format!("kill -{signal} {pid}"));
    let pings = lab.keep_pinging("hb", "10.1.0.2", Duration::from_millis(10));
    pings.until_answered(10, PATIENCE);
    signal("STOP", charons[1]);
    let asked = lab.log("a").matches("CREATE_CHILD_SA request").count();
    lab.swanctl("a", &format!("--initiate --child {child} --timeout -1"));
    until("a request", PATIENCE, || lab.log("a").matches("CREATE_CHILD_SA request").count() > asked);
    // What it logs it sends at once.
    std::thread::sleep(Duration::from_millis(50));
    signal("STOP", charons[0]);
    signal("CONT", charons[1]);
    until("ESP before its keys", PATIENCE, || counter("early") >= early + 10);
    signal("CONT", charons[0]);
    until("the keys", PATIENCE, || lab.has_all_sas("a"));
    pings.until_answered(10, PATIENCE);
    let (sent, answered) = pings.finish();
    println!("{child}: {answered} of {sent} pings were answered");
    sent == answered && counter("unknown_spi") == unknown
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
/// a second, and every two from then on.
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
    until("both requests", PATIENCE, || both("detected CHILD_REKEY collision with CHILD_REKEY"));
    hold_back(lab, DELETES);
    until("both answers", PATIENCE, || both("CHILD_SA rekey collision"));
    for side in ["a", "b"] {
        lab.exec(&format!("g{side}"), "nft delete table inet hold");
    }
}

/// Both ends ask for a rekey before either has heard of the other's: RFC 7296 section 2.8.1. One CHILD_SA is left in the end.
#[test]
fn simultaneous_rekeys_lose_nothing() {
    lab_or_skip!();
    // However long this machine takes to let a message pass, it comes again.
    let charon = "retransmit_limit = 2\n retransmit_tries = 60".into();
    let lab = Lab::new("sr", Options { charon, ..Options::default() });
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
        until("one CHILD_SA", PATIENCE, || {
            lab.swanctl(side, "--list-sas").lines().filter(|line| line.contains("reqid")).count() == 1
        });
        let sas = lab.stats(side)["sas"].as_array().unwrap().len();
        assert_eq!(sas, 2, "one each way at {side}");
    }
    assert_eq!(lab.ping("ha", "10.2.0.2", 20), 20);
    assert_eq!(lab.sa_counter("a", "replayed") + lab.sa_counter("b", "replayed"), 0);
}
