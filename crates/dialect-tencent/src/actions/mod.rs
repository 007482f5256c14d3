//! The actions that are carried out: one line each.

mod attach_tags;
mod change_tags;
mod create_customer_gateway;
mod create_routes;
mod create_subnet;
mod create_vpc;
mod create_vpn_connection;
mod create_vpn_gateway;
mod delete_customer_gateway;
mod delete_routes;
mod delete_subnet;
mod delete_vpc;
mod delete_vpn_connection;
mod delete_vpn_gateway;
mod describe_customer_gateway_vendors;
mod describe_customer_gateways;
mod describe_resource_tags;
mod describe_resources_by_tags;
mod describe_route_tables;
mod describe_subnets;
mod describe_tags;
mod describe_vpc_task_result;
mod describe_vpcs;
mod describe_vpn_connections;
mod describe_vpn_gateways;
mod download_customer_gateway_configuration;
mod get_caller_identity;
mod get_resources;
mod known_tags;
mod modify_customer_gateway_attribute;
mod modify_subnet_attribute;
mod modify_vpc_attribute;
mod modify_vpn_gateway_attribute;
mod places;
mod reset_vpn_gateway_internet_max_bandwidth;

use crate::action::Action;

/// Every action that is carried out.
pub const ALL: &[Action] = &[
    attach_tags::ATTACH,
    attach_tags::DETACH,
    attach_tags::MODIFY,
    change_tags::ADD,
    change_tags::DELETE,
    change_tags::MODIFY,
    change_tags::TAG,
    change_tags::UNTAG,
    change_tags::UPDATE,
    create_customer_gateway::ACTION,
    create_routes::ACTION,
    create_subnet::ACTION,
    create_vpc::ACTION,
    create_vpn_connection::ACTION,
    create_vpn_gateway::ACTION,
    delete_customer_gateway::ACTION,
    delete_routes::ACTION,
    delete_subnet::ACTION,
    delete_vpc::ACTION,
    delete_vpn_connection::ACTION,
    delete_vpn_gateway::ACTION,
    describe_customer_gateway_vendors::ACTION,
    describe_customer_gateways::ACTION,
    describe_resource_tags::ALL,
    describe_resource_tags::BY_IDS,
    describe_resource_tags::BY_KEYS,
    describe_resource_tags::BY_IDS_SEQ,
    describe_resources_by_tags::ACTION,
    describe_route_tables::ACTION,
    describe_subnets::ACTION,
    describe_tags::GET_KEYS,
    describe_tags::GET_TAGS,
    describe_tags::GET_VALUES,
    describe_tags::KEYS,
    describe_tags::TAGS,
    describe_tags::VALUES,
    describe_vpc_task_result::ACTION,
    describe_vpcs::ACTION,
    describe_vpn_connections::ACTION,
    describe_vpn_gateways::ACTION,
    download_customer_gateway_configuration::ACTION,
    get_caller_identity::ACTION,
    get_resources::ACTION,
    known_tags::CREATE,
    known_tags::CREATE_ALL,
    known_tags::DELETE,
    known_tags::DELETE_ALL,
    modify_customer_gateway_attribute::ACTION,
    modify_subnet_attribute::ACTION,
    modify_vpc_attribute::ACTION,
    modify_vpn_gateway_attribute::ACTION,
    places::API_REGIONS,
    places::API_ZONES,
    places::CVM_REGIONS,
    places::CVM_ZONES,
    places::REGION_REGIONS,
    places::REGION_ZONES,
    reset_vpn_gateway_internet_max_bandwidth::ACTION,
];

/// The action of a service with a name.
pub fn find(service: &str, name: &str) -> Option<&'static Action> {
    ALL.iter().find(|action| action.service == service && action.name == name)
}
