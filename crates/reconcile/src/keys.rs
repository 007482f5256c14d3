//! Inner ids as keys of the data plane, and back: base 36, so that they fit into names of interfaces.

use causeway_model::{ConnectionId, GatewayId, Key, NetworkId, SubnetId};
use causeway_plan::{ConnectionKey, GatewayKey, MAX_KEY_CHARS, NetworkKey, Scope, SubnetKey};

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// What is reconciled together, by its inner id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Item {
    /// A network with its subnets.
    Network(NetworkId),
    /// A gateway with its tunnels and routes.
    Gateway(GatewayId),
}

impl Item {
    /// Its scope in the data plane.
    pub fn scope(self) -> Scope {
        match self {
            Item::Network(id) => Scope::Network(network_key(id)),
            Item::Gateway(id) => Scope::Gateway(gateway_key(id)),
        }
    }

    /// The item of a scope; `None` when the scope was not made from an id.
    pub fn of_scope(scope: &Scope) -> Option<Self> {
        match scope {
            Scope::Network(key) => number(key.as_str()).map(|id| Item::Network(NetworkId(id))),
            Scope::Gateway(key) => number(key.as_str()).map(|id| Item::Gateway(GatewayId(id))),
        }
    }

    /// The key of its record.
    pub fn key(self) -> Key {
        match self {
            Item::Network(id) => id.key(),
            Item::Gateway(id) => id.key(),
        }
    }
}

fn text(mut id: u64) -> String {
    let mut digits = [b'0'; MAX_KEY_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(id % 36) as usize];
        id /= 36;
    }
    String::from_utf8_lossy(&digits).into_owned()
}

fn number(key: &str) -> Option<u64> {
    (key.len() == MAX_KEY_CHARS).then(|| u64::from_str_radix(key, 36).ok()).flatten()
}

/// Ids have 62 bits at most (`causeway_model::limits::ID_BITS`), so their text always is a key.
macro_rules! key_of {
    ($($(#[$doc:meta])* $name:ident: $id:ty => $key:ty),+ $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(id: $id) -> $key {
            <$key>::new(text(id.0)).expect("12 digits of base 36 are a key")
        }
    )+};
}

key_of! {
    /// The key of a network.
    network_key: NetworkId => NetworkKey,
    /// The key of a subnet.
    subnet_key: SubnetId => SubnetKey,
    /// The key of a gateway.
    gateway_key: GatewayId => GatewayKey,
    /// The key of a connection.
    connection_key: ConnectionId => ConnectionKey,
}

/// The subnet between a network's router and the gateways that live in none of its subnets.
pub(crate) fn router_link_key() -> SubnetKey {
    SubnetKey::new("link").expect("a constant key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_the_way_there_and_back() {
        for id in [0, 1, 35, 36, 1 << 61, (1 << 62) - 1] {
            let item = Item::Gateway(GatewayId(id));
            assert_eq!(Item::of_scope(&item.scope()), Some(item));
        }
        assert_eq!(Item::of_scope(&Scope::Network(NetworkKey::new("link").unwrap())), None);
    }
}
