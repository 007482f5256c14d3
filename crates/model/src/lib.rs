//! The nouns of Causeway: parsed types, their lifecycles and limits. No I/O, no clock, no randomness.

pub mod addresses;
pub mod connection;
pub mod crypto;
pub mod customer_gateway;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
pub mod gateway;
pub mod id;
pub mod initiation;
pub mod kind;
pub mod limits;
pub mod meta;
pub mod network;
pub mod order;
pub mod proposal;
pub mod record;
pub mod secret;
pub mod tag;
pub mod term;
pub mod view;

pub use addresses::{Ground, TakenAddresses};
pub use connection::{
    Connection, ConnectionState, ConnectionStatus, Dpd, DpdAction, HealthCheck, Policy, Selection,
    TrafficSelectors, Tunnel, TunnelBgp, TunnelStatus,
};
pub use crypto::{DhGroup, Encryption, EspProposal, IkeProposal, IkeVersion, Integrity};
pub use customer_gateway::CustomerGateway;
pub use gateway::{Exposure, Features, Gateway, GatewayState, GatewayStatus, Placement};
pub use id::{
    AccountId, ConnectionId, CustomerGatewayId, DialectId, ExternalId, GatewayId, Key, NetworkId, OrderId,
    Region, RouteId, RouteTableId, SubnetId, TagId, TokenId, Zone,
};
pub use initiation::Initiation;
pub use kind::Kind;
pub use meta::{Facet, Meta, Millis};
pub use network::{Network, NextHop, Route, RouteTable, Subnet};
pub use order::{Order, Token};
pub use record::{Record, Write};
pub use secret::Secret;
pub use tag::Tag;
pub use term::{AtEnd, Charge, Term};
pub use view::{ListKey, View};
