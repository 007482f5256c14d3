//! The lab itself, before it proves anything else: two sites with stock strongSwan and its own ESP in user
//! space reach each other over the fabric.

use std::time::Duration;

use causeway_lab::{Lab, SiteSpec};

use crate::common::Answered;

fn site(name: &str, last: u8) -> SiteSpec {
    SiteSpec {
        name: name.into(),
        public_ip: format!("198.51.100.{last}").parse().unwrap(),
        router: format!("172.16.{last}.1/24").parse().unwrap(),
        host_ip: format!("172.16.{last}.10").parse().unwrap(),
        libipsec: true,
    }
}

fn swanctl_conf(own: u8, peer: u8, start: bool) -> String {
    let action = if start { "start" } else { "none" };
    format!(
        "connections {{ peer {{
            local_addrs = 198.51.100.{own}
            remote_addrs = 198.51.100.{peer}
            version = 2
            proposals = aes128-sha256-modp2048
            local {{ auth = psk }}
            remote {{ auth = psk }}
            children {{ net {{
                local_ts = 172.16.{own}.0/24
                remote_ts = 172.16.{peer}.0/24
                esp_proposals = aes128gcm16
                start_action = {action}
            }} }}
        }} }}
        secrets {{ ike-peer {{ secret = \"between the sites\" }} }}\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sites_reach_each_other() {
    let Some(node) = crate::common::Node::start("st").await else { return };
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let one = lab.add_site(&site("one", 1)).await.unwrap();
    let two = lab.add_site(&site("two", 2)).await.unwrap();
    two.load(&swanctl_conf(2, 1, false)).await.unwrap();
    one.load(&swanctl_conf(1, 2, true)).await.unwrap();
    let to = "172.16.2.10".parse().unwrap();
    one.host.until_answered(to).await;
    let ping = one.host.ping(to, 5, Duration::from_millis(200)).await.unwrap();
    assert!(ping.received >= 4, "{ping:?}\n{}", one.log().unwrap());
    assert_eq!(lab.list().unwrap(), ["one", "one-host", "two", "two-host"]);
    lab.delete("one").await.unwrap();
    assert_eq!(lab.list().unwrap(), ["two", "two-host"]);
    lab.clear().await.unwrap();
    node.end().await;
}
