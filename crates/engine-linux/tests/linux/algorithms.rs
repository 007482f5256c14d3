//! Every algorithm, group and IKE version that the clouds offer carries packets between two gateways.

use std::time::Duration;

use crate::common::gateway::{Peer, Place, until};
use causeway_engine::Engine;
use causeway_lab::{Lab, Machine};
use causeway_model::{
    DhGroup, Dpd, DpdAction, Encryption, EspProposal, IkeProposal, IkeVersion, Initiation, Integrity,
    TrafficSelectors,
};
use causeway_plan::*;

/// What is tried: IKE version, encryption and integrity of IKE, group, encryption and integrity of ESP,
/// group of PFS.
type Case = (IkeVersion, Encryption, Integrity, u16, Encryption, Integrity, Option<u16>);

fn cases() -> Vec<Case> {
    use Encryption::*;
    use IkeVersion::*;
    use Integrity::*;
    vec![
        (V2, Aes128Cbc, Sha1, 2, Aes128Cbc, Sha1, Some(2)),
        (V2, Aes192Cbc, Sha256, 5, Aes192Cbc, Sha256, Some(5)),
        (V2, Aes256Cbc, Sha384, 14, Aes256Cbc, Sha384, Some(14)),
        (V2, Aes256Cbc, Sha512, 24, Aes256Cbc, Sha512, Some(24)),
        (V2, TripleDesCbc, Md5, 1, TripleDesCbc, Md5, None),
        (V2, DesCbc, Md5, 2, DesCbc, Sha1, None),
        (V2, Aes128Gcm16, Sha256, 19, Aes128Gcm16, Sha256, Some(19)),
        (V2, Aes192Gcm16, Sha384, 20, Aes192Gcm16, Sha384, Some(20)),
        (V2, Aes256Gcm16, Sha512, 21, Aes256Gcm16, Sha512, Some(31)),
        (V2, Aes128Cbc, Sha256, 15, Null, Sha256, None),
        (V2, Aes256Cbc, Sha256, 31, Aes256Cbc, Sha256, None),
        (V1Main, Aes128Cbc, Sha1, 2, Aes128Cbc, Sha1, Some(2)),
        (V1Main, TripleDesCbc, Md5, 2, TripleDesCbc, Md5, None),
        (V1Main, Aes256Cbc, Sha256, 14, Aes256Cbc, Sha256, Some(14)),
        (V1Aggressive, Aes192Cbc, Sha1, 5, Aes192Cbc, Sha1, Some(5)),
    ]
}

fn tunnel(number: u8, case: &Case) -> Tunnel {
    let (version, encryption, integrity, dh, esp_encryption, esp_integrity, pfs) = *case;
    let other = 3 - number;
    Tunnel {
        key: TunnelKey { instance: Place(number).instance(), connection: ConnectionKey::new("c").unwrap() },
        if_id: 5,
        remote: Some(Place(other).public_ip().parse().unwrap()),
        local_id: Place(number).public_ip(),
        remote_id: Place(other).public_ip(),
        psk: causeway_model::Secret::new("for every algorithm"),
        ike: IkeProposal { version, encryption, integrity, dh_group: DhGroup(dh), lifetime_s: 3_600 },
        esp: EspProposal {
            encryption: esp_encryption,
            integrity: esp_integrity,
            pfs_group: pfs.map(DhGroup),
            lifetime_s: 3_600,
            lifetime_bytes: None,
        },
        children: vec![TrafficSelectors::pair(
            Place(number).cidr().parse().unwrap(),
            Place(other).cidr().parse().unwrap(),
        )],
        dpd: Some(Dpd { delay_s: 10, timeout_s: 30, action: DpdAction::Restart }),
        nat_traversal: true,
        initiation: if number == 1 { Initiation::AtOnce } else { Initiation::ByPeer },
        routes: vec![Place(other).cidr().parse().unwrap()],
        inner_address: None,
    }
}

async fn try_case(node: &crate::common::Node, near: &Machine, case: &Case) -> Result<(), String> {
    let engine = node.engine();
    for number in [2, 1] {
        let object = Object::Tunnel(Box::new(tunnel(number, case)));
        engine.apply(&Step::Update(object)).await.map_err(|error| format!("{error:?}"))?;
    }
    for number in [1, 2] {
        let tunnel = tunnel(number, case);
        until(engine, &Place(number).scope(), &format!("up with {case:?}"), |seen| {
            seen.tunnels.get(&tunnel.key).is_some_and(|status| status.child == ChildState::Installed)
        })
        .await;
    }
    // Under emulation the far end may need a moment more.
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let ping = near.ping(Place(2).host_ip(), 5, Duration::from_millis(20)).await;
        match ping.map_err(|error| error.to_string())? {
            ping if ping.received >= 4 => return Ok(()),
            ping => seen.push(ping),
        }
    }
    Err(format!("{seen:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_algorithm_carries_packets() {
    let Some(node) = crate::common::Node::start("al").await else { return };
    let peer = |address, cidr| Peer {
        connection: "c",
        if_id: 5,
        address,
        cidr,
        psk: "for every algorithm",
        encryption: Encryption::Aes128Gcm16,
        integrity: Integrity::Sha256,
    };
    Place(1).make(node.engine(), None).await;
    Place(2).make(node.engine(), None).await;
    Place(2).connect(node.engine(), &peer("192.0.2.1", "10.1.0.0/16"), false).await;
    Place(1).connect(node.engine(), &peer("192.0.2.2", "10.2.0.0/16"), true).await;
    let lab = Lab::new(&node.config.node_tag, &node.config.run_dir);
    let near = Place(1).host(&lab).await;
    Place(2).host(&lab).await;
    let mut failed = Vec::new();
    for case in cases() {
        if let Err(error) = try_case(&node, &near, &case).await {
            failed.push(format!("{case:?}: {error}"));
        }
    }
    assert_eq!(failed, Vec::<String>::new());
    node.end().await;
}
