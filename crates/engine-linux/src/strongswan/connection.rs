//! A tunnel as charon's configuration: `load-conn`, `load-shared` and their removal.

use std::net::IpAddr;

use aws_lc_rs::digest;
use causeway_model::proposal::{self, Unsupported};
use causeway_model::{DpdAction, IkeVersion, Initiation, TrafficSelectors};
use causeway_plan::Tunnel;

use super::client::{Client, ViciError};
use uxfrm::vici::Encoder;

/// How long a `terminate` may take before charon gives up waiting for the SA to go.
const TERMINATE_TIMEOUT_MS: &str = "2000";

/// Where a tunnel ends on this side, and what the data plane wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalEnd {
    pub address: IpAddr,
    /// The data plane carries only UDP-encapsulated ESP.
    pub force_encap: bool,
}

/// charon's name for a tunnel's connection and shared secret: the connection's key.
pub(crate) fn name(tunnel: &Tunnel) -> &str {
    tunnel.key.connection.as_str()
}

/// charon's name for a child: its ranges, so that the name stays when other children come and go. Several ranges
/// have a digest in their place, because a name has 255 bytes at most.
pub(crate) fn child_name(child: &TrafficSelectors) -> String {
    if let ([local], [remote]) = (&child.local[..], &child.remote[..]) {
        return format!("{local}={remote}");
    }
    let text = format!("{:?}", child.pairs().collect::<Vec<_>>());
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let digits: String = hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}x{}-{digits}", child.local.len(), child.remote.len())
}

/// Loads a tunnel's secret and connection. A connection of the same name is replaced; its SAs stay, and follow the
/// new children when nothing but these changed.
pub(crate) async fn load(client: &mut Client, tunnel: &Tunnel, end: LocalEnd) -> Result<(), LoadError> {
    client.command("load-shared", shared(tunnel, end)).await?;
    client.command("load-conn", connection(tunnel, end)?).await?;
    Ok(())
}

/// Takes a tunnel's connection, SAs and secret away. What is not there counts as taken away.
pub(crate) async fn unload(client: &mut Client, name: &str) -> Result<(), ViciError> {
    // Each answers with an error when there is nothing to do; only a broken socket is one for us.
    client.ask("unload-conn", Encoder::new().value("name", name)).await?;
    terminate(client, name).await?;
    client.ask("unload-shared", Encoder::new().value("id", name)).await?;
    Ok(())
}

/// Ends the IKE_SAs of a connection at once, telling the peer.
pub(crate) async fn terminate(client: &mut Client, name: &str) -> Result<(), ViciError> {
    let message =
        Encoder::new().value("ike", name).value("force", "yes").value("timeout", TERMINATE_TIMEOUT_MS);
    client.ask("terminate", message).await?;
    Ok(())
}

/// Ends the CHILD_SAs of one child of a connection, telling the peer, and leaves the IKE_SA as it is.
pub(crate) async fn terminate_child(client: &mut Client, name: &str, child: &str) -> Result<(), ViciError> {
    let message = Encoder::new().value("child", child).value("ike", name).value("timeout", "-1");
    client.ask("terminate", message).await?;
    Ok(())
}

/// Starts the negotiation of a child, and of the IKE_SA where there is none, and does not wait for its end.
pub(crate) async fn initiate(client: &mut Client, name: &str, child: &str) -> Result<(), ViciError> {
    let message = Encoder::new().value("child", child).value("ike", name).value("timeout", "-1");
    client.ask("initiate", message).await?;
    Ok(())
}

/// Why a tunnel could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    Vici(#[from] ViciError),
    #[error(transparent)]
    Proposal(#[from] Unsupported),
}

fn shared(tunnel: &Tunnel, end: LocalEnd) -> Encoder {
    let mut owners = vec![tunnel.local_id.clone(), tunnel.remote_id.clone()];
    if !matches!(tunnel.ike.version, IkeVersion::V2) {
        // IKEv1 main mode looks a key up before it knows the identities (RFC 2409 section 5.4).
        owners.push(end.address.to_string());
        owners.push(tunnel.remote.map_or_else(|| "%any".into(), |ip| ip.to_string()));
    }
    owners.dedup();
    Encoder::new()
        .value("id", name(tunnel))
        .value("type", "IKE")
        .value("data", tunnel.psk.expose())
        .list("owners", owners)
}

fn connection(tunnel: &Tunnel, end: LocalEnd) -> Result<Encoder, Unsupported> {
    let ike_proposal = proposal::ike(&tunnel.ike)?;
    let esp_proposal = proposal::esp(&tunnel.esp)?;
    let remote = tunnel.remote.map_or_else(|| "%any".into(), |ip| ip.to_string());
    let (rekey_s, over_s) = rekeying(tunnel.ike.lifetime_s);
    Ok(Encoder::new().section(name(tunnel), |conn| {
        conn.list("local_addrs", [end.address.to_string()])
            .list("remote_addrs", [remote])
            .value("version", version(tunnel.ike.version))
            .value("aggressive", yes_no(tunnel.ike.version == IkeVersion::V1Aggressive))
            .list("proposals", [ike_proposal])
            .value("encap", yes_no(end.force_encap))
            .value("mobike", "no")
            .value("unique", "replace")
            // This side calls again by itself, so one attempt at a time is enough.
            .value("keyingtries", "1")
            .value("reauth_time", "0")
            .value("rekey_time", rekey_s.to_string())
            .value("over_time", over_s.to_string())
            .value("rand_time", over_s.to_string())
            .optional("dpd_delay", tunnel.dpd.as_ref().map(|dpd| dpd.delay_s.to_string()))
            .optional("dpd_timeout", tunnel.dpd.as_ref().map(|dpd| dpd.timeout_s.to_string()))
            .section("local", |auth| auth.value("auth", "psk").value("id", &tunnel.local_id))
            .section("remote", |auth| auth.value("auth", "psk").value("id", &tunnel.remote_id))
            .section("children", |children| {
                tunnel.children.iter().fold(children, |children, selectors| {
                    let name = child_name(selectors);
                    children.section(&name, |section| child(section, tunnel, selectors, &esp_proposal))
                })
            })
    }))
}

fn child(section: Encoder, tunnel: &Tunnel, selectors: &TrafficSelectors, proposal: &str) -> Encoder {
    let (rekey_s, rand_s) = rekeying(tunnel.esp.lifetime_s);
    let section = section
        .value("mode", "tunnel")
        .list("esp_proposals", [proposal])
        .list("local_ts", selectors.local.iter().map(ToString::to_string))
        .list("remote_ts", selectors.remote.iter().map(ToString::to_string))
        .value("if_id_in", tunnel.if_id.to_string())
        .value("if_id_out", tunnel.if_id.to_string())
        .value("rekey_time", rekey_s.to_string())
        .value("life_time", tunnel.esp.lifetime_s.to_string())
        .value("rand_time", rand_s.to_string())
        .value("dpd_action", dpd_action(tunnel))
        .value("close_action", "none")
        .value("start_action", if is_trapped(tunnel) { "trap" } else { "none" });
    match tunnel.esp.lifetime_bytes {
        None => section,
        // All three are given: charon's default for the random part may exceed a small limit, and the
        // difference then wraps round.
        Some(bytes) => section
            .value("life_bytes", bytes.to_string())
            .value("rekey_bytes", (bytes - bytes / 10).to_string())
            .value("rand_bytes", (bytes / 20).to_string()),
    }
}

/// Whether charon is to start the negotiation when a packet needs it: its trap policies stay for as long as it has the
/// connection, whatever becomes of SAs. A trap needs to know whom to call.
fn is_trapped(tunnel: &Tunnel) -> bool {
    tunnel.initiation == Initiation::OnTraffic && tunnel.remote.is_some()
}

/// What charon does with the CHILD_SAs of a dead peer, beside taking them away.
fn dpd_action(tunnel: &Tunnel) -> &'static str {
    match tunnel.dpd.as_ref().map(|dpd| dpd.action) {
        Some(DpdAction::Restart) if is_trapped(tunnel) => "restart",
        // A trap that stays needs no second one. `restart` of a tunnel that starts at once is done by its keeper, which
        // calls whatever is down; one that waits for its peer waits.
        None | Some(DpdAction::Clear | DpdAction::Restart | DpdAction::Trap) => "none",
    }
}

/// A lifetime as the time of rekeying, at nine tenths of it, and the rest.
fn rekeying(lifetime_s: u32) -> (u32, u32) {
    let rest = lifetime_s / 10;
    (lifetime_s - rest, rest)
}

fn version(version: IkeVersion) -> &'static str {
    match version {
        IkeVersion::V1Main | IkeVersion::V1Aggressive => "1",
        IkeVersion::V2 => "2",
    }
}

fn yes_no(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_childs_name_is_its_ranges_and_fits() {
        let net = |third: u8| format!("10.1.{third}.0/24").parse().unwrap();
        let pair = TrafficSelectors::pair(net(1), net(2));
        assert_eq!(child_name(&pair), "10.1.1.0/24=10.1.2.0/24");
        let many =
            TrafficSelectors { local: (0..50).map(net).collect(), remote: (50..250).map(net).collect() };
        let mut fewer = many.clone();
        fewer.remote.pop();
        assert!(child_name(&many).len() < 64);
        assert_ne!(child_name(&many), child_name(&fewer));
    }
}
