//! DescribeVpnConnections: the connections with their live status.

use causeway_dialect::EncodeContext;
use causeway_model::{ExternalId, Kind, Record};
use causeway_ops::{Clause, Operation, Outcome};
use serde_json::Value;

use crate::action::{Action, Answer, Input};
use crate::listing::{self, Filter, Listing};
use crate::params::MALFORMED;
use crate::refusal::Refusal;
use crate::shapes::connection::connection;

/// See the module.
pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpnConnections", decode, encode };

const LISTING: Listing = Listing {
    kind: Kind::Connection,
    ids: "VpnConnectionIds",
    malformed: MALFORMED,
    filters: &[
        Filter { name: "vpc-id", clause: by_network_of_gateway },
        Filter { name: "vpn-gateway-id", clause: listing::by_gateway },
        Filter { name: "customer-gateway-id", clause: listing::by_customer_gateway },
        Filter { name: "vpn-connection-name", clause: listing::by_name },
        Filter { name: "vpn-connection-id", clause: listing::by_id },
    ],
    is_limited: true,
    hides_deleting: false,
    set: "VpnConnectionSet",
    shape,
};

fn decode(input: &Input<'_>) -> Result<Operation, Refusal> {
    LISTING.decode(input)
}

/// A connection hangs on its gateway, and the gateway on the network.
fn by_network_of_gateway(_: &str, values: Vec<String>) -> Clause {
    let ids: Vec<ExternalId> = values.into_iter().map(ExternalId::from).collect();
    Clause::test(move |view, record| {
        let Record::Connection(it) = record else { return false };
        let network = view.gateway(it.gateway).and_then(|gateway| gateway.network);
        network.is_some_and(|network| ids.iter().any(|id| id.as_str() == view.external(network)))
    })
}

fn shape(context: &EncodeContext<'_>, record: &Record) -> Option<Value> {
    match record {
        Record::Connection(it) => Some(connection(context.view, it)),
        _ => None,
    }
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Result<Answer, Refusal> {
    Ok(LISTING.answer(outcome, context))
}
