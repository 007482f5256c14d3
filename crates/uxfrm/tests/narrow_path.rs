//! A link in the middle of the path is narrower than those of the gateways, and its router says so. Needs root.

mod support;

use std::time::Duration;
use support::{Lab, Options, try_run, until};

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(30);

/// In all four forms of ESP the gateways learn it, and tell the senders inside.
#[test]
fn routers_are_heeded() {
    lab_or_skip!();
    for (name, outer_v6, encapsulate) in
        [("n1", false, true), ("n2", false, false), ("n3", true, true), ("n4", true, false)]
    {
        let lab = Lab::new(
            name,
            Options { outer_v6, encapsulate, middle_mtu: Some(1300), host_mtu: 1500, ..Options::default() },
        );
        lab.initiate("c0");
        let ping = |arguments: &str| {
            let command = lab.in_namespace("ha", &format!("ping -n -i 0.1 -W 1 {arguments}"));
            String::from_utf8_lossy(&try_run(&command).stdout).into_owned()
        };
        let what = format!("outer IPv6 {outer_v6}, in UDP {encapsulate}");
        // With DF the sender is told; then what may be fragmented passes, and TCP.
        let told =
            || ["mtu = 12", "mtu=12"].iter().any(|mtu| ping("-c 3 -M do -s 1330 10.2.0.2").contains(mtu));
        until(&format!("an MTU below 1300: {what}"), PATIENCE, told);
        for size in [1330, 3000] {
            let passes = || ping(&format!("-c 2 -M dont -s {size} 10.2.0.2")).contains(" 0% packet loss");
            until(&format!("pings of {size}: {what}"), PATIENCE, passes);
        }
        lab.serve_iperf("hb");
        let report: serde_json::Value =
            serde_json::from_str(&lab.exec("ha", "iperf3 -J -c 10.2.0.2 -t 2")).unwrap();
        let rate = report["end"]["sum_received"]["bits_per_second"].as_f64().unwrap();
        assert!(rate > 1e6, "{rate} bit/s: {what}");
    }
}
