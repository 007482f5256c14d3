//! CreateVpnGateway: both editions of its document.

use causeway_dialect::{EncodeContext, Failure};
use causeway_model::{AtEnd, Charge, Exposure, Features};
use causeway_ops::operation::CreateGateway;
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::facet::{self, GatewayFacet, NATIONAL_STANDARD, TRADITIONAL};
use crate::params::{Fields, missing};
use crate::tags::Codes;
use crate::{labels, regions, selects};

pub const ACTION: Action = Action { service: "vpc", name: "CreateVpnGateway", decode, encode };

/// Bandwidths sold, in Mbit/s: those of the newer edition and, up to 100, of the older one.
const PUBLIC_BANDWIDTHS: &[u32] = &[5, 10, 20, 50, 100, 200, 500, 1000];
const PRIVATE_BANDWIDTHS: &[u32] = &[200, 1000];
/// Numbers of SSL clients sold. The example of the older edition has 2.
const SSL_CLIENTS: &[u32] = &[2, 5, 10, 20, 50, 100, 200, 500, 1000];
const SSL_CLIENTS_DEFAULT: u32 = 5;
/// Months sold.
const PERIODS: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 24, 36];

/// The message for a wrong name of the create actions.
pub const NAME_MESSAGE: &str = "The specified value of Name not supported.";

fn bad(code: &str, message: &str) -> Failure {
    Failure::new(400, code, message)
}

fn sold(fields: &Fields<'_>, name: &str, sizes: &[u32], refusal: Failure) -> Result<Option<u32>, Failure> {
    let Some(number) = fields.integer(name)? else { return Ok(None) };
    let size = u32::try_from(number).ok().filter(|number| sizes.contains(number));
    size.map(Some).ok_or(refusal)
}

fn charge(fields: &Fields<'_>) -> Result<Charge, Failure> {
    let invalid_period = bad("InvalidPeriod", "The specified period is not valid");
    let months = sold(fields, "Period", PERIODS, invalid_period.clone())?;
    match fields.text("InstanceChargeType").as_deref() {
        None | Some("POSTPAY") => Ok(Charge::PostPaid),
        Some("PREPAY") => {
            months.map(|months| Charge::PrePaid { months, at_end: AtEnd::Expires }).ok_or(invalid_period)
        }
        Some(_) => Err(bad("ChargeType.NotSupport", "The specified charge type is not support.")),
    }
}

fn exposure(fields: &Fields<'_>) -> Result<Exposure, Failure> {
    Ok(match fields.word("NetworkType", &["public", "private"])? {
        Some("private") => Exposure::Private,
        _ => Exposure::Public,
    })
}

fn features(fields: &Fields<'_>, exposure: Exposure) -> Result<Features, Failure> {
    let ipsec = fields.boolean("EnableIpsec")?.unwrap_or(true);
    let ssl = fields.boolean("EnableSsl")?;
    let no_size = bad("InvalidSpec.NotFound", "The specified Spec does not exist in our records.");
    let clients = sold(fields, "SslConnections", SSL_CLIENTS, no_size)?;
    // Terraform sends its default of this number without the switch, so that only an explicit "no" is refused.
    if ssl == Some(false) && clients.is_some() {
        let message = "The SSL connection is unnecessary for ssl vpn disabled.";
        return Err(bad("UnnecessarySslConnection", message));
    }
    let has_ssl = ssl.unwrap_or(false);
    if !ipsec && !has_ssl {
        return Err(bad("InvalidVpnEnable", "Either IPsec or SSL VPN must be set enable."));
    }
    if has_ssl && exposure == Exposure::Private {
        let message = "Enable ssl vpn with private networkType is unsupported.";
        return Err(bad("OperationFailed.SslNotSupport", message));
    }
    let ssl_clients = has_ssl.then(|| clients.unwrap_or(SSL_CLIENTS_DEFAULT));
    Ok(Features { ipsec, ssl_clients, transit: false })
}

fn bandwidth(fields: &Fields<'_>, exposure: Exposure) -> Result<u32, Failure> {
    let sizes = match exposure {
        Exposure::Public => PUBLIC_BANDWIDTHS,
        Exposure::Private => PRIVATE_BANDWIDTHS,
    };
    let refusal = bad("InvalidSpec.NotFound", "The specified Spec does not exist in our records.");
    sold(fields, "Bandwidth", sizes, refusal)?.ok_or_else(|| missing("Bandwidth"))
}

/// No gateway is private here: its endpoint would be on the public side. The code is that of a type of network that there
/// is not, as for gateways that only join sites.
fn check_offered(exposure: Exposure) -> Result<(), Failure> {
    match exposure {
        Exposure::Public => Ok(()),
        Exposure::Private => {
            let message = "Create vpn with private networkType is unsupported.";
            Err(bad("InvalidNetworkType", message))
        }
    }
}

fn vpn_type(fields: &Fields<'_>, exposure: Exposure) -> Result<&'static str, Failure> {
    let word = fields.word("VpnType", &["Normal", NATIONAL_STANDARD])?.unwrap_or("Normal");
    if word == NATIONAL_STANDARD && exposure == Exposure::Private {
        let message = "Create NationalStandard vpn with private networkType is unsupported.";
        return Err(bad("OperationFailed.NetworkTypeNotMatch", message));
    }
    Ok(word)
}

fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    let fields = &input.fields;
    let name = labels::gateway_name(fields, NAME_MESSAGE)?.unwrap_or_default();
    let exposure = exposure(fields)?;
    let facet =
        GatewayFacet { edition: TRADITIONAL.to_owned(), vpn_type: vpn_type(fields, exposure)?.to_owned() };
    let bandwidth_mbps = bandwidth(fields, exposure)?;
    let (first, second) = (fields.id("VSwitchId"), fields.id("DisasterRecoveryVSwitchId"));
    let dual = second.is_some() || regions::is_dual_tunnel_only(&input.region.id);
    if dual && first.is_none() {
        return Err(missing("VSwitchId"));
    }
    let (features, charge) = (features(fields, exposure)?, charge(fields)?);
    check_offered(exposure)?;
    Ok(Operation::CreateGateway(CreateGateway {
        label: labels::label(fields, name, String::new(), Codes::Vpn, facet::write(&facet))?,
        network: Some(fields.required_id("VpcId")?),
        subnets: first.into_iter().chain(second).collect(),
        dual,
        bandwidth_mbps,
        features,
        charge,
        pay_now: fields.boolean("AutoPay")?.unwrap_or(false),
        exposure,
        asn: None,
        zone: None,
    }))
}

fn encode(outcome: &Outcome, context: &EncodeContext<'_>) -> Value {
    let Some(gateway) = selects::gateway(outcome, context.view) else { return json!({}) };
    let order: i64 = context.view.external(gateway.order).parse().unwrap_or_default();
    json!({"VpnGatewayId": gateway.meta.external, "Name": gateway.meta.name, "OrderId": order})
}

#[cfg(test)]
#[path = "create_vpn_gateway_tests.rs"]
mod tests;
