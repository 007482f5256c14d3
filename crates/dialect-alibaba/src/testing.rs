//! What the tests of this crate share: envelopes, settings, snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;

use causeway_dialect::{
    Call, DecodeContext, Dialect, EncodeContext, Envelope, Failure, Gate, Manner, Params, Signing,
};
use causeway_model::{AccountId, DialectId, Key, Millis, View};
use causeway_ops::{AccountSettings, Caller, Decision, OpError, Outcome, RegionSettings, Settings, decide};
use serde_json::Value;

use crate::{Alibaba, regions};

pub const ACCOUNT: &str = "1000000000000001";
pub const NOW: Millis = Millis(1_800_000_000_000);

/// The default regions, one account with two resource groups.
pub fn settings() -> Settings {
    let resource_groups = vec![("rg-1".into(), "default".into()), ("rg-2".into(), "other".into())];
    let account = AccountSettings { resource_groups, ..AccountSettings::new(ACCOUNT, "test") };
    Settings {
        regions: BTreeMap::from([(DialectId::from(crate::ID), regions::defaults())]),
        public_pools: vec!["198.51.100.0/24".parse().unwrap()],
        accounts: BTreeMap::from([(AccountId::from(ACCOUNT), account)]),
    }
}

/// A request of an action, as opened.
pub fn envelope(action: &str, pairs: &[(&str, &str)]) -> Envelope {
    let service = match action {
        "GetCallerIdentity" => "sts",
        "DescribeEndpoints" => "location",
        "ListResourceGroups" => "resourcemanager",
        _ => "vpc",
    };
    let region = pairs.iter().find(|(name, _)| *name == "RegionId").map_or("", |pair| pair.1);
    Envelope {
        service: service.into(),
        action: action.into(),
        version: String::new(),
        region: region.into(),
        access_key: "testid".into(),
        session_token: None,
        timestamp_s: 0,
        nonce: None,
        signing: Signing::default(),
        wants_xml: false,
        language: String::new(),
        host: "127.0.0.1:8440".into(),
        pairs: Vec::new(),
        params: Params::from_pairs(pairs.iter().copied()).unwrap(),
    }
}

fn decode_envelope(envelope: &Envelope, settings: &Settings) -> Result<Call, Failure> {
    let account = AccountId::from(ACCOUNT);
    Alibaba.decode(envelope, DecodeContext { settings, account: &account, request_id: "test", now: NOW })
}

/// Decodes a request of an action.
pub fn decode(action: &str, pairs: &[(&str, &str)]) -> Result<Call, Failure> {
    decode_envelope(&envelope(action, pairs), &settings())
}

/// The code of the refusal of a request.
pub fn refusal(action: &str, pairs: &[(&str, &str)]) -> String {
    match decode(action, pairs) {
        Ok(_) => "accepted".to_owned(),
        Err(failure) => failure.code,
    }
}

/// A service without wire and engine: requests are decoded, decided and encoded; [`World::observe`] stands for
/// the engine.
pub struct World {
    pub view: View,
    pub settings: Arc<Settings>,
    entropy: u64,
}

impl World {
    pub fn new() -> Self {
        Self { view: View::default(), settings: Arc::new(settings()), entropy: 1 }
    }

    /// Changes what the operator has set.
    pub fn set(&mut self, change: impl FnOnce(&mut RegionSettings, &mut AccountSettings)) {
        let settings = Arc::make_mut(&mut self.settings);
        let region = settings.regions.values_mut().flatten().find(|it| it.id.as_str() == "cn-hangzhou");
        let account = settings.accounts.values_mut().next();
        change(region.unwrap(), account.unwrap());
    }

    fn decide(&mut self, call: &Call) -> (Caller, Result<Decision, OpError>) {
        let caller = Caller {
            account: ACCOUNT.into(),
            dialect: crate::ID.into(),
            region: call.region.clone(),
            rules: Alibaba.rules(),
            token: call.token.clone(),
            settings: self.settings.clone(),
        };
        let state = &mut self.entropy;
        let mut entropy = || {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *state ^ (*state >> 29)
        };
        let decision = decide(&self.view, &caller, &call.operation, NOW, &mut entropy);
        (caller, decision)
    }

    /// Carries out a request.
    pub fn call(&mut self, action: &str, pairs: &[(&str, &str)]) -> Result<Value, Failure> {
        let mut all = vec![("RegionId", "cn-hangzhou")];
        all.extend(pairs.iter().copied());
        let envelope = envelope(action, &all);
        let call = decode_envelope(&envelope, &self.settings)?;
        let (caller, decision) = self.decide(&call);
        let decision = decision.map_err(|error| Alibaba.refuse(&envelope, &error))?;
        if call.dry_run {
            return Err(Alibaba.gate(&Gate::DryRun, &Manner::default()));
        }
        self.view.apply(&decision.writes);
        let context = EncodeContext {
            view: &self.view,
            caller: &caller,
            envelope: &envelope,
            request_id: "R-1",
            now: NOW,
        };
        Ok(answer(&decision.outcome, context))
    }

    /// Carries out a request that must succeed.
    pub fn ok(&mut self, action: &str, pairs: &[(&str, &str)]) -> Value {
        self.call(action, pairs).unwrap_or_else(|failure| panic!("{action}: {failure:?}"))
    }

    /// The code of the refusal of a request.
    pub fn code(&mut self, action: &str, pairs: &[(&str, &str)]) -> String {
        self.call(action, pairs).map_or_else(|failure| failure.code, |answer| panic!("accepted: {answer}"))
    }

    /// A member of an answer, as text.
    pub fn made(&mut self, action: &str, pairs: &[(&str, &str)], member: &str) -> String {
        let answer = self.ok(action, pairs);
        answer[member].as_str().unwrap_or_else(|| panic!("{action}: {answer}")).to_owned()
    }

    /// A network with two vSwitches in two zones: their ids.
    pub fn network(&mut self) -> [String; 3] {
        let vpc = self.made("CreateVpc", &[("CidrBlock", "10.0.0.0/8")], "VpcId");
        let zones = [("cn-hangzhou-h", "10.0.1.0/24"), ("cn-hangzhou-i", "10.0.2.0/24")];
        let [first, second] = zones.map(|(zone, cidr)| {
            let pairs = [("VpcId", vpc.as_str()), ("ZoneId", zone), ("CidrBlock", cidr)];
            self.made("CreateVSwitch", &pairs, "VSwitchId")
        });
        [vpc, first, second]
    }

    /// An active gateway with one instance.
    pub fn gateway(&mut self) -> String {
        let [vpc, switch, _] = self.network();
        let pairs = [("VpcId", vpc.as_str()), ("VSwitchId", switch.as_str()), ("Bandwidth", "10")];
        let id = self.made("CreateVpnGateway", &pairs, "VpnGatewayId");
        self.observe();
        id
    }

    /// The table of a network with two vSwitches, and a gateway in it.
    pub fn table_with_gateway(&mut self) -> (String, String) {
        let gateway = self.gateway();
        let vpc = self.ok("DescribeVpnGateway", &[("VpnGatewayId", &gateway)])["VpcId"].clone();
        let vpc = vpc.as_str().unwrap_or_default();
        let tables = self.ok("DescribeRouteTableList", &[("VpcId", vpc)]);
        let table = tables["RouterTableList"]["RouterTableListType"][0]["RouteTableId"].as_str().unwrap();
        (table.to_owned(), gateway)
    }

    /// An active gateway with two instances.
    pub fn dual_gateway(&mut self) -> String {
        let [vpc, first, second] = self.network();
        let pairs = [
            ("VpcId", vpc.as_str()),
            ("VSwitchId", first.as_str()),
            ("DisasterRecoveryVSwitchId", second.as_str()),
            ("GatewayType", "Enhanced.SiteToSite"),
        ];
        let id = self.made("CreateEnhancedVpnGateway", &pairs, "VpnGatewayId");
        self.observe();
        id
    }

    /// A customer gateway.
    pub fn customer_gateway(&mut self, ip: &str) -> String {
        self.made("CreateCustomerGateway", &[("IpAddress", ip), ("Asn", "65001")], "CustomerGatewayId")
    }

    /// An active connection with one tunnel.
    pub fn connection(&mut self) -> String {
        let gateway = self.gateway();
        let peer = self.customer_gateway("203.0.113.1");
        let pairs = connect(&gateway, &peer, ["10.0.0.0/16", "192.168.0.0/16"]);
        let id = self.made("CreateVpnConnection", &pairs, "VpnConnectionId");
        self.observe();
        id
    }

    /// The engine saw everything carried out: what was asked for is there, what is being deleted is gone.
    pub fn observe(&mut self) {
        use causeway_model::{Record, Write};
        let records: Vec<Record> = self.view.records().cloned().collect();
        let writes: Vec<Write> = records.into_iter().filter_map(observed).collect();
        self.view.apply(&writes);
    }
}

/// What CreateVpnConnection needs: the gateway, the customer gateway, the local range and the remote one.
pub fn connect<'a>(gateway: &'a str, peer: &'a str, ranges: [&'a str; 2]) -> Vec<(&'a str, &'a str)> {
    let [local, remote] = ranges;
    vec![
        ("VpnGatewayId", gateway),
        ("CustomerGatewayId", peer),
        ("LocalSubnet", local),
        ("RemoteSubnet", remote),
    ]
}

fn observed(mut record: causeway_model::Record) -> Option<causeway_model::Write> {
    use causeway_model::{Record, Write};
    let key: Key = record.key();
    if record.meta()?.deleting {
        return Some(Write::Delete(key));
    }
    let generation = record.meta()?.generation;
    match &mut record {
        Record::Gateway(it) => {
            let it = Arc::make_mut(it);
            if !it.paid {
                return None;
            }
            it.status.observed_generation = generation;
            it.status.was_active = true;
        }
        Record::Connection(it) => {
            let it = Arc::make_mut(it);
            it.status.observed_generation = generation;
            it.status.was_active = true;
        }
        Record::Network(it) => Arc::make_mut(it).observed_generation = generation,
        Record::Subnet(it) => Arc::make_mut(it).observed_generation = generation,
        _ => return None,
    }
    Some(Write::Put(record))
}

/// The members of an answer.
pub fn answer(outcome: &Outcome, context: EncodeContext<'_>) -> Value {
    let response = Alibaba.encode(outcome, context);
    assert_eq!(response.status, 200);
    let answer: Value = serde_json::from_slice(&response.body).unwrap();
    // Whether it was written at once or made as a tree: XML is made of the tree.
    let action = crate::find(context.envelope).unwrap();
    let mut tree = (action.encode)(outcome, &context);
    tree["RequestId"] = context.request_id.into();
    assert_eq!(answer, tree);
    answer
}
