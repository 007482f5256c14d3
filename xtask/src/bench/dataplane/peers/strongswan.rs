//! charon and its configuration: the same for uxfrm and for kernel-libipsec but for the kernel plugin.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::super::lab::{Lab, Side, shell};

/// strongSwan's daemon as Debian installs it.
pub const CHARON: &str = "/usr/sbin/charon-systemd";
/// The interface id of the tunnel where there are interfaces.
pub const IF_ID: u32 = 42;

/// What differs between the two.
pub struct Swan<'a> {
    /// Packets are charon's own work (kernel-libipsec).
    pub libipsec: bool,
    /// ESP proposal.
    pub esp: &'a str,
    /// More lines for the children: rekeying.
    pub child: &'a str,
    /// SAs beside the one for everything: one for each stream of TCP, by the client's port.
    pub streams: u16,
}

/// The client's port of the stream that the first of [`Swan::streams`] is for; the next has the next.
pub const STREAM_PORT: u16 = 6001;

/// What is missing to run charon.
pub fn missing() -> Option<String> {
    let has = Path::new(CHARON).exists() && Path::new("/usr/sbin/swanctl").exists();
    (!has).then(|| "apt-get install charon-systemd strongswan-swanctl libcharon-extra-plugins".into())
}

/// `strongSwan 5.9.8`.
pub fn version() -> String {
    let line = super::version_line(Path::new("/usr/sbin/swanctl"), "--help").unwrap_or_default();
    line.replace(" swanctl", "")
}

/// Writes a gateway's configuration.
pub fn configure(lab: &Lab, side: Side, swan: &Swan<'_>) -> anyhow::Result<()> {
    let path = |file: &str| lab.path(side, file).display().to_string();
    let (kernel, routes) =
        if swan.libipsec { ("kernel-libipsec kernel-netlink", "yes") } else { ("kernel-netlink", "no") };
    let strongswan = format!(
        "charon-systemd {{
           install_routes = {routes}
           install_virtual_ip = no
           load = random nonce openssl kdf pem pkcs1 x509 pubkey gcm aes sha1 sha2 hmac md5 des {kernel} socket-default vici
           plugins {{ vici {{ socket = unix://{} }} }}
           journal {{ default = -1 }}
           filelog {{ log {{ path = {}\n default = 1\n flush_line = yes }} }}
         }}",
        path("vici"),
        path("log")
    );
    fs::write(path("strongswan.conf"), strongswan)?;
    fs::write(path("swanctl.conf"), swanctl_conf(side, swan))?;
    Ok(())
}

fn swanctl_conf(side: Side, swan: &Swan<'_>) -> String {
    let other = side.other();
    // kernel-libipsec knows no interfaces and routes by selector.
    let selector = |side: Side| if swan.libipsec { side.network() } else { "0.0.0.0/0" };
    let child = |name: String, local: String, remote: String| {
        let (esp, more) = (swan.esp, swan.child);
        format!(
            "{name} {{ local_ts = {local}\n remote_ts = {remote}\n esp_proposals = {esp}-noesn\n {more} }}\n"
        )
    };
    let mut children = child("c".into(), selector(side).into(), selector(other).into());
    for stream in 0..swan.streams {
        let port = |of: Side| match of {
            Side::A => format!("0.0.0.0/0[tcp/{}]", STREAM_PORT + stream),
            Side::B => "0.0.0.0/0[tcp]".into(),
        };
        children += &child(format!("s{stream}"), port(side), port(other));
    }
    let if_id =
        if swan.libipsec { String::new() } else { format!("if_id_in = {IF_ID}\n if_id_out = {IF_ID}") };
    format!(
        "connections {{ t {{
           version = 2\n local_addrs = {}\n remote_addrs = {}\n encap = yes\n {if_id}
           proposals = aes128gcm16-x25519-prfsha256
           local {{ auth = psk\n id = {}.example }}
           remote {{ auth = psk\n id = {}.example }}
           children {{ {children} }} }} }}
         secrets {{ ike {{ secret = a-secret-of-the-bench }} }}",
        side.address(),
        other.address(),
        side.letter(),
        other.letter(),
    )
}

/// Lines of a child's configuration: its SA is replaced so often.
pub fn rekeyed_every(seconds: u32) -> String {
    format!("rekey_time = {seconds}s\n rand_time = 0s\n life_time = 60s")
}

/// Gives a command that starts charon its configuration.
pub fn environment(lab: &Lab, side: Side, command: &mut Command) {
    command.env("STRONGSWAN_CONF", lab.path(side, "strongswan.conf"));
}

/// Loads both gateways' configuration and sets the tunnel up, with so many SAs for streams.
pub fn connect(lab: &Lab, streams: u16) -> anyhow::Result<()> {
    for side in Side::BOTH {
        let vici = lab.path(side, "vici");
        let begun = Instant::now();
        while !vici.exists() {
            ensure!(begun.elapsed() < Duration::from_secs(10), "charon does not open its VICI socket");
            std::thread::sleep(Duration::from_millis(20));
        }
        swanctl(lab, side, &format!("--load-all --file {}", lab.path(side, "swanctl.conf").display()))?;
    }
    let children = std::iter::once("c".to_owned()).chain((0..streams).map(|stream| format!("s{stream}")));
    for child in children {
        swanctl(lab, Side::A, &format!("--initiate --child {child} --timeout 20"))?;
    }
    Ok(())
}

/// Runs swanctl against a gateway's charon.
pub fn swanctl(lab: &Lab, side: Side, arguments: &str) -> anyhow::Result<String> {
    shell(&format!("swanctl {arguments} --uri unix://{} 2>&1", lab.path(side, "vici").display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_has_an_sa_by_the_clients_port() {
        let swan = Swan { libipsec: false, esp: "aes128gcm16", child: "", streams: 2 };
        let (near, far) = (swanctl_conf(Side::A, &swan), swanctl_conf(Side::B, &swan));
        assert!(
            near.contains("s1 { local_ts = 0.0.0.0/0[tcp/6002]\n remote_ts = 0.0.0.0/0[tcp]\n"),
            "{near}"
        );
        assert!(far.contains("s1 { local_ts = 0.0.0.0/0[tcp]\n remote_ts = 0.0.0.0/0[tcp/6002]\n"), "{far}");
        assert!(near.contains("c { local_ts = 0.0.0.0/0\n") && !near.contains("s2 {"));
    }
}
