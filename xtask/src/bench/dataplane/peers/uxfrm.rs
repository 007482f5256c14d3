//! uxfrm under an unmodified charon.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::daemon::Daemon;
use super::super::lab::{Lab, Side};
use super::{Peer, Settings, strongswan};

/// uxfrm on both gateways.
pub struct Uxfrm {
    settings: Settings,
    program: PathBuf,
    workers: usize,
}

impl Uxfrm {
    /// A build with a number of workers (0: its own choice); both are part of the name where there are others beside it.
    pub fn new(settings: &Settings, program: &Path, workers: usize) -> Self {
        Self { settings: settings.clone(), program: program.to_owned(), workers }
    }
}

impl Peer for Uxfrm {
    fn name(&self) -> String {
        let mut name = "uxfrm".to_owned();
        if self.settings.uxfrm.len() > 1 {
            name += &format!(", {}", self.program.display());
        }
        if self.settings.workers.len() > 1 {
            name += &format!(", workers {}", self.workers);
        }
        name
    }

    fn missing(&self) -> Option<String> {
        if !self.program.exists() {
            return Some(format!("no {} (cargo build --release --package uxfrm)", self.program.display()));
        }
        strongswan::missing()
    }

    fn version(&self) -> String {
        format!("this repository's, {}, ESP in UDP, under {}", self.settings.esp, strongswan::version())
    }

    fn start(&self, lab: &Lab) -> anyhow::Result<Vec<Daemon>> {
        let mut daemons = Vec::new();
        for side in Side::BOTH {
            let Settings { esp, streams, child, .. } = &self.settings;
            let swan = strongswan::Swan { libipsec: false, esp, child, streams: *streams };
            strongswan::configure(lab, side, &swan)?;
            let mut command = Command::new(std::path::absolute(&self.program)?);
            command.args(["run", "--interface", &strongswan::IF_ID.to_string()]);
            command.args(["--workers", &self.workers.to_string()]);
            for file in ["vici", "control", "stats"] {
                command.arg(format!("--{file}")).arg(lab.path(side, file));
            }
            command.args(["--", strongswan::CHARON]);
            strongswan::environment(lab, side, &mut command);
            daemons.push(Daemon::start(&lab.gateway(side), &mut command, &lab.path(side, "out"))?);
        }
        strongswan::connect(lab, self.settings.streams)?;
        for side in Side::BOTH {
            lab.route_into(side, &format!("ipsec{}", strongswan::IF_ID))?;
        }
        Ok(daemons)
    }
}
