//! What the broker's thread waits for.

/// What a descriptor in epoll is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Token {
    Wake,
    Engine,
    Control,
    /// Others that look who serves the namespace.
    Claim,
    /// Interfaces and addresses.
    Network,
    /// Where listeners come from.
    Source(u32),
    Listener(u32),
    Connection(u32),
}

impl Token {
    pub(super) fn encode(self) -> u64 {
        let (kind, id) = match self {
            Self::Wake => (0u64, 0),
            Self::Engine => (1, 0),
            Self::Source(id) => (2, id),
            Self::Listener(id) => (3, id),
            Self::Connection(id) => (4, id),
            Self::Control => (5, 0),
            Self::Network => (6, 0),
            Self::Claim => (7, 0),
        };
        kind << 32 | u64::from(id)
    }

    pub(super) fn decode(value: u64) -> Self {
        let id = value as u32;
        match value >> 32 {
            0 => Self::Wake,
            1 => Self::Engine,
            2 => Self::Source(id),
            3 => Self::Listener(id),
            4 => Self::Connection(id),
            6 => Self::Network,
            7 => Self::Claim,
            _ => Self::Control,
        }
    }
}
