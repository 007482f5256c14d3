//! DescribeEndpoints of Location: every product is where the client called.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::params::Fields;
use crate::selects;

pub const ACTION: Action = Action { service: "location", name: "DescribeEndpoints", decode, encode };

fn decode(_: &Input<'_>) -> Result<Operation, Failure> {
    Ok(selects::settings())
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Value {
    let fields = Fields::of(&context.envelope.params);
    let product = fields.text("ServiceCode").unwrap_or_default();
    let endpoint = json!({
        "Endpoint": context.envelope.host,
        "Id": fields.text("Id").unwrap_or_else(|| context.caller.region.to_string()),
        "Namespace": "",
        "Protocols": {"Protocols": ["HTTP", "HTTPS"]},
        // Spelled so by the cloud.
        "SerivceCode": product,
        "Type": fields.text("Type").unwrap_or_else(|| "openAPI".to_owned()),
    });
    json!({"Success": true, "Endpoints": {"Endpoint": [endpoint]}})
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn the_endpoint_is_the_host_called() {
        let pairs = [("ServiceCode", "vpc"), ("Id", "cn-beijing"), ("Type", "openAPI")];
        let shown = World::new().ok("DescribeEndpoints", &pairs);
        let endpoint = &shown["Endpoints"]["Endpoint"][0];
        assert_eq!(endpoint["Endpoint"], "127.0.0.1:8440");
        assert_eq!(endpoint["Id"], "cn-beijing");
        assert_eq!(endpoint["SerivceCode"], "vpc");
        assert_eq!(endpoint["Protocols"]["Protocols"][0], "HTTP");
    }
}
