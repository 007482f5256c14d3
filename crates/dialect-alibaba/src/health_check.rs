//! `HealthCheckConfig`: probes through a connection's tunnel.

use std::net::IpAddr;

use causeway_dialect::Failure;
use causeway_model::HealthCheck;

use crate::facet::IdleCheck;
use crate::params::{Fields, illegal};

/// Seconds between probes, and probes without an answer, when none are asked for.
const INTERVAL_S: u32 = 3;
const RETRIES: u32 = 3;

fn refusal() -> Failure {
    illegal("HealthCheckConfig")
}

fn address(check: &Fields<'_>, name: &str) -> Result<Option<IpAddr>, Failure> {
    let Some(text) = check.text(name) else { return Ok(None) };
    let ip: Option<IpAddr> = text.parse().ok();
    ip.filter(IpAddr::is_ipv4).map(Some).ok_or_else(refusal)
}

/// Terraform sends 0 for a number that its user left out.
fn number(check: &Fields<'_>, name: &str, default: u32) -> Result<u32, Failure> {
    let number = check.integer_within(name, 0, u32::MAX).map_err(|_| refusal())?;
    Ok(number.filter(|number| *number > 0).unwrap_or(default))
}

fn revokes_routes(check: &Fields<'_>) -> Result<bool, Failure> {
    match check.text("Policy").as_deref() {
        None | Some("revoke_route") => Ok(true),
        Some("reserve_route") => Ok(false),
        Some(_) => Err(refusal()),
    }
}

/// The health check that is wanted, or the settings of one that is switched off; neither where none is spoken of.
///
/// # Errors
/// `IllegalParam.HealthCheckConfig`.
pub fn read(fields: &Fields<'_>) -> Result<(Option<HealthCheck>, Option<IdleCheck>), Failure> {
    let Some(members) = fields.json("HealthCheckConfig")? else { return Ok((None, None)) };
    let check = Fields::of_members(&members).ignoring_case();
    let is_on = check.boolean("enable").map_err(|_| refusal())?.unwrap_or(false);
    let (source, destination) = (address(&check, "sip")?, address(&check, "dip")?);
    let interval_s = number(&check, "interval", INTERVAL_S)?;
    let retries = number(&check, "retry", RETRIES)?;
    let revoke_routes = revokes_routes(&check)?;
    if is_on {
        let source = source.ok_or_else(refusal)?;
        let destination = destination.ok_or_else(refusal)?;
        return Ok((Some(HealthCheck { source, destination, interval_s, retries, revoke_routes }), None));
    }
    let text = |ip: Option<IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    let (source, destination) = (text(source), text(destination));
    Ok((None, Some(IdleCheck { source, destination, interval_s, retries, revoke_routes })))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn of(text: &str) -> Result<(Option<HealthCheck>, Option<IdleCheck>), String> {
        let members: Map<String, Value> =
            [("HealthCheckConfig".to_owned(), json!(text))].into_iter().collect();
        read(&Fields::of_members(&members)).map_err(|failure| failure.code)
    }

    #[test]
    fn zeros_stand_for_what_was_left_out() {
        let (on, idle) =
            of(r#"{"enable":true,"dip":"192.168.1.1","sip":"10.0.0.1","interval":0,"retry":0}"#).unwrap();
        let on = on.unwrap();
        assert_eq!((on.interval_s, on.retries, on.revoke_routes), (3, 3, true));
        assert!(idle.is_none());
    }

    #[test]
    fn a_check_that_is_off_keeps_its_settings() {
        let (on, idle) =
            of(r#"{"Enable":"false","Dip":"192.168.1.1","Interval":10,"Policy":"reserve_route"}"#).unwrap();
        assert!(on.is_none());
        let idle = idle.unwrap();
        assert_eq!((idle.source.as_str(), idle.destination.as_str()), ("", "192.168.1.1"));
        assert_eq!((idle.interval_s, idle.retries, idle.revoke_routes), (10, 3, false));
    }

    #[test]
    fn what_is_malformed_is_refused_whether_on_or_off() {
        for wrong in [
            r#"{"enable":true}"#,
            r#"{"enable":true,"dip":"::1","sip":"10.0.0.1"}"#,
            r#"{"enable":false,"dip":"x"}"#,
            r#"{"enable":"yes"}"#,
            r#"{"interval":-1}"#,
            r#"{"Policy":"drop"}"#,
            "[]",
        ] {
            assert_eq!(of(wrong).unwrap_err(), "IllegalParam.HealthCheckConfig", "{wrong}");
        }
        assert_eq!(of("").unwrap(), (None, None));
    }
}
