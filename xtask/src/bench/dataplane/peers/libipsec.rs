//! strongSwan's own ESP in user space, the plugin kernel-libipsec.

use std::path::Path;
use std::process::Command;

use super::super::daemon::Daemon;
use super::super::lab::{Lab, Side};
use super::{Peer, strongswan};

/// charon with kernel-libipsec on both gateways.
pub struct LibIpsec {
    /// ESP proposal.
    pub esp: String,
}

impl Peer for LibIpsec {
    fn name(&self) -> String {
        "libipsec".into()
    }

    fn missing(&self) -> Option<String> {
        let plugin = Path::new("/usr/lib/ipsec/plugins/libstrongswan-kernel-libipsec.so");
        let missing = (!plugin.exists()).then(|| "apt-get install libcharon-extra-plugins".into());
        strongswan::missing().or(missing)
    }

    fn version(&self) -> String {
        format!("{}, kernel-libipsec, {}, ESP in UDP, TUN MTU 1400", strongswan::version(), self.esp)
    }

    fn start(&self, lab: &Lab) -> anyhow::Result<Vec<Daemon>> {
        let mut daemons = Vec::new();
        for side in Side::BOTH {
            let swan = strongswan::Swan { libipsec: true, esp: &self.esp, child: "", streams: 0 };
            strongswan::configure(lab, side, &swan)?;
            let mut command = Command::new(strongswan::CHARON);
            strongswan::environment(lab, side, &mut command);
            daemons.push(Daemon::start(&lab.gateway(side), &mut command, &lab.path(side, "out"))?);
        }
        // charon sets its own routes.
        strongswan::connect(lab, 0)?;
        Ok(daemons)
    }
}
