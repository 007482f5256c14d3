//! What the clients make and delete, and what they were told.

use std::collections::{BTreeMap, BTreeSet};

use causeway_client::{Client, ClientError};
use serde_json::Value;

pub const VERSION: &str = "2016-04-28";
pub const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

/// What is made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    CustomerGateway,
    /// Several records in one transaction: the gateway, its instances' addresses, its order, the token.
    Gateway,
    Connection,
}

pub const KINDS: [Kind; 3] = [Kind::CustomerGateway, Kind::Gateway, Kind::Connection];

impl Kind {
    /// The noun of the actions.
    fn noun(self) -> &'static str {
        match self {
            Self::CustomerGateway => "CustomerGateway",
            Self::Gateway => "VpnGateway",
            Self::Connection => "VpnConnection",
        }
    }

    pub fn id(self) -> String {
        format!("{}Id", self.noun())
    }
}

/// What everything hangs on. It is made before the first kill.
#[derive(Clone, Debug)]
pub struct Ground {
    pub vpc: String,
    pub vswitch: String,
    pub gateway: String,
    pub customer_gateway: String,
}

/// One creation: the same request whenever it is sent, but for time and nonce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Creation {
    pub kind: Kind,
    pub number: u32,
}

impl Creation {
    /// Which kind comes at which number.
    pub fn of(number: u32) -> Self {
        let kind = match number % 10 {
            0 => Kind::Gateway,
            5 => Kind::Connection,
            _ => Kind::CustomerGateway,
        };
        Self { kind, number }
    }

    pub fn name(self) -> String {
        format!("n{}", self.number)
    }

    fn parameters(self, ground: &Ground) -> Vec<(&'static str, String)> {
        let [_, a, b, c] = self.number.to_be_bytes();
        let mut parameters = vec![("Name", self.name()), ("ClientToken", format!("token-{}", self.number))];
        parameters.extend(match self.kind {
            Kind::CustomerGateway => vec![("IpAddress", format!("20.{a}.{b}.{c}"))],
            Kind::Gateway => vec![
                ("VpcId", ground.vpc.clone()),
                ("VSwitchId", ground.vswitch.clone()),
                ("Bandwidth", "10".to_owned()),
                ("InstanceChargeType", "POSTPAY".to_owned()),
                ("EnableIpsec", "true".to_owned()),
            ],
            Kind::Connection => vec![
                ("VpnGatewayId", ground.gateway.clone()),
                ("CustomerGatewayId", ground.customer_gateway.clone()),
                ("LocalSubnet", "10.10.0.0/16".to_owned()),
                ("RemoteSubnet", format!("30.{b}.{c}.0/24")),
                ("EffectImmediately", "false".to_owned()),
            ],
        });
        parameters
    }

    /// Sends it; gives the id.
    pub async fn send(self, client: &mut Client, ground: &Ground) -> Result<String, ClientError> {
        let parameters = self.parameters(ground);
        let answer = call(client, &format!("Create{}", self.kind.noun()), &parameters).await?;
        Ok(answer[self.kind.id()].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned())
    }
}

pub async fn call(
    client: &mut Client,
    action: &str,
    parameters: &[(&str, String)],
) -> Result<Value, ClientError> {
    let own = parameters.iter().map(|(name, value)| (*name, value.as_str()));
    let all: Vec<(&str, &str)> = std::iter::once(REGION).chain(own).collect();
    client.alibaba(VERSION, action, &all).await
}

pub async fn delete(client: &mut Client, kind: Kind, id: &str) -> Result<(), ClientError> {
    let name = kind.id();
    call(client, &format!("Delete{}", kind.noun()), &[(name.as_str(), id.to_owned())]).await.map(drop)
}

/// All of a kind by id, with their names.
pub async fn present(client: &mut Client, kind: Kind) -> BTreeMap<String, String> {
    let (noun, id) = (kind.noun(), kind.id());
    let mut found = BTreeMap::new();
    for page in 1.. {
        let parameters = [("PageSize", "50".to_owned()), ("PageNumber", page.to_string())];
        let answer = call(client, &format!("Describe{noun}s"), &parameters).await.unwrap();
        let items = answer[format!("{noun}s")][noun].as_array().unwrap();
        if items.is_empty() {
            break;
        }
        let text = |item: &Value, member: &str| item[member].as_str().unwrap_or_default().to_owned();
        found.extend(items.iter().map(|item| (text(item, &id), text(item, "Name"))));
    }
    found
}

/// What the clients were told.
#[derive(Default)]
pub struct Ledger {
    /// What must be there.
    pub made: BTreeMap<String, Creation>,
    /// What must not.
    pub deleted: BTreeSet<String>,
    /// Creations that were never answered: either is right, until they are sent again.
    pub unanswered: Vec<Creation>,
    /// Creations that were answered, by kind.
    pub answered: BTreeMap<Kind, usize>,
    number: u32,
}

impl Ledger {
    pub fn next(&mut self) -> Creation {
        self.number += 1;
        Creation::of(self.number)
    }

    /// Takes note of what is there.
    pub fn note(&mut self, id: String, creation: Creation) {
        *self.answered.entry(creation.kind).or_default() += 1;
        self.made.insert(id, creation);
    }

    /// Takes out the oldest of a kind when there are more than so many. From the moment its deletion is asked for,
    /// either is right until that is answered.
    pub fn take_surplus(&mut self, kind: Kind, kept: usize) -> Option<(String, Creation)> {
        let of_kind: Vec<_> = self.made.iter().filter(|(_, creation)| creation.kind == kind).collect();
        if of_kind.len() <= kept {
            return None;
        }
        let (id, _) = of_kind.into_iter().min_by_key(|(_, creation)| creation.number)?;
        let id = id.clone();
        self.made.remove_entry(&id)
    }
}
