//! The two forms that a connection's tunnels are described in: settings of the only one, or a list of two. They exclude
//! each other. What stands beside the list is taken only where it asks for nothing that the list does not: Terraform
//! sends the settings of its empty blocks along.

use causeway_dialect::Failure;

use crate::params::{Fields, illegal};
use crate::{health_check, tunnel_options};

/// Refuses settings of the form with one tunnel beside a list of tunnels, which would be dropped.
///
/// # Errors
/// `IllegalParam.*` with the setting's name.
pub fn check_list_alone(fields: &Fields<'_>) -> Result<(), Failure> {
    for name in ["IkeConfig", "IpsecConfig"] {
        let members = fields.json(name)?.unwrap_or_default();
        let own = Fields::of_members(&members);
        if members.keys().any(|member| own.text(member).is_some()) {
            return Err(illegal(name));
        }
    }
    let bgp = fields.json("BgpConfig")?.unwrap_or_default();
    if tunnel_options::enables_bgp(&Fields::of_members(&bgp))? {
        return Err(illegal("BgpConfig"));
    }
    if health_check::read(fields)?.0.is_some() {
        return Err(illegal("HealthCheckConfig"));
    }
    let tunnels = tunnel_options::by_role(fields)?;
    let peer = fields.id("CustomerGatewayId");
    if peer.is_some() && tunnels.iter().all(|tunnel| tunnel.id("CustomerGatewayId") != peer) {
        return Err(illegal("CustomerGatewayId"));
    }
    for name in ["EnableDpd", "EnableNatTraversal"] {
        let Some(wanted) = fields.boolean(name)? else { continue };
        for tunnel in &tunnels {
            if tunnel.boolean(name)?.unwrap_or(true) != wanted {
                return Err(illegal(name));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn code(more: Value) -> String {
        let tunnel = |role: &str, peer: &str| json!({"Role": role, "CustomerGatewayId": peer});
        let list = json!([tunnel("master", "cgw-1"), tunnel("slave", "cgw-2")]);
        let mut members = Map::from_iter([("TunnelOptionsSpecification".to_owned(), list)]);
        members.extend(more.as_object().unwrap().clone());
        check_list_alone(&Fields::of_members(&members))
            .map_or_else(|failure| failure.code, |()| "taken".to_owned())
    }

    #[test]
    fn what_the_list_would_drop_is_refused() {
        for (more, refusal) in [
            (json!({"IkeConfig": r#"{"Psk":"TOPLEVEL"}"#}), "IllegalParam.IkeConfig"),
            (json!({"IpsecConfig": r#"{"IpsecLifetime":3600}"#}), "IllegalParam.IpsecConfig"),
            (json!({"BgpConfig": r#"{"EnableBgp":"true"}"#}), "IllegalParam.BgpConfig"),
            (
                json!({"HealthCheckConfig": r#"{"enable":true,"dip":"192.168.1.1","sip":"10.0.0.1"}"#}),
                "IllegalParam.HealthCheckConfig",
            ),
            (json!({"CustomerGatewayId": "cgw-3"}), "IllegalParam.CustomerGatewayId"),
            (json!({"EnableDpd": false}), "IllegalParam.EnableDpd"),
            (json!({"EnableNatTraversal": "false"}), "IllegalParam.EnableNatTraversal"),
        ] {
            assert_eq!(code(more.clone()), refusal, "{more}");
        }
    }

    #[test]
    fn what_asks_for_nothing_more_is_taken() {
        for more in [
            json!({}),
            json!({"IkeConfig": "{}", "IpsecConfig": r#"{"IpsecPfs":null}"#, "BgpConfig": r#"{"EnableBgp":"false"}"#}),
            json!({"HealthCheckConfig": r#"{"enable":false}"#, "EnableDpd": true, "EnableNatTraversal": true}),
            json!({"CustomerGatewayId": "cgw-2"}),
        ] {
            assert_eq!(code(more.clone()), "taken", "{more}");
        }
    }
}
