//! Identities: the typed inner ids of resources, and the names that an API gives them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Kind;

/// The identity of any resource: its kind and its inner id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Key {
    /// What sort of resource this is.
    pub kind: Kind,
    /// Its inner id, unique within the kind.
    pub id: u64,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:016x}", self.kind.word(), self.id)
    }
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// This id as the key of a record.
            pub const fn key(self) -> Key {
                Key { kind: Kind::$kind, id: self.0 }
            }
        }

        impl From<$name> for Key {
            fn from(id: $name) -> Key {
                id.key()
            }
        }
    )+};
}

typed_ids! {
    /// A virtual private network (VPC).
    NetworkId => Network,
    /// A subnet (vSwitch) of a network.
    SubnetId => Subnet,
    /// A route table of a network.
    RouteTableId => RouteTable,
    /// One route of a route table.
    RouteId => Route,
    /// A VPN gateway.
    GatewayId => Gateway,
    /// A customer gateway: the record of the device at the far end.
    CustomerGatewayId => CustomerGateway,
    /// An IPsec connection with its one or two tunnels.
    ConnectionId => Connection,
    /// An order: what was bought, and whether it is paid.
    OrderId => Order,
    /// The memory of a client token.
    TokenId => Token,
    /// A tag that can be put on resources.
    TagId => Tag,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub std::sync::Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    )+};
}

names! {
    /// The account that owns resources and pays for them.
    AccountId,
    /// A region, by the name its API gives it.
    Region,
    /// An availability zone of a region.
    Zone,
    /// Which API a resource was made through. The word is chosen by the dialect.
    DialectId,
    /// The id that a dialect shows to its callers, such as `vpn-…`. Made once, stored, never derived again.
    ExternalId,
}
