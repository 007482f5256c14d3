//! DescribeVpnConnection.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{Kind, Record};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::selects::{found, one};
use crate::shapes::connection::{Place, describe};

pub const ACTION: Action = Action { service: "vpc", name: "DescribeVpnConnection", decode, encode };

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    Ok(one(Kind::Connection, input.fields.required_id("VpnConnectionId")?))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    match found(outcome).0.first() {
        Some(Record::Connection(it)) => describe(it, Place::Alone, context.view),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn a_connection_that_is_gone_is_404() {
        let failure =
            World::new().call("DescribeVpnConnection", &[("VpnConnectionId", "vco-1")]).unwrap_err();
        let wanted = (404, "InvalidVpnConnectionInstanceId.NotFound");
        assert_eq!((failure.status, failure.code.as_str()), wanted);
    }

    #[test]
    fn a_new_connection_has_texts_and_numbers_where_the_api_has_them() {
        let mut world = World::new();
        let id = world.connection();
        let shown = world.ok("DescribeVpnConnection", &[("VpnConnectionId", &id)]);
        assert!(shown["EnableDpd"].is_boolean() && shown["VpnBgpConfig"]["EnableBgp"].is_string());
        assert!(
            shown["VcoHealthCheck"]["Enable"].is_string() && shown["IkeConfig"]["IkeLifetime"].is_number()
        );
        assert_eq!(shown["AttachType"], "VPNGW");
        assert_eq!(shown["Tags"]["Tag"], serde_json::json!([]));
        assert!(shown.get("Tag").is_none());
        assert_eq!(shown["IkeConfig"]["Psk"].as_str().unwrap().len(), 16);
    }
}
