//! The actions that are carried out: one line each.

mod create_customer_gateway;
mod create_subnet;
mod create_vpc;
mod create_vpn_gateway;
mod delete_customer_gateway;
mod delete_subnet;
mod delete_vpc;
mod delete_vpn_gateway;
mod describe_customer_gateways;
mod describe_subnets;
mod describe_vpcs;
mod describe_vpn_gateways;
mod modify_customer_gateway_attribute;
mod modify_vpn_gateway_attribute;

use crate::action::Action;

/// Every action that is carried out.
pub const ALL: &[Action] = &[
    create_customer_gateway::ACTION,
    create_subnet::ACTION,
    create_vpc::ACTION,
    create_vpn_gateway::ACTION,
    delete_customer_gateway::ACTION,
    delete_subnet::ACTION,
    delete_vpc::ACTION,
    delete_vpn_gateway::ACTION,
    describe_customer_gateways::ACTION,
    describe_subnets::ACTION,
    describe_vpcs::ACTION,
    describe_vpn_gateways::ACTION,
    modify_customer_gateway_attribute::ACTION,
    modify_vpn_gateway_attribute::ACTION,
];

/// The action of a service with a name.
pub fn find(service: &str, name: &str) -> Option<&'static Action> {
    ALL.iter().find(|action| action.service == service && action.name == name)
}
