//! The actions that are carried out: the table, one line each.

mod create_customer_gateway;
mod create_enhanced_vpn_gateway;
mod create_route_entry;
mod create_vpc;
mod create_vpn_connection;
mod create_vpn_gateway;
mod create_vswitch;
mod delete_customer_gateway;
mod delete_enhanced_vpn_gateway;
mod delete_route_entry;
mod delete_vpc;
mod delete_vpn_connection;
mod delete_vpn_gateway;
mod delete_vswitch;
mod describe_customer_gateway;
mod describe_customer_gateways;
mod describe_endpoints;
mod describe_regions;
mod describe_route_entry_list;
mod describe_route_table_list;
mod describe_vpc_attribute;
mod describe_vpcs;
mod describe_vpn_connection;
mod describe_vpn_connections;
mod describe_vpn_gateway;
mod describe_vpn_gateway_available_zones;
mod describe_vpn_gateways;
mod describe_vswitch_attributes;
mod describe_vswitches;
mod describe_zones;
mod download_vpn_connection_config;
mod get_caller_identity;
mod list_resource_groups;
mod list_tag_resources;
mod modify_customer_gateway_attribute;
mod modify_vpc_attribute;
mod modify_vpn_gateway_attribute;
mod modify_vswitch_attribute;
mod move_vpn_resource_group;
mod tag_resources;
mod untag_resources;
mod update_enhanced_vpn_gateway;

use causeway_dialect::json::Members;
use causeway_dialect::{EncodeContext, Envelope};
use causeway_ops::Outcome;

use crate::action::Action;

/// Writes an answer at once, without the tree of [`Action::encode`].
pub type Write = fn(&Outcome, &EncodeContext<'_>) -> Members;

/// How the answer of an action is written at once, where that is possible: in JSON, of those that are called most.
pub fn written(envelope: &Envelope) -> Option<Write> {
    match (envelope.wants_xml, envelope.service.as_str(), envelope.action.as_str()) {
        (false, "vpc", "DescribeVpnGateway") => Some(describe_vpn_gateway::write),
        (false, "vpc", "DescribeVpnGateways") => Some(describe_vpn_gateways::write),
        _ => None,
    }
}

/// Every action that is carried out.
pub const ALL: &[Action] = &[
    create_customer_gateway::ACTION,
    create_enhanced_vpn_gateway::ACTION,
    create_route_entry::ACTION,
    create_vpc::ACTION,
    create_vpn_connection::ACTION,
    create_vpn_gateway::ACTION,
    create_vswitch::ACTION,
    delete_customer_gateway::ACTION,
    delete_enhanced_vpn_gateway::ACTION,
    delete_route_entry::ACTION,
    delete_vpc::ACTION,
    delete_vpn_connection::ACTION,
    delete_vpn_gateway::ACTION,
    delete_vswitch::ACTION,
    describe_customer_gateway::ACTION,
    describe_customer_gateways::ACTION,
    describe_endpoints::ACTION,
    describe_regions::ACTION,
    describe_route_entry_list::ACTION,
    describe_route_table_list::ACTION,
    describe_vpc_attribute::ACTION,
    describe_vpcs::ACTION,
    describe_vpn_connection::ACTION,
    describe_vpn_connections::ACTION,
    describe_vpn_gateway::ACTION,
    describe_vpn_gateway_available_zones::ACTION,
    describe_vpn_gateways::ACTION,
    describe_vswitch_attributes::ACTION,
    describe_vswitches::ACTION,
    describe_zones::ACTION,
    download_vpn_connection_config::ACTION,
    get_caller_identity::ACTION,
    list_resource_groups::ACTION,
    list_tag_resources::ACTION,
    modify_customer_gateway_attribute::ACTION,
    modify_vpc_attribute::ACTION,
    modify_vpn_gateway_attribute::ACTION,
    modify_vswitch_attribute::ACTION,
    move_vpn_resource_group::ACTION,
    tag_resources::ACTION,
    untag_resources::ACTION,
    update_enhanced_vpn_gateway::ACTION,
];

/// An action of a product.
pub fn find(service: &str, name: &str) -> Option<&'static Action> {
    ALL.iter().find(|action| action.name == name && action.service == service)
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use crate::catalog;

    #[test]
    fn every_action_is_in_the_catalogue_once() {
        let mut names: Vec<_> = ALL.iter().map(|action| (action.service, action.name)).collect();
        for (service, name) in &names {
            assert!(catalog::find(service, name).is_some(), "{service} {name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
