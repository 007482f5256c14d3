use causeway_model::{Encryption, IkeVersion, Initiation, Integrity};
use serde_json::json;

use super::*;

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn single_of(value: Value) -> Result<NewTunnel, Failure> {
    let mut members = map(value);
    members.entry("CustomerGatewayId").or_insert(json!("cgw-1"));
    single(&Fields::of_members(&members), Initiation::OnTraffic)
}

fn refusal(value: Value) -> String {
    single_of(value).unwrap_err().code
}

#[test]
fn defaults() {
    let it = single_of(json!({})).unwrap();
    assert_eq!(it.ike.version, IkeVersion::V1Main);
    assert_eq!((it.ike.encryption, it.ike.integrity), (Encryption::Aes128Cbc, Integrity::Md5));
    assert_eq!((it.ike.dh_group, it.ike.lifetime_s), (DhGroup(2), 86_400));
    assert_eq!((it.esp.encryption, it.esp.integrity), (Encryption::Aes128Cbc, Integrity::Md5));
    assert_eq!((it.esp.pfs_group, it.esp.lifetime_s), (Some(DhGroup(2)), 86_400));
    assert!(it.dpd.is_some() && it.nat_traversal && it.bgp.is_none());
    assert!(it.psk.is_none() && it.local_id.is_none() && it.remote_id.is_none());
}

#[test]
fn the_json_strings_take_numbers_texts_and_nulls() {
    let it = single_of(json!({
        "IkeConfig": "{\"Psk\":\"p@ss\",\"IkeVersion\":\"ikev2\",\"IkeLifetime\":\"3600\",\"LocalId\":null}",
        "IpsecConfig": "{\"IpsecPfs\":\"disabled\",\"IpsecLifetime\":7200,\"IpsecEncAlg\":\"3des\"}",
        "EnableDpd": "False",
    }))
    .unwrap();
    assert_eq!(it.psk.unwrap().expose(), "p@ss");
    assert_eq!((it.ike.version, it.ike.lifetime_s), (IkeVersion::V2, 3600));
    assert_eq!((it.esp.pfs_group, it.esp.lifetime_s), (None, 7200));
    assert_eq!(it.esp.encryption, Encryption::TripleDesCbc);
    assert!(it.dpd.is_none());
}

#[test]
fn options_have_their_codes() {
    assert_eq!(refusal(json!({"IkeConfig": "["})), "IllegalParam.IkeConfig");
    assert_eq!(refusal(json!({"IkeConfig": "{\"IkeVersion\":\"ikev3\"}"})), "IllegalParam.IkeVersion");
    assert_eq!(refusal(json!({"IkeConfig": "{\"IkeMode\":\"fast\"}"})), "IllegalParam.IkeMode");
    assert_eq!(refusal(json!({"IkeConfig": "{\"IkeLifetime\":86401}"})), "IllegalParam.IkeLifetime");
    assert_eq!(refusal(json!({"IkeConfig": "{\"Psk\":\"a b\"}"})), "IllegalParam.Psk");
    assert_eq!(refusal(json!({"IkeConfig": "{\"LocalId\":\"a b\"}"})), "IllegalParam.LocalId");
    assert_eq!(refusal(json!({"IkeConfig": "{\"RemoteId\":\"a\\u0000b\"}"})), "IllegalParam.RemoteId");
    assert_eq!(refusal(json!({"IkeConfig": "{\"IkeVersion\":{\"a\":1}}"})), "IllegalParam.IkeConfig");
    let ipsec = |member: &str| json!({"IpsecConfig": format!("{{{member}}}")});
    assert_eq!(refusal(ipsec("\"IpsecPfs\":\"group15\"")), "NotSupportVpnConnectionParameter.IpsecPfs");
    assert_eq!(refusal(ipsec("\"IpsecAuthAlg\":\"sha\"")), "NotSupportVpnConnectionParameter.IpsecAuthAlg");
    assert_eq!(refusal(json!({"CustomerGatewayId": ""})), "MissingParameter.TunnelOptionsSpecification");
}

#[test]
fn bgp_has_its_codes() {
    let bgp = |member: &str| json!({"BgpConfig": format!("{{\"EnableBgp\":\"true\"{member}}}")});
    assert_eq!(refusal(bgp("")), "MissingParameter.TunnelCidr");
    assert_eq!(refusal(bgp(",\"TunnelCidr\":\"x\"")), "InvalidTunnelCidr.Malformed");
    assert_eq!(refusal(bgp(",\"TunnelCidr\":\"10.0.0.0/30\"")), "IllegalParam.TunnelCidr");
    assert_eq!(refusal(bgp(",\"TunnelCidr\":\"169.254.10.0/30\",\"LocalAsn\":0")), "IllegalParam.LocalAsn");
    let with = |ip: &str| bgp(&format!(",\"TunnelCidr\":\"169.254.10.0/30\",\"LocalBgpIp\":\"{ip}\""));
    assert_eq!(refusal(with("x")), "InvalidLocalBgpIp.Malformed");
    assert_eq!(refusal(with("169.254.10.4")), "IllegalParam.LocalBgpIp");
    let good = single_of(with("169.254.10.2")).unwrap().bgp.unwrap();
    assert_eq!((good.local_ip.to_string().as_str(), good.local_asn), ("169.254.10.2", 45104));
    assert_eq!(refusal(json!({"BgpConfig": "{\"EnableBgp\":\"maybe\"}"})), "IllegalParam.BgpConfig");
    assert!(single_of(json!({"BgpConfig": "{\"EnableBgp\":false}"})).unwrap().bgp.is_none());
}

fn list_of(items: Value) -> Result<Vec<NewTunnel>, Failure> {
    let members = map(json!({"TunnelOptionsSpecification": items}));
    list(&Fields::of_members(&members), false, Initiation::AtOnce)
}

#[test]
fn the_master_comes_first() {
    let slave = json!({"CustomerGatewayId": "cgw-2", "Role": "slave", "TunnelIkeConfig": {"Psk": "two"}});
    let master = json!({"CustomerGatewayId": "cgw-1", "Role": "master", "EnableNatTraversal": "false"});
    let tunnels = list_of(json!([slave, master])).unwrap();
    assert_eq!(tunnels[0].customer_gateway.as_str(), "cgw-1");
    assert!(!tunnels[0].nat_traversal);
    assert_eq!(tunnels[1].psk.as_ref().unwrap().expose(), "two");
    assert_eq!(list_of(json!([master, master])).unwrap_err().code, "IllegalParam.Role");
    let word = "MissingParameter.TunnelOptionsSpecification";
    assert_eq!(list_of(json!([master])).unwrap_err().code, word);
    assert_eq!(list_of(json!([master, {"Role": "slave"}])).unwrap_err().code, word);
}
