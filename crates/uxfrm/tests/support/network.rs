//! The lab's namespaces, links, addresses and routes.

use super::{Lab, run};
use std::fs;

impl Lab {
    /// Gives a node's kernel rules of nftables.
    pub fn nft(&self, node: &str, rules: &str) {
        let file = self.path(node, "nft");
        fs::write(&file, format!("{rules}\n")).unwrap();
        self.exec(node, &format!("nft -f {}", file.display()));
    }

    /// A NAT before a gateway: what it sends from port 4500 comes from this one.
    pub fn nat(&self, gateway: &str, port: u16) {
        self.nft(
            gateway,
            &format!(
                "flush ruleset
                 table inet nat {{
                   chain pre {{ type filter hook prerouting priority -300; udp dport {port} notrack udp dport set 4500; }}
                   chain out {{ type filter hook output priority -300; udp sport 4500 notrack udp sport set {port}; }}
                 }}"
            ),
        );
    }

    pub(super) fn build_network(&self) {
        let name = &self.name;
        let mut script = String::from("set -e\n");
        for node in ["ha", "ga", "gb", "hb"] {
            // No duplicate address detection: it would keep IPv6 neighbours silent for seconds.
            // One of that name is what a process left that was killed, and had this one's number.
            script += &format!(
                "[ ! -e /run/netns/{name}{node} ] || ip netns del {name}{node}
                 ip netns add {name}{node}; ip -n {name}{node} link set lo up
                 nsenter --net=/run/netns/{name}{node} sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0\n"
            );
        }
        script += &match self.options.middle_mtu {
            None => format!("ip link add wan netns {name}ga type veth peer name wan netns {name}gb\n"),
            Some(_) => format!(
                "for r in ra rb; do
                   ip netns add {name}$r
                   nsenter --net=/run/netns/{name}$r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
                     net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
                 done
                 ip link add wan netns {name}ga type veth peer name edge netns {name}ra
                 ip link add wan netns {name}gb type veth peer name edge netns {name}rb
                 ip link add middle netns {name}ra type veth peer name middle netns {name}rb\n"
            ),
        };
        for (host, gateway, net) in [("ha", "ga", 1), ("hb", "gb", 2)] {
            script += &format!(
                "ip link add lan netns {name}{host} type veth peer name lan netns {name}{gateway}
                 for x in {name}{host} {name}{gateway}; do ip -n $x link set lan up mtu {}; done
                 ip -n {name}{host} addr add 10.{net}.0.2/24 dev lan
                 ip -n {name}{host} addr add fd0{net}::2/64 dev lan nodad
                 ip -n {name}{gateway} addr add 10.{net}.0.1/24 dev lan
                 ip -n {name}{gateway} addr add fd0{net}::1/64 dev lan nodad
                 ip -n {name}{host} route add default via 10.{net}.0.1
                 ip -n {name}{host} route add default via fd0{net}::1
                 nsenter --net=/run/netns/{name}{gateway} sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.promote_secondaries=1 net.ipv6.conf.all.forwarding=1
                 ip -n {name}{gateway} link set wan up
                 ip -n {name}{gateway} addr add 198.51.100.{net}/24 dev wan
                 ip -n {name}{gateway} addr add 2001:db8::{net}/64 dev wan nodad\n",
                self.options.host_mtu
            );
        }
        script += &self.routers();
        if self.options.policy_based.is_some() {
            // By which clear text would get across.
            for (gateway, other) in [("ga", 2), ("gb", 1)] {
                script += &format!(
                    "ip -n {name}{gateway} route add default via 198.51.100.{other}
                     ip -n {name}{gateway} route add default via 2001:db8::{other}\n"
                );
            }
        }
        run(&script);
    }

    /// What the two routers between the gateways need, where there are any.
    fn routers(&self) -> String {
        let (name, mut script) = (&self.name, String::new());
        let Some(mtu) = self.options.middle_mtu else { return script };
        for (gateway, router, own, other) in [("ga", "ra", 1, 2), ("gb", "rb", 2, 1)] {
            script += &format!(
                "for l in edge middle; do ip -n {name}{router} link set $l up; done
                 ip -n {name}{router} link set middle mtu {mtu}
                 ip -n {name}{router} addr add 198.51.100.25{own}/32 dev edge
                 ip -n {name}{router} addr add 2001:db8::f{own}/128 dev edge nodad
                 ip -n {name}{router} addr add 192.0.2.{own}/24 dev middle
                 ip -n {name}{router} addr add 2001:db8:f::{own}/64 dev middle nodad
                 ip -n {name}{router} route add 198.51.100.{own} dev edge
                 ip -n {name}{router} route add 2001:db8::{own} dev edge
                 ip -n {name}{router} route add 198.51.100.{other} via 192.0.2.{other}
                 ip -n {name}{router} route add 2001:db8::{other} via 2001:db8:f::{other}
                 ip -n {name}{gateway} route add 198.51.100.{other} via 198.51.100.25{own} dev wan onlink
                 ip -n {name}{gateway} route add 2001:db8::{other} via 2001:db8::f{own} dev wan onlink\n"
            );
        }
        script
    }
}
