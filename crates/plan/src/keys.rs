//! Keys: how the control plane and the engines name what they share.
//!
//! A key is short, lower case and alphanumeric, so that an engine can put it into the name of a
//! network interface (15 bytes on Linux), a namespace or a file as it stands.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The longest key, in characters.
pub const MAX_KEY_CHARS: usize = 12;

/// A text that is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key: 1 to {MAX_KEY_CHARS} characters of a-z and 0-9")]
pub struct KeyError(pub String);

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Parses a key: 1 to [`MAX_KEY_CHARS`] characters of a-z and 0-9.
            ///
            /// # Errors
            /// [`KeyError`] for any other text.
            pub fn new(text: impl Into<String>) -> Result<Self, KeyError> {
                let text = text.into();
                let fits = (1..=MAX_KEY_CHARS).contains(&text.len());
                if fits && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
                    Ok(Self(text.into_boxed_str()))
                } else {
                    Err(KeyError(text))
                }
            }

            /// The key as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = KeyError;
            fn try_from(text: String) -> Result<Self, KeyError> {
                Self::new(text)
            }
        }

        impl FromStr for $name {
            type Err = KeyError;
            fn from_str(text: &str) -> Result<Self, KeyError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> String {
                key.0.into()
            }
        }
    };
}

key!(
    /// A network (VPC).
    NetworkKey
);
key!(
    /// A subnet (vSwitch) of a network.
    SubnetKey
);
key!(
    /// A VPN gateway, with its one or two instances.
    GatewayKey
);
key!(
    /// A VPN connection, with one tunnel per instance that serves it.
    ConnectionKey
);

/// One instance of a gateway: the machine-like thing with one public address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceKey {
    pub gateway: GatewayKey,
    /// 0, or 1 for the second instance of a dual-tunnel gateway.
    pub index: u8,
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.gateway, self.index)
    }
}

/// One tunnel of a connection on one instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TunnelKey {
    pub instance: InstanceKey,
    pub connection: ConnectionKey,
}

impl fmt::Display for TunnelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.instance, self.connection)
    }
}

/// A route of a network that leads to a gateway. It belongs to the gateway, not to the network.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RouteKey {
    pub gateway: GatewayKey,
    pub network: NetworkKey,
    pub destination: IpNet,
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.gateway, self.network, self.destination)
    }
}

/// Names one object of the data plane.
///
/// The order of the variants is the order of creation: a parent stands before what needs it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKey {
    Network(NetworkKey),
    /// A subnet is named with its network, because the network's scope owns it.
    Subnet(NetworkKey, SubnetKey),
    Instance(InstanceKey),
    Tunnel(TunnelKey),
    Route(RouteKey),
}

impl ObjectKey {
    /// The scope that owns this object.
    pub fn scope(&self) -> Scope {
        match self {
            Self::Network(network) | Self::Subnet(network, _) => Scope::Network(network.clone()),
            Self::Instance(instance) => Scope::Gateway(instance.gateway.clone()),
            Self::Tunnel(tunnel) => Scope::Gateway(tunnel.instance.gateway.clone()),
            Self::Route(route) => Scope::Gateway(route.gateway.clone()),
        }
    }

    /// The object of the same scope that this one is part of.
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::Subnet(network, _) => Some(Self::Network(network.clone())),
            Self::Tunnel(tunnel) => Some(Self::Instance(tunnel.instance.clone())),
            Self::Network(_) | Self::Instance(_) | Self::Route(_) => None,
        }
    }

    /// Place in the order of creation, parents first.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Network(_) => 0,
            Self::Subnet(..) => 1,
            Self::Instance(_) => 2,
            Self::Tunnel(_) => 3,
            Self::Route(_) => 4,
        }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(key) => write!(f, "network {key}"),
            Self::Subnet(network, key) => write!(f, "subnet {network}.{key}"),
            Self::Instance(key) => write!(f, "instance {key}"),
            Self::Tunnel(key) => write!(f, "tunnel {key}"),
            Self::Route(key) => write!(f, "route {key}"),
        }
    }
}

/// What is planned, observed and reconciled together.
///
/// A network's scope owns the network and its subnets; a gateway's scope owns its instances, tunnels
/// and routes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Network(NetworkKey),
    Gateway(GatewayKey),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(key) => write!(f, "network {key}"),
            Self::Gateway(key) => write!(f, "gateway {key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GatewayKey, KeyError};

    #[test]
    fn only_short_base36_is_a_key() {
        assert_eq!(GatewayKey::new("a1b2c3d4e5f6").unwrap().as_str(), "a1b2c3d4e5f6");
        for bad in ["", "a1b2c3d4e5f67", "A", "a-b", "a/b", "é", ".."] {
            assert_eq!(GatewayKey::new(bad), Err(KeyError(bad.into())));
        }
        assert!(serde_json::from_str::<GatewayKey>("\"../x\"").is_err());
    }
}
