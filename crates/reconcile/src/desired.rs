//! What the data plane should hold: pure functions of a snapshot.

use std::collections::BTreeSet;

use causeway_model::{
    Connection, Gateway, GatewayId, Kind, Network, NetworkId, NextHop, Record, Selection, Tunnel, View,
    limits, proposal,
};
use causeway_plan::{self as plan, Desired, InstanceKey, MssClamp, Object, TunnelKey};
use ipnet::{IpNet, Ipv4Net};

use crate::keys::{Item, connection_key, gateway_key, network_key, router_link_key, subnet_key};

/// MTU of tunnel interfaces in octets: what fits a 1500-octet packet with IPv4, UDP and the largest ESP
/// overhead of the offered algorithms.
const TUNNEL_MTU: u16 = 1_400;

/// What is said of a locked gateway's tunnels.
const LOCKED: &str = "the gateway is locked for lack of funds, or its term is over";

/// What is said of a transit gateway's tunnels.
const TRANSIT: &str = "gateways of transit networks are records: they carry nothing";

/// Tunnels that can't be carried, and why.
pub(crate) type Left = Vec<(TunnelKey, String)>;

/// The range between a network's router and the gateways in none of its subnets.
fn router_link() -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(limits::ROUTER_LINK.into(), limits::ROUTER_LINK_PREFIX))
}

/// The objects of a network: none when it is being deleted and nothing hangs on it any more.
pub(crate) fn network(view: &View, id: NetworkId) -> Desired {
    let scope = Item::Network(id).scope();
    let Some(network) = view.network(id).filter(|network| !network.meta.deleting) else {
        return Desired { scope, objects: Vec::new() };
    };
    let key = network_key(id);
    let mut objects = vec![Object::Network(plan::Network { key: key.clone(), cidrs: cidrs(network) })];
    for record in view.children(id, Kind::Subnet) {
        if let Record::Subnet(subnet) = record
            && !subnet.meta.deleting
        {
            objects.push(Object::Subnet(plan::Subnet {
                key: subnet_key(subnet.id),
                network: key.clone(),
                cidr: subnet.cidr,
                router_ip: subnet.router_ip(),
            }));
        }
    }
    if has_linked_gateway(view, network) {
        let cidr = router_link();
        objects.push(Object::Subnet(plan::Subnet {
            key: router_link_key(),
            network: key,
            cidr,
            router_ip: cidr.hosts().next().unwrap_or(cidr.network()),
        }));
    }
    Desired { scope, objects }
}

fn cidrs(network: &Network) -> Vec<IpNet> {
    std::iter::once(network.cidr).chain(network.secondary_cidrs.iter().copied()).collect()
}

fn has_linked_gateway(view: &View, network: &Network) -> bool {
    view.children(network.id, Kind::Gateway).any(|record| match record {
        Record::Gateway(gateway) => gateway.instances.iter().any(|instance| instance.subnet.is_none()),
        _ => false,
    })
}

/// The objects of a gateway, and the tunnels that had to be left out, which are all of a locked gateway's. None while
/// it is unpaid, being deleted or gone. Of a transit gateway, which no network leads to, all tunnels are left out:
/// it and its connections are records.
pub(crate) fn gateway(view: &View, id: GatewayId, locks: &dyn Fn(&Gateway) -> bool) -> (Desired, Left) {
    let scope = Item::Gateway(id).scope();
    let nothing = (Desired { scope: scope.clone(), objects: Vec::new() }, Vec::new());
    let Some(gateway) = view.gateway(id).filter(|gateway| gateway.paid && !gateway.meta.deleting) else {
        return nothing;
    };
    let Some(network) = gateway.network.and_then(|id| view.network(id)) else {
        let tunnels = connections(view, gateway).flat_map(|connection| {
            (0..connection.tunnels.len()).map(|index| (tunnel_key(connection, index), TRANSIT.to_owned()))
        });
        return (nothing.0, tunnels.collect());
    };
    let mut objects = instances(view, gateway, network);
    let mut left = Left::new();
    let mut interface_ids = BTreeSet::new();
    let is_locked = locks(gateway);
    for connection in connections(view, gateway) {
        for (index, tunnel) in connection.tunnels.iter().enumerate() {
            let key = tunnel_key(connection, index);
            let if_id = interface_id(connection, index, &mut interface_ids);
            if is_locked {
                left.push((key, LOCKED.to_owned()));
                continue;
            }
            match tunnel_object(view, connection, tunnel, key.clone(), if_id) {
                Ok(object) => objects.push(object),
                Err(what) => left.push((key, format!("not carried by this data plane: {what}"))),
            }
        }
    }
    objects.extend(routes(view, gateway));
    (Desired { scope, objects }, left)
}

/// The connections of a gateway that are to be carried.
pub(crate) fn connections<'a>(view: &'a View, gateway: &Gateway) -> impl Iterator<Item = &'a Connection> {
    view.children(gateway.id, Kind::Connection).filter_map(|record| match record {
        Record::Connection(connection) if !connection.meta.deleting => Some(&**connection),
        _ => None,
    })
}

pub(crate) fn instance_key(gateway: GatewayId, index: usize) -> InstanceKey {
    // A gateway has one or two instances.
    InstanceKey { gateway: gateway_key(gateway), index: u8::try_from(index).unwrap_or(u8::MAX) }
}

pub(crate) fn tunnel_key(connection: &Connection, index: usize) -> TunnelKey {
    TunnelKey { instance: instance_key(connection.gateway, index), connection: connection_key(connection.id) }
}

fn instances(view: &View, gateway: &Gateway, network: &Network) -> Vec<Object> {
    let placed = gateway.instances.iter().enumerate().filter_map(|(index, placement)| {
        let private_ip = placement.private_ip?;
        let (subnet, subnet_cidr, router_ip) = match placement.subnet {
            Some(id) => {
                let subnet = view.subnet(id)?;
                (subnet_key(id), subnet.cidr, subnet.router_ip())
            }
            None => {
                let cidr = router_link();
                (router_link_key(), cidr, cidr.hosts().next().unwrap_or(cidr.network()))
            }
        };
        Some(Object::Instance(plan::Instance {
            key: instance_key(gateway.id, index),
            network: network_key(network.id),
            subnet,
            private_ip,
            subnet_cidr,
            network_cidrs: cidrs(network),
            router_ip,
            public_ip: placement.public_ip,
            bandwidth_mbps: Some(gateway.bandwidth_mbps),
            inner_mtu: TUNNEL_MTU,
            mss: MssClamp::Mtu,
        }))
    });
    placed.collect()
}

/// A number for the tunnel's interface that no other tunnel of the instance has. It comes from the
/// connection's id, so that it stays when other connections come and go.
fn interface_id(connection: &Connection, index: usize, taken: &mut BTreeSet<(usize, u32)>) -> u32 {
    let mut id = (connection.id.0 & 0x7fff_ffff) as u32;
    while id == 0 || !taken.insert((index, id)) {
        id = id.wrapping_add(1) & 0x7fff_ffff;
    }
    id
}

fn tunnel_object(
    view: &View,
    connection: &Connection,
    tunnel: &Tunnel,
    key: TunnelKey,
    if_id: u32,
) -> Result<Object, proposal::Unsupported> {
    let peer = view.customer_gateway(tunnel.customer_gateway);
    // What no data plane here carries is found out before an engine is asked for it.
    proposal::ike(&tunnel.ike)?;
    proposal::esp(&tunnel.esp)?;
    let children = connection.selectors().into_iter().flat_map(|it| it.for_version(tunnel.ike.version));
    let routes = match &connection.selection {
        Selection::Policies(policies) => {
            unique(policies.iter().flat_map(|policy| policy.remotes.iter().copied()))
        }
        Selection::Routes | Selection::Ranges => unique(connection.remote_subnets.iter().copied()),
        // BGP brings the routes.
        Selection::Bgp => Vec::new(),
    };
    Ok(Object::Tunnel(Box::new(plan::Tunnel {
        key,
        if_id,
        remote: peer.map(|peer| peer.ip),
        local_id: tunnel.local_id.clone(),
        remote_id: tunnel.remote_id.clone(),
        psk: tunnel.psk.clone(),
        ike: tunnel.ike.clone(),
        esp: tunnel.esp.clone(),
        children: children.collect(),
        dpd: tunnel.dpd,
        nat_traversal: tunnel.nat_traversal,
        initiation: connection.initiation,
        routes,
        inner_address: tunnel
            .bgp
            .as_ref()
            .and_then(|bgp| IpNet::new(bgp.local_ip, bgp.tunnel_cidr.prefix_len()).ok()),
    })))
}

fn unique(ranges: impl Iterator<Item = IpNet>) -> Vec<IpNet> {
    let mut seen = Vec::new();
    for range in ranges {
        if !seen.contains(&range) {
            seen.push(range);
        }
    }
    seen
}

/// The network's routes that lead to the gateway. Each prefers the first instance whose tunnel towards the
/// destination is up.
fn routes(view: &View, gateway: &Gateway) -> Vec<Object> {
    let Some(network) = gateway.network.and_then(|id| view.network(id)) else { return Vec::new() };
    let wanted = view.children(gateway.id, Kind::Route).filter_map(|record| match record {
        Record::Route(route)
            if route.enabled
                && route.table == network.main_table
                && route.next_hop == NextHop::Gateway(gateway.id) =>
        {
            Some(route.destination)
        }
        _ => None,
    });
    unique(wanted)
        .into_iter()
        .map(|destination| {
            let key = plan::RouteKey {
                gateway: gateway_key(gateway.id),
                network: network_key(network.id),
                destination,
            };
            Object::Route(plan::Route { key, next_hops: next_hops(view, gateway, destination) })
        })
        .collect()
}

fn next_hops(view: &View, gateway: &Gateway, destination: IpNet) -> Vec<plan::NextHop> {
    let towards = connections(view, gateway)
        .find(|connection| connection.remote_subnets.iter().any(|range| range.contains(&destination)));
    let ways = gateway.instances.iter().enumerate().filter_map(|(index, placement)| {
        Some(plan::NextHop {
            instance: instance_key(gateway.id, index),
            private_ip: placement.private_ip?,
            tunnel: towards.map(|connection| tunnel_key(connection, index)),
        })
    });
    ways.collect()
}
