//! Customer gateways: records of the devices at the far end.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{CustomerGatewayId, Meta, Secret};

/// The record of a device at the far end of connections.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CustomerGateway {
    /// Inner id.
    pub id: CustomerGatewayId,
    /// What every resource has.
    pub meta: Meta,
    /// Its public address.
    pub ip: IpAddr,
    /// Its BGP autonomous system number.
    pub asn: Option<u32>,
    /// Its BGP authentication key (TCP MD5).
    pub bgp_key: Option<Secret>,
}
