//! Settings of an engine.

use std::path::PathBuf;
use std::time::Duration;

/// About what it takes to wake a thread on a sleeping CPU of a virtual machine.
pub const DEFAULT_BUSY_POLL: Duration = Duration::from_micros(50);
/// As long as network cards wait at high rates.
pub const DEFAULT_MODERATION: Duration = Duration::from_micros(100);

/// What an engine is told at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Name of each tunnel interface; `{if_id}` stands for the number in decimal, `{if_id:x}` in hexadecimal.
    pub interface_name: String,
    /// MTU of the tunnel interfaces, in bytes.
    pub mtu: u16,
    /// UDP port of ESP in UDP, shared with the IKE daemon.
    pub port: u16,
    /// Worker threads, each of which moves packets both ways; 0 for half of the CPUs. One SA's packets are received by one
    /// worker; what is sent is spread by inner flow, where CPUs are to spare.
    pub workers: usize,
    /// How long a worker looks for more packets before it sleeps, while that pays; zero for never. It yields its CPU at
    /// each look.
    pub busy_poll: Duration,
    /// How long a worker pauses after each batch while more than about 60,000 packets a second come, so that batches are
    /// large; zero for never. Added to latency then, and only then.
    pub moderation: Duration,
    /// Also receive and send IP protocol 50.
    pub plain_esp: bool,
    /// Unix socket for statistics.
    pub stats: Option<PathBuf>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            interface_name: "ipsec{if_id}".into(),
            mtu: 1400,
            port: 4500,
            workers: 0,
            busy_poll: DEFAULT_BUSY_POLL,
            moderation: DEFAULT_MODERATION,
            plain_esp: true,
            stats: None,
        }
    }
}

impl EngineConfig {
    /// The name of an interface.
    pub fn name_of(&self, if_id: u32) -> String {
        self.interface_name.replace("{if_id:x}", &format!("{if_id:x}")).replace("{if_id}", &if_id.to_string())
    }

    /// Worker threads.
    pub fn worker_count(&self) -> usize {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        if self.workers == 0 { (cpus / 2).clamp(1, 16) } else { self.workers.min(64) }
    }

    /// As arguments of the engine's process.
    pub fn to_arguments(&self) -> Vec<String> {
        let stats = self.stats.as_ref().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
        vec![
            self.interface_name.clone(),
            self.mtu.to_string(),
            self.port.to_string(),
            self.workers.to_string(),
            self.busy_poll.as_micros().to_string(),
            self.moderation.as_micros().to_string(),
            self.plain_esp.to_string(),
            stats,
        ]
    }

    /// From those arguments.
    pub fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut next = || arguments.next();
        Some(Self {
            interface_name: next()?,
            mtu: next()?.parse().ok()?,
            port: next()?.parse().ok()?,
            workers: next()?.parse().ok()?,
            busy_poll: Duration::from_micros(next()?.parse().ok()?),
            moderation: Duration::from_micros(next()?.parse().ok()?),
            plain_esp: next()?.parse().ok()?,
            stats: Some(next()?).filter(|p| !p.is_empty()).map(PathBuf::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_carry_everything() {
        let config = EngineConfig {
            stats: Some("/run/x".into()),
            workers: 3,
            busy_poll: Duration::from_micros(7),
            ..EngineConfig::default()
        };
        assert_eq!(EngineConfig::from_arguments(config.to_arguments().into_iter()), Some(config));
        assert_eq!(EngineConfig::default().name_of(42), "ipsec42");
    }
}
