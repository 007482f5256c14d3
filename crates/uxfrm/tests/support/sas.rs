//! SAs as the daemons and the engines of a lab have them.

use super::{Lab, try_run};

impl Lab {
    /// SPIs that a gateway's daemon calls installed, and those that its engine has: none while there is no engine.
    pub fn spis(&self, side: &str) -> (Vec<String>, Vec<String>) {
        let raw = self.swanctl(side, "--list-sas --raw");
        let spi =
            |text: &str, mark| text.split(mark).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let children = raw.split("state=INSTALLED").skip(1);
        let daemon =
            children.flat_map(|child| ["spi-in=", "spi-out="].map(|mark| spi(child, mark))).collect();
        let command =
            format!("{} stats --stats {}", env!("CARGO_BIN_EXE_uxfrm"), self.path(side, "stats").display());
        let stats: serde_json::Value = serde_json::from_slice(&try_run(&command).stdout).unwrap_or_default();
        let sas = stats["sas"].as_array().into_iter().flatten();
        (daemon, sas.map(|sa| sa["spi"].as_str().unwrap().to_owned()).collect())
    }

    /// Whether a gateway's engine has every SA that its daemon calls installed, and there are some.
    pub fn has_all_sas(&self, side: &str) -> bool {
        let (daemon, engine) = self.spis(side);
        !daemon.is_empty() && daemon.iter().all(|spi| engine.contains(spi))
    }

    /// How many IKE_SAs a gateway's daemon has established since it was started.
    pub fn ike_sas_made(&self, side: &str) -> usize {
        let log = self.log(side);
        log.lines().filter(|line| line.contains("IKE_SA ") && line.contains("] established between ")).count()
    }
}
