//! Ranges of policies that must be apart, where the API says so.

use causeway_model::{Gateway, Kind, Policy, Record, Selection};
use ipnet::IpNet;

use crate::OpError;
use crate::context::Context;
use crate::operation::CreateConnection;
use crate::subnets::overlap;

/// Refuses remote ranges inside the gateway's own network, and policies that share pairs of addresses with those
/// of another connection of the gateway: it could not tell whose traffic it is.
pub(crate) fn check(context: &Context<'_>, gateway: &Gateway, it: &CreateConnection) -> Result<(), OpError> {
    let Selection::Policies(policies) = &it.selection else { return Ok(()) };
    if !context.caller.rules.ranges_are_apart {
        return Ok(());
    }
    if let Some(network) = gateway.network.and_then(|id| context.view.network(id)) {
        let own: Vec<&IpNet> = std::iter::once(&network.cidr).chain(&network.secondary_cidrs).collect();
        let mut remotes = policies.iter().flat_map(|policy| &policy.remotes);
        let inside = |remote: &&IpNet| !is_everything(remote) && own.iter().any(|own| overlap(own, remote));
        if let Some(remote) = remotes.find(inside) {
            return Err(OpError::RouteConflictsWithSubnet(*remote));
        }
    }
    for record in context.view.children(gateway.id, Kind::Connection) {
        let Record::Connection(other) = record else { continue };
        let Selection::Policies(known) = &other.selection else { continue };
        for (mine, theirs) in policies.iter().flat_map(|mine| known.iter().map(move |theirs| (mine, theirs)))
        {
            check_pair(mine, theirs)?;
        }
    }
    Ok(())
}

fn check_pair(mine: &Policy, theirs: &Policy) -> Result<(), OpError> {
    if !overlap(&mine.local, &theirs.local) {
        return Ok(());
    }
    for remote in mine.remotes.iter().filter(|remote| !is_everything(remote)) {
        if let Some(other) =
            theirs.remotes.iter().find(|other| !is_everything(other) && overlap(remote, other))
        {
            return Err(OpError::CidrOverlap { cidr: *remote, other: *other });
        }
    }
    Ok(())
}

/// The range of everything stands for "by routes".
fn is_everything(range: &IpNet) -> bool {
    range.prefix_len() == 0
}
