//! The kinds of resources.

use serde::{Deserialize, Serialize};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// What sort of record something is.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub enum Kind { $($(#[$doc])* $name),+ }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$name),+];

            /// The word for it in keys and logs.
            pub const fn word(self) -> &'static str {
                match self { $(Kind::$name => $word),+ }
            }

            /// The kind that a word of [`Kind::word`] names.
            pub fn from_word(word: &str) -> Option<Kind> {
                Kind::ALL.iter().copied().find(|kind| kind.word() == word)
            }
        }
    };
}

kinds! {
    /// A virtual private network (VPC).
    Network = "network",
    /// A subnet (vSwitch).
    Subnet = "subnet",
    /// A route table of a network.
    RouteTable = "route-table",
    /// A route of a route table.
    Route = "route",
    /// A VPN gateway.
    Gateway = "gateway",
    /// A customer gateway.
    CustomerGateway = "customer-gateway",
    /// An IPsec connection.
    Connection = "connection",
    /// An order.
    Order = "order",
    /// A client token that was used.
    Token = "token",
    /// A tag that can be put on resources.
    Tag = "tag",
}
