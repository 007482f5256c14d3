//! DescribeCustomerGatewayVendors: the devices that DownloadCustomerGatewayConfiguration takes.

use causeway_dialect::EncodeContext;
use causeway_ops::{Operation, Outcome, Query};
use serde_json::Value;

use crate::action::{self, Action, Answer, Input};
use crate::refusal::Refusal;
use crate::shapes::vendors::{VENDORS, vendor};

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DescribeCustomerGatewayVendors", decode, encode };

fn decode(_: &Input<'_>) -> Result<Operation, Refusal> {
    Ok(Operation::Read(Query::Settings))
}

fn encode(_: &Outcome, _: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    let vendors: Vec<Value> = VENDORS.iter().map(vendor).collect();
    Ok(action::one("CustomerGatewayVendorSet", Value::Array(vendors)))
}
