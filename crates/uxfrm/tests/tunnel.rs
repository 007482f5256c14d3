//! Two unmodified charons, their IPsec in user space, real packets between namespaces. Needs root.

mod support;

use std::process::Command;
use std::time::Duration;
use support::{IF_ID, Lab, Options, Peer, run, until};
use uxfrm::esp::algorithm::{AeadCipher, Algorithm, Cipher, Hash};

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(30);

/// IPv4 and IPv6 inside, both directions.
fn pings_pass(lab: &Lab) {
    for (from, to) in [("ha", "10.2.0.2"), ("hb", "10.1.0.2"), ("ha", "fd02::2"), ("hb", "fd01::2")] {
        assert_eq!(lab.ping(from, to, 5), 5, "{from} to {to}");
    }
}

fn no_errors(lab: &Lab, side: &str) {
    for counter in ["integrity_failed", "replayed", "malformed", "policy_mismatch", "exhausted"] {
        assert_eq!(lab.sa_counter(side, counter), 0, "{counter} at {side}");
    }
}

#[test]
fn route_based_tunnel_over_ipv4() {
    lab_or_skip!();
    let lab = Lab::new("v4", Options::default());
    assert_eq!(lab.ping("ha", "10.2.0.2", 3), 0, "nothing passes without an SA");
    lab.initiate("c0");
    pings_pass(&lab);
    no_errors(&lab, "a");
    no_errors(&lab, "b");
    assert!(lab.swanctl("a", "--list-sas").contains("AES_GCM_16-128/ESN"));
    let uxfrm = env!("CARGO_BIN_EXE_uxfrm");
    let control = lab.path("a", "control");
    let shown = run(&format!("{uxfrm} join --control {} -- ip xfrm state", control.display()));
    assert!(shown.contains("rfc4106(gcm(aes))") && shown.contains("if_id 0x2a"), "{shown}");
    let shown = run(&format!("{uxfrm} join --control {} -- ip xfrm policy", control.display()));
    assert!(shown.contains("dir out") && shown.contains("if_id 0x2a"), "{shown}");

    lab.swanctl("a", "--terminate --ike t");
    assert_eq!(lab.ping("ha", "10.2.0.2", 3), 0, "nothing passes after the SA");
    assert!(lab.stats("a")["path"]["no_policy"].as_u64().unwrap() > 0);
    assert_eq!(lab.stats("a")["sas"].as_array().unwrap().len(), 0);
}

#[test]
fn tunnel_over_ipv6() {
    lab_or_skip!();
    let lab = Lab::new("v6", Options { outer_v6: true, ..Options::default() });
    lab.initiate("c0");
    pings_pass(&lab);
    no_errors(&lab, "b");
}

#[test]
fn plain_esp_over_both_families() {
    lab_or_skip!();
    for (name, outer_v6) in [("p4", false), ("p6", true)] {
        let lab = Lab::new(name, Options { outer_v6, encapsulate: false, ..Options::default() });
        lab.initiate("c0");
        assert!(lab.swanctl("a", "--list-sas").contains("TUNNEL, ESP"), "not encapsulated");
        pings_pass(&lab);
        no_errors(&lab, "b");
    }
}

/// strongSwan's word for an algorithm.
fn proposal(algorithm: Algorithm) -> String {
    match algorithm {
        Algorithm::Aead { cipher, icv } => match cipher {
            AeadCipher::Aes128Gcm => format!("aes128gcm{icv}"),
            AeadCipher::Aes192Gcm => format!("aes192gcm{icv}"),
            AeadCipher::Aes256Gcm => format!("aes256gcm{icv}"),
            AeadCipher::ChaCha20Poly1305 => "chacha20poly1305".into(),
        },
        Algorithm::CipherAndMac { cipher, hash, .. } => {
            let cipher = match cipher {
                Cipher::Null => "null",
                Cipher::Aes128Cbc => "aes128",
                Cipher::Aes192Cbc => "aes192",
                Cipher::Aes256Cbc => "aes256",
                Cipher::TripleDesCbc => "3des",
                Cipher::DesCbc => "des",
            };
            let hash = match hash {
                Hash::Md5 => "md5",
                Hash::Sha1 => "sha1",
                Hash::Sha256 => "sha256",
                Hash::Sha384 => "sha384",
                Hash::Sha512 => "sha512",
            };
            format!("{cipher}-{hash}")
        }
    }
}

/// Every algorithm against strongSwan's own ESP implementation, which has them all: one that is added needs its word
/// there, or another independent peer.
#[test]
fn interoperates_with_libipsec() {
    lab_or_skip!();
    let proposals: Vec<_> =
        Algorithm::all().into_iter().map(|algorithm| format!("{}-noesn", proposal(algorithm))).collect();
    for (name, outer_v6) in [("l4", false), ("l6", true)] {
        let options =
            Options { peer: Peer::LibIpsec, outer_v6, proposals: proposals.clone(), ..Options::default() };
        let lab = Lab::new(name, options);
        for (i, proposal) in proposals.iter().enumerate() {
            lab.initiate(&format!("c{i}"));
            // At once: each machine counts those of a family by themselves.
            std::thread::scope(|scope| {
                for (from, to) in
                    [("ha", "10.2.0.2"), ("hb", "10.1.0.2"), ("ha", "fd02::2"), ("hb", "fd01::2")]
                {
                    let lab = &lab;
                    scope.spawn(move || assert_eq!(lab.ping(from, to, 3), 3, "{proposal}, {from} to {to}"));
                }
            });
            no_errors(&lab, "a");
            // Both directions went through these SAs, for which nothing else was proposed.
            let stats = lab.stats("a");
            let sas = stats["sas"].as_array().unwrap();
            let carried = |sa: &serde_json::Value| sa["counters"]["packets"].as_u64() >= Some(12);
            assert!(sas.len() == 2 && sas.iter().all(carried), "{proposal}: {stats}");
            lab.swanctl("a", &format!("--terminate --child c{i}"));
        }
    }
}

/// An engine that is killed is replaced, and traffic goes on within a second; the IKE_SA is the same.
#[test]
fn engine_is_replaced_when_killed() {
    lab_or_skip!();
    let lab = Lab::new("kl", Options::default());
    lab.initiate("c0");
    let charon = lab.child_pid("a", "charon-systemd");
    let mut received = Vec::new();
    for _ in 0..3 {
        let engine = lab.child_pid("a", "uxfrm-engine");
        let mut killer =
            Command::new("sh").args(["-c", &format!("sleep 0.5; kill -9 {engine}")]).spawn().unwrap();
        received.push(lab.ping("ha", "10.2.0.2", 100));
        assert!(killer.wait().unwrap().success());
        until("traffic after the engine was killed", PATIENCE, || lab.ping("ha", "10.2.0.2", 1) == 1);
        assert_ne!(lab.child_pid("a", "uxfrm-engine"), engine);
    }
    // Fifty pings are a second. A busy machine may take longer, but not every time.
    assert!(received.iter().any(|received| (50..=100).contains(received)), "{received:?} of 100");
    pings_pass(&lab);
    assert!(lab.swanctl("a", "--list-sas").contains("t: #1, ESTABLISHED"));
    assert_eq!(lab.child_pid("a", "charon-systemd"), charon);
}

/// An engine that hangs is replaced; meanwhile charon answers and does not spin.
#[test]
fn engine_is_replaced_when_it_hangs() {
    lab_or_skip!();
    let lab = Lab::new("hg", Options::default());
    lab.initiate("c0");
    let cpu = |pid: u32| -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let charon = lab.child_pid("a", "charon-systemd");
    let before = cpu(charon);
    // On a busy machine it may be the answer that takes so long, but not always.
    let mut took = Vec::new();
    while took.len() < 3 && !took.iter().any(|took| *took < Duration::from_secs(3)) {
        run(&format!("kill -STOP {}", lab.child_pid("a", "uxfrm-engine")));
        let start = std::time::Instant::now();
        assert!(lab.swanctl("a", "--list-sas").contains("ESTABLISHED"));
        took.push(start.elapsed());
        until("traffic after the engine hung", PATIENCE, || lab.ping("ha", "10.2.0.2", 1) == 1);
    }
    assert!(took.iter().any(|took| *took < Duration::from_secs(3)), "charon was blocked for {took:?}");
    let used = cpu(charon) - before;
    assert!(used < 50 * took.len() as u64, "charon span: {used} ticks");
}

/// A packet that hits a trap policy brings the tunnel up; a soft limit of bytes rekeys it.
#[test]
fn acquire_and_expire_reach_charon() {
    lab_or_skip!();
    let child = "start_action = trap\n rekey_bytes = 50000\n rand_bytes = 0\n life_bytes = 200000";
    let lab = Lab::new("aq", Options { child: child.into(), ..Options::default() });
    let events = lab.path("a", "stats.events");
    let stream = std::os::unix::net::UnixStream::connect(events).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    // The kernel's announcement that it is a router, by MLD, is no packet that wants a tunnel.
    lab.exec("gb", &format!("ip link set ipsec{IF_ID} multicast on"));
    for forwarding in [0, 1] {
        lab.exec("gb", &format!("sysctl -qw net.ipv6.conf.ipsec{IF_ID}.forwarding={forwarding}"));
    }
    let sent = || -> u64 {
        // Eight numbers for what was received, then those for what was sent.
        let table = lab.exec("gb", "cat /proc/net/dev");
        let line = table.lines().find_map(|line| line.trim().strip_prefix(&format!("ipsec{IF_ID}:")));
        line.unwrap().split_whitespace().nth(9).unwrap().parse().unwrap()
    };
    until("an announcement", PATIENCE, || sent() != 0);
    until("a tunnel after a packet", PATIENCE, || lab.ping("ha", "10.2.0.2", 1) == 1);
    let spi = || lab.swanctl("a", "--list-sas --raw");
    assert!(spi().contains("INSTALLED"));
    assert_eq!(lab.ping_with("ha", "10.2.0.2", 150, "-s 1000 -i 0.01"), 150);
    until("a rekey after the soft limit", PATIENCE, || lab.log("a").contains("creating rekey job"));
    assert!(!lab.log("b").contains("creating acquire job"), "the announcement asked for a tunnel");
    let mut events = Vec::new();
    // Ends with the timeout.
    let _ = std::io::Read::read_to_end(&mut &stream, &mut events);
    let events = String::from_utf8(events).unwrap();
    let told: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of =
        |kind: &str| told.iter().find(|event| event["event"] == kind).unwrap_or_else(|| panic!("{events}"));
    let acquire = of("acquire");
    assert_eq!((&acquire["packet_destination"], &acquire["if_id"]), (&"10.2.0.2".into(), &IF_ID.into()));
    assert_eq!(of("expire-soft")["if_id"], IF_ID);
}

/// The peer moves to another address (MOBIKE): sequence numbers go on, nothing is replayed.
#[test]
fn address_change_keeps_sequence_numbers() {
    lab_or_skip!();
    let lab = Lab::new("mb", Options::default());
    lab.initiate("c0");
    pings_pass(&lab);
    let sent = |side: &str| -> u64 {
        let stats = lab.stats(side);
        let sas = stats["sas"].as_array().unwrap();
        sas.iter().map(|sa| sa["last_sequence_sent"].as_u64().unwrap()).max().unwrap()
    };
    let before = sent("b");
    assert!(before >= 20);
    // The responder's view of the initiator moves.
    let name = &lab.name;
    run(&format!(
        "ip -n {name}ga addr add 198.51.100.11/24 dev wan; ip -n {name}ga addr del 198.51.100.1/24 dev wan"
    ));
    // charon takes whichever path answers first, the other address or IPv6.
    until("the move", PATIENCE, || !lab.swanctl("b", "--list-sas").contains("@ 198.51.100.1["));
    until("traffic after the move", PATIENCE, || lab.ping("ha", "10.2.0.2", 1) == 1);
    assert!(sent("b") > before, "sequence numbers started again");
    no_errors(&lab, "b");
}
