//! A record: any resource, as the store keeps it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Connection, CustomerGateway, Gateway, Key, Kind, Meta, Network, NextHop, Order, Route, RouteTable,
    Subnet, Tag, Token,
};

macro_rules! records {
    ($($kind:ident),+ ; tokens: $token:ident) => {
        /// Any record of the store.
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        pub enum Record { $(#[doc = "See the type."] $kind(Arc<$kind>),)+ #[doc = "See the type."] $token(Arc<$token>) }

        impl Record {
            /// Its identity.
            pub fn key(&self) -> Key {
                match self { $(Record::$kind(it) => it.id.key(),)+ Record::$token(it) => it.id.key() }
            }

            /// What every resource has; tokens have none.
            pub fn meta(&self) -> Option<&Meta> {
                match self { $(Record::$kind(it) => Some(&it.meta),)+ Record::$token(_) => None }
            }

            /// Like [`Record::meta`], to change it.
            pub fn meta_mut(&mut self) -> Option<&mut Meta> {
                match self { $(Record::$kind(it) => Some(&mut Arc::make_mut(it).meta),)+ Record::$token(_) => None }
            }

            /// The record as JSON, for the store.
            ///
            /// # Errors
            /// Those of the serialiser; none for the types here.
            pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
                match self { $(Record::$kind(it) => serde_json::to_vec(it),)+ Record::$token(it) => serde_json::to_vec(it) }
            }

            /// Reads what [`Record::to_json`] wrote.
            ///
            /// # Errors
            /// When the text is not a record of that kind.
            pub fn from_json(kind: Kind, json: &[u8]) -> serde_json::Result<Record> {
                Ok(match kind {
                    $(Kind::$kind => Record::$kind(serde_json::from_slice(json)?),)+
                    Kind::$token => Record::$token(serde_json::from_slice(json)?),
                })
            }
        }

        $(impl From<$kind> for Record {
            fn from(it: $kind) -> Record { Record::$kind(Arc::new(it)) }
        })+
        impl From<$token> for Record {
            fn from(it: $token) -> Record { Record::$token(Arc::new(it)) }
        }
    };
}

records!(Network, Subnet, RouteTable, Route, Gateway, CustomerGateway, Connection, Order, Tag; tokens: Token);

impl Record {
    /// The records that this one hangs on: each of them can list it among its children.
    pub fn parents(&self) -> Vec<Key> {
        match self {
            Record::Network(_) | Record::CustomerGateway(_) | Record::Token(_) | Record::Tag(_) => Vec::new(),
            Record::Subnet(it) => vec![it.network.key(), it.table.key()],
            Record::RouteTable(it) => vec![it.network.key()],
            Record::Route(it) => {
                let mut parents = vec![it.table.key(), it.network.key()];
                if let NextHop::Gateway(gateway) = it.next_hop {
                    parents.push(gateway.key());
                }
                parents.extend(it.connection.map(|id| id.key()));
                parents
            }
            Record::Gateway(it) => {
                let subnets = it.instances.iter().filter_map(|instance| instance.subnet);
                it.network.iter().map(|id| id.key()).chain(subnets.map(|id| id.key())).collect()
            }
            Record::Connection(it) => {
                let peers = it.tunnels.iter().map(|tunnel| tunnel.customer_gateway.key());
                std::iter::once(it.gateway.key()).chain(peers).collect()
            }
            Record::Order(it) => vec![it.subject],
        }
    }
}

/// One change of the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Write {
    /// The record is added, or takes the place of the one with its key.
    Put(Record),
    /// The record is gone.
    Delete(Key),
}

impl Write {
    /// Whose change this is.
    pub fn key(&self) -> Key {
        match self {
            Write::Put(record) => record.key(),
            Write::Delete(key) => *key,
        }
    }
}
