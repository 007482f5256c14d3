//! OpenVPN, point to point over UDP, in user space (no data channel offload).

use std::path::Path;
use std::process::Command;

use super::super::daemon::Daemon;
use super::super::lab::{Lab, Side, shell};
use super::Peer;

const PROGRAM: &str = "/usr/sbin/openvpn";

/// OpenVPN with AES-GCM on both gateways.
pub struct OpenVpn {
    /// 128 or 256.
    pub key_bits: u16,
}

impl OpenVpn {
    /// A key pair, made on the spot, and its certificate's fingerprint.
    fn certificate(lab: &Lab, side: Side) -> anyhow::Result<String> {
        let (key, certificate) = (lab.path(side, "key"), lab.path(side, "crt"));
        let (key, certificate) = (key.display(), certificate.display());
        shell(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={} \
             -keyout {key} -out {certificate} 2>/dev/null",
            side.letter()
        ))?;
        let text = shell(&format!("openssl x509 -in {certificate} -noout -fingerprint -sha256"))?;
        Ok(text.trim().rsplit('=').next().unwrap_or_default().to_owned())
    }
}

impl Peer for OpenVpn {
    fn name(&self) -> String {
        if self.key_bits == 256 { "openvpn".into() } else { format!("openvpn{}", self.key_bits) }
    }

    fn missing(&self) -> Option<String> {
        (!Path::new(PROGRAM).exists()).then(|| "apt-get install openvpn openssl".into())
    }

    fn version(&self) -> String {
        let line = super::version_line(Path::new(PROGRAM), "--version").unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        format!("{}, AES-{}-GCM, no DCO, TUN MTU 1500", words.join(" "), self.key_bits)
    }

    fn start(&self, lab: &Lab) -> anyhow::Result<Vec<Daemon>> {
        let mut daemons = Vec::new();
        let fingerprints = [Self::certificate(lab, Side::A)?, Self::certificate(lab, Side::B)?];
        for side in Side::BOTH {
            let other = side.other();
            let (role, fingerprint, near, far) = match side {
                Side::A => ("--tls-client", &fingerprints[1], "10.9.0.1", "10.9.0.2"),
                Side::B => ("--tls-server", &fingerprints[0], "10.9.0.2", "10.9.0.1"),
            };
            let network = other.network().trim_end_matches("/24");
            let mut command = Command::new(PROGRAM);
            command.args(["--dev", "tun0", "--dev-type", "tun", "--ifconfig", near, far]);
            command.args(["--proto", "udp", "--lport", "1194", "--remote", other.address(), "1194"]);
            command.args([role, "--peer-fingerprint", fingerprint, "--disable-dco", "--verb", "3"]);
            command.args(["--data-ciphers", &format!("AES-{}-GCM", self.key_bits)]);
            command.args(["--ping", "10", "--route", network, "255.255.255.0"]);
            command.arg("--cert").arg(lab.path(side, "crt")).arg("--key").arg(lab.path(side, "key"));
            if side == Side::B {
                command.args(["--dh", "none"]);
            }
            daemons.push(Daemon::start(&lab.gateway(side), &mut command, &lab.path(side, "out"))?);
        }
        Ok(daemons)
    }
}
