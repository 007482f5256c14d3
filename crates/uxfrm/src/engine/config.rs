//! Settings of an engine.

use std::path::PathBuf;

/// What an engine is told at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// Name of each tunnel interface; `{if_id}` stands for the number in decimal, `{if_id:x}` in hexadecimal.
    pub interface_name: String,
    /// MTU of the tunnel interfaces, in bytes.
    pub mtu: u16,
    /// UDP port of ESP in UDP, shared with the IKE daemon.
    pub port: u16,
    /// Pairs of worker threads; 0 for half of the CPUs.
    pub workers: usize,
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

    /// Pairs of worker threads.
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
        let config = EngineConfig { stats: Some("/run/x".into()), workers: 3, ..EngineConfig::default() };
        assert_eq!(EngineConfig::from_arguments(config.to_arguments().into_iter()), Some(config));
        assert_eq!(EngineConfig::default().name_of(42), "ipsec42");
    }
}
