//! Inbound policies without an `if_id`, for packets that are for the gateway itself: what they protect is taken out of the tunnel
//! alone. Needs root.

mod support;

use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::stand::{Stand, TUNNEL};
use support::{Lab, Options, run, try_run, until};

/// Who answers: IKE's port, two others, and one whose socket is exempt from IPsec.
const PORTS: &str = "(500, 5300, 5301, 5302)";

/// A stand whose `wan` ends at somebody who may send with any source address: also those behind the peer.
struct Wire {
    stand: Stand,
    stranger: String,
    echo: Child,
}

impl Wire {
    fn new(name: &str) -> Self {
        let stand = Stand::with_links(name);
        let (n, stranger) = (stand.namespace.clone(), format!("{}x", stand.namespace));
        run(&format!(
            "set -e
             [ ! -e /run/netns/{stranger} ] || ip netns del {stranger}
             ip netns add {stranger}; ip -n {n} link set pwan netns {stranger}
             ip netns exec {n} sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.wan.rp_filter=0
             ip -n {stranger} link set lo up; ip -n {stranger} link set pwan up
             for a in 198.51.100.2/24 10.2.0.2/32 10.2.0.3/32; do ip -n {stranger} addr add $a dev pwan; done
             for a in 2001:db8::2/64 fd02::2/128; do ip -n {stranger} addr add $a dev pwan nodad; done
             ip -n {stranger} route add 10.1.0.0/24 via 198.51.100.1
             ip -n {stranger} -6 route add fd01::/64 via 2001:db8::1"
        ));
        let script = format!(
            "import select, socket\nall = []\n\
             for f, a in ((socket.AF_INET, '10.1.0.1'), (socket.AF_INET6, 'fd01::1')):\n  \
               for p in {PORTS}:\n    s = socket.socket(f, socket.SOCK_DGRAM); s.bind((a, p)); all.append(s)\n    \
                 if p == 5302: s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x75786672)\n\
             print('ready', flush=True)\n\
             while True:\n  for s in select.select(all, [], [])[0]:\n    s.sendto(*s.recvfrom(99))\n"
        );
        let mut echo = Command::new("ip");
        echo.args(["netns", "exec", &n, "python3", "-c", &script]).stdout(Stdio::piped());
        let mut echo = echo.spawn().unwrap();
        let mut ready = [0; 5];
        std::io::Read::read_exact(echo.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let wire = Self { stand, stranger, echo };
        // The links have just come up.
        let reached = || wire.pings("10.2.0.2", "10.1.0.1") && wire.pings("fd02::2", "fd01::1");
        until("the neighbours", Duration::from_secs(10), reached);
        wire
    }

    /// Whether an echo comes back that the stranger asks for.
    fn pings(&self, from: &str, to: &str) -> bool {
        let ping = format!("ip netns exec {} ping -n -q -i 0.1 -c 2 -W 1 -I {from} {to}", self.stranger);
        try_run(&ping).status.success()
    }

    /// Whether what the stranger sends to a port comes back.
    fn reaches(&self, from: &str, to: &str, port: u16) -> bool {
        let family = if to.contains(':') { "AF_INET6" } else { "AF_INET" };
        let script = format!(
            "import socket; s = socket.socket(socket.{family}, socket.SOCK_DGRAM); s.bind((\"{from}\", 0)); s.settimeout(0.5)
s.sendto(b\"clear\", (\"{to}\", {port})); s.recv(99)"
        );
        try_run(&format!("ip netns exec {} python3 -c '{script}'", self.stranger)).status.success()
    }

    fn table(&self) -> String {
        let output = try_run(&format!("ip netns exec {} nft list ruleset", self.stand.namespace));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.echo.kill();
        let _ = self.echo.wait();
        let _ = try_run(&format!("ip netns del {}", self.stranger));
    }
}

#[test]
fn clear_text_for_the_gateway_itself_is_lost() {
    lab_or_skip!();
    let wire = Wire::new("ic");
    let spoofed = || (wire.pings("10.2.0.2", "10.1.0.1"), wire.pings("fd02::2", "fd01::1"));
    wire.stand.xfrm(&format!("add src 10.2.0.0/24 dst 10.1.0.0/24 dir in {TUNNEL}"));
    wire.stand.xfrm(&format!("add src fd02::/64 dst fd01::/64 dir in {TUNNEL}"));
    assert_eq!(spoofed(), (false, false));
    assert!(!wire.reaches("10.2.0.2", "10.1.0.1", 5300) && !wire.reaches("fd02::2", "fd01::1", 5300));
    assert!(wire.pings("198.51.100.2", "10.1.0.1"), "another source");
    assert!(wire.pings("10.2.0.2", "198.51.100.1"), "another destination");
    let own = format!("ip netns exec {} ping -n -q -c 1 -W 1 10.1.0.1", wire.stand.namespace);
    assert!(try_run(&own).status.success(), "its own packets");
    assert!(
        wire.table().contains("counter packets 6 "),
        "two pings and a datagram of each family\n{}",
        wire.table()
    );

    // What reloads a firewall, and an engine that is killed.
    run(&format!("ip netns exec {} nft flush ruleset", wire.stand.namespace));
    assert_eq!(spoofed(), (false, false));
    run(&format!("kill -9 {}", wire.stand.child("uxfrm-engine").unwrap()));
    assert_eq!(spoofed(), (false, false));
    until("another engine", Duration::from_secs(10), || wire.stand.policies() == Some(2));
    assert_eq!(spoofed(), (false, false));
    wire.stand.xfrm("flush");
    assert_eq!(spoofed(), (true, true));
    assert_eq!(wire.table(), "", "nothing is left");
}

/// As the kernel's: the policy of the lowest priority that selects a packet decides, and ports and types count.
#[test]
fn the_first_policy_decides() {
    lab_or_skip!();
    let wire = Wire::new("if");
    wire.stand.xfrm(&format!("add src 10.0.0.0/8 dst 10.1.0.1/32 dir in priority 100 {TUNNEL}"));
    wire.stand
        .xfrm("add src 10.2.0.2/31 dst 10.1.0.0/24 proto 1 type 8 code 0 dir in priority 50 action allow");
    wire.stand.xfrm("add src 10.2.0.3/32 dst 10.1.0.0/24 dir in priority 20 action block");
    wire.stand.xfrm("add src 10.2.0.0/24 dst 10.1.0.0/24 dir in priority 900 action allow");
    assert!(wire.pings("10.2.0.2", "10.1.0.1") && !wire.pings("10.2.0.3", "10.1.0.1"));
    assert!(!wire.reaches("10.2.0.2", "10.1.0.1", 5300));
    wire.stand
        .xfrm("add src 10.2.0.2/32 dst 10.1.0.0/24 proto 17 dport 5300 dir in priority 10 action allow");
    assert!(wire.reaches("10.2.0.2", "10.1.0.1", 5300) && !wire.reaches("10.2.0.2", "10.1.0.1", 5301));
    wire.stand.xfrm("delete src 10.2.0.2/31 dst 10.1.0.0/24 proto 1 type 8 code 0 dir in");
    assert!(!wire.pings("10.2.0.2", "10.1.0.1"));
    wire.stand.xfrm("flush");
    // IPv6, a part of a port range, and a policy that ends.
    let limit = format!("limit time-hard 2 {TUNNEL}");
    wire.stand
        .xfrm(&format!("add src fd00::/13 dst fd01::1/128 proto 17 sport 1 dport 5301 dir in {TUNNEL}"));
    wire.stand.xfrm(&format!("add src fd02::/64 dst ::/0 proto 17 dport 5300 dir in {limit}"));
    assert!(wire.reaches("fd02::2", "fd01::1", 5301), "another source port");
    assert!(!wire.reaches("fd02::2", "fd01::1", 5300));
    until("the end", Duration::from_secs(10), || wire.reaches("fd02::2", "fd01::1", 5300));
}

/// Of many policies the table is replaced now and then, and not for each.
#[test]
fn many_policies_hold() {
    lab_or_skip!();
    let wire = Wire::new("im");
    let mut lines: String = (0..300)
        .map(|i| {
            format!("xfrm policy add src 10.9.{}.{}/32 dst 10.1.0.0/24 dir in {TUNNEL}\n", i / 250, i % 250)
        })
        .collect();
    lines += &format!("xfrm policy add src 10.2.0.0/24 dst 10.1.0.0/24 dir in {TUNNEL}\n");
    wire.stand.batch(&lines);
    until("the last", Duration::from_secs(10), || !wire.pings("10.2.0.2", "10.1.0.1"));
    assert_eq!(wire.table().matches("jump").count(), 301);
    wire.stand.xfrm("delete src 10.2.0.0/24 dst 10.1.0.0/24 dir in");
    until("its end", Duration::from_secs(10), || wire.pings("10.2.0.2", "10.1.0.1"));
}

/// A policy for the hosts themselves covers what carries it.
#[test]
fn what_tunnels_need_comes_in() {
    lab_or_skip!();
    let wire = Wire::new("in");
    wire.stand.xfrm(&format!("add src 0.0.0.0/0 dst 0.0.0.0/0 dir in {TUNNEL}"));
    wire.stand.xfrm(&format!("add src ::/0 dst ::/0 dir in {TUNNEL}"));
    run(&format!("ip -n {} neigh flush all; ip -n {} neigh flush all", wire.stranger, wire.stand.namespace));
    for (from, to) in [("10.2.0.2", "10.1.0.1"), ("fd02::2", "fd01::1")] {
        let reached: Vec<_> =
            [500, 5300, 5302].into_iter().filter(|port| wire.reaches(from, to, *port)).collect();
        assert_eq!(reached, [500, 5302], "{from}");
        assert!(!wire.pings(from, to));
    }
}

/// Where a broker was killed, policies go on holding for what comes in, until the next one serves.
#[test]
fn a_killed_broker_lets_nothing_in() {
    lab_or_skip!();
    let mut wire = Wire::new("ik");
    wire.stand.xfrm(&format!("add src 10.2.0.0/24 dst 10.1.0.0/24 dir in {TUNNEL}"));
    assert!(!wire.pings("10.2.0.2", "10.1.0.1"));
    wire.stand.broker.kill().unwrap();
    wire.stand.broker.wait().unwrap();
    // Kernels before 6.9 remove the table of a process that has ended.
    let release = run("uname -r");
    let mut numbers = release.split(['.', '-']).map(|number| number.trim().parse::<u32>().unwrap_or(0));
    let stays = (numbers.next(), numbers.next()) >= (Some(6), Some(9));
    assert_eq!(wire.pings("10.2.0.2", "10.1.0.1"), !stays, "{release}");
    let _next = Stand::start(env!("CARGO_BIN_EXE_uxfrm"), wire.stand.namespace.clone(), "", "");
    assert!(wire.pings("10.2.0.2", "10.1.0.1"));
    assert_eq!(wire.table(), "", "nothing is left");
}

/// Two hosts that protect all between themselves, with strongSwan: ESP, IKE and a rekey by their own addresses.
#[test]
fn hosts_protect_their_own_addresses() {
    lab_or_skip!();
    for (name, outer_v6, encapsulate) in [("h1", false, true), ("h2", false, false), ("h3", true, true)] {
        let options = Options { policy_based: Some(false), outer_v6, encapsulate, ..Options::default() };
        let lab = Lab::new(name, options);
        for (side, other) in [("a", "b"), ("b", "a")] {
            // Without traffic selectors they are the hosts' own addresses.
            let conf = format!(
                "connections {{ hosts {{
                   version = 2\n local_addrs = {}\n remote_addrs = {}\n encap = {}
                   proposals = aes128gcm16-x25519-prfsha256
                   local {{ auth = psk\n id = {side}.example }}
                   remote {{ auth = psk\n id = {other}.example }}
                   children {{ between {{ esp_proposals = aes128gcm16 }} }} }} }}",
                lab.outer(side),
                lab.outer(other),
                if encapsulate { "yes" } else { "no" },
            );
            std::fs::write(lab.path(side, "hosts.conf"), conf).unwrap();
            lab.swanctl(side, &format!("--load-conns --file {}", lab.path(side, "hosts.conf").display()));
        }
        lab.initiate("between");
        let ping = format!("ping -n -q -i 0.05 -c 5 -W 1 {}", lab.outer("b"));
        assert!(lab.exec("ga", &ping).contains(" 5 received"));
        lab.swanctl("a", "--rekey --child between");
        lab.swanctl("b", "--rekey --ike hosts");
        until("the SAs", Duration::from_secs(10), || lab.swanctl("b", "--list-sas").contains("INSTALLED"));
        assert!(lab.exec("ga", &ping).contains(" 5 received"));
        assert!(lab.sa_counter("b", "packets") > 0, "through the tunnel");
        assert!(
            lab.exec("gb", "nft list table inet uxfrm").contains("counter packets 0 "),
            "nothing was in clear"
        );
    }
}
