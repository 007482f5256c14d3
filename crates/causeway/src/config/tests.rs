use std::collections::BTreeMap;

use causeway_model::Zone;
use causeway_ops::{Closed, Lack};
use causeway_server::RateLimits;

use super::*;

#[test]
fn every_key_has_a_secret_and_one_account() {
    let keyring = |keys: &str| {
        let text = format!("[[accounts]]\nid = \"1\"\naccess_keys = [{keys}]\n");
        toml::from_str::<Config>(&text).unwrap().keyring()
    };
    assert!(keyring("{ id = \"a\", secret = \"s\" }").unwrap().get("a").is_some());
    for wrong in [
        "{ id = \"a\" }",
        "{ id = \"a\", secret = \"\" }",
        "{ id = \"\", secret = \"s\" }",
        "{ id = \"a\", secret = \"s\", secret_file = \"f\" }",
        "{ id = \"a\", secret = \"s\" }, { id = \"a\", secret = \"t\" }",
    ] {
        assert!(keyring(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn zones_are_ids_or_tables() {
    let text = "id = \"r\"\nlacks = [\"bgp\", \"nat_traversal\"]\nzones = [\"a\", { id = \"b\" }, \
                { id = \"c\", vpn_gateways = \"sold_out\" }, { id = \"d\", vpn_gateways = \"none\" }]";
    let region = toml::from_str::<RegionConfig>(text).unwrap().settings();
    let zones: Vec<&str> = region.zones.iter().map(Zone::as_str).collect();
    assert_eq!(zones, ["a", "b", "c", "d"]);
    assert_eq!(region.open_zones().count(), 2);
    assert_eq!(region.closed_zones.get(&"c".into()), Some(&Closed::SoldOut));
    assert_eq!(region.closed_zones.get(&"d".into()), Some(&Closed::NotOffered));
    assert!(region.lacks.contains(&Lack::Bgp) && !region.lacks.contains(&Lack::Dpd));
    for wrong in ["zones = [{ id = \"a\", gateways = true }]", "zones = [\"a\"]\nlacks = [\"bfd\"]"] {
        assert!(toml::from_str::<RegionConfig>(&format!("id = \"r\"\n{wrong}")).is_err(), "{wrong}");
    }
}

#[test]
fn rate_limits_are_a_switch_or_a_table() {
    let read = |text: &str| toml::from_str::<Config>(text).map(|config| config.rate_limits.rate_limits());
    assert_eq!(read("").unwrap(), RateLimits::On(BTreeMap::new()));
    assert_eq!(read("rate_limits = false").unwrap(), RateLimits::Off);
    let own = RateLimits::On([("CreateVpc".to_owned(), 7)].into());
    assert_eq!(read("[rate_limits]\nCreateVpc = 7").unwrap(), own);
    assert!(read("rate_limits = \"fast\"").is_err());
}

#[test]
fn pools_are_ipv4_and_apart() {
    let check =
        |pools: &[&str]| check_pools(&pools.iter().map(|pool| pool.parse().unwrap()).collect::<Vec<IpNet>>());
    assert!(check(&["198.51.100.0/24", "203.0.113.0/24"]).is_ok());
    assert!(check(DEFAULT_POOLS).is_ok());
    for wrong in [&["2001:db8::/32"][..], &["10.0.0.0/8", "10.1.0.0/16"], &["10.1.0.0/16", "10.0.0.0/8"]] {
        assert!(check(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn an_error_of_the_file_tells_where_it_is_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("causeway.toml");
    let key = "access_keys = [{ id = \"k\", secret = \"hunter2\", typo = 1 }]";
    std::fs::write(&path, format!("[[accounts]]\nid = \"1\"\n{key}\n")).unwrap();
    let error = format!("{:#}", Config::read(Some(&path)).unwrap_err());
    assert!(error.contains("line ") && error.contains("typo"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

/// What a file is answered with.
fn refusal(text: &str) -> String {
    let read: Result<Config, _> = toml::from_str(text);
    match read {
        Err(error) => error.message().to_owned(),
        Ok(config) => match config.settings(&crate::serve::dialects()) {
            Err(error) => format!("{error:#}"),
            Ok(_) => "nothing".to_owned(),
        },
    }
}

#[test]
fn what_would_have_no_effect_or_an_odd_one_is_refused() {
    for (text, says) in [
        ("public_pools = []", "without an address no gateway can be made"),
        ("rate_limits = \"no\"", "expected true, false, or a table with calls in a second by action"),
        ("[rate_limits]\nCreateVpnGatewayy = 3", "no API has an action CreateVpnGatewayy"),
        ("[rate_limits]\nCreateVpnGateway = 0", "CreateVpnGateway: at least one call in a second"),
        ("[[accounts]]\nid = \"abc\"", "is no number"),
        ("[[accounts]]\nid = \"1\"\n[[accounts]]\nid = \"1\"", "account 1 stands twice"),
        ("[[regions.aws]]\nid = \"x\"\nzones = [\"a\"]", "there is no such API; there are"),
        ("[[regions.alibaba]]\nid = \"x\"\nzones = []", "region x needs at least one zone"),
        ("[[regions.alibaba]]\nid = \"x\"\nzones = [\"a\", \"a\"]", "zone \"a\" of region x"),
        ("[[regions.alibaba]]\nid = \"x\"\nzones = [3]", "a zone's id, or a table"),
        ("[[regions.alibaba]]\nid = \"x\"\nzones = [{ id = \"a\", vpn_gateways = \"gone\" }]", "`sold_out`"),
        ("[regions]\nalibaba = []", "needs at least one region"),
    ] {
        let said = refusal(text);
        assert!(said.contains(says), "{text}\n{said}");
    }
    assert_eq!(refusal("[rate_limits]\nCreateVpnGateway = 3"), "nothing");
    let twice = "[[regions.tencent]]\nid = \"x\"\nzones = [\"a\"]\n";
    assert!(refusal(&twice.repeat(2)).contains("stands twice"));
}
