//! Who starts the negotiation of a tunnel, and when.

use serde::{Deserialize, Deserializer, Serialize};

/// When a gateway starts to negotiate a connection's tunnels. It answers its peer in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Initiation {
    /// At once, and again whenever a tunnel is down.
    AtOnce,
    /// When a packet is to be sent into a tunnel that has no CHILD_SA for it (strongSwan's trap policies; the ACQUIRE of
    /// RFC 2367).
    OnTraffic,
    /// Never: the peer does.
    ByPeer,
}

impl<'de> Deserialize<'de> for Initiation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The same in words, or as it was kept when the choice was between two.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Kept {
            Yes(bool),
            Word(Word),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Word {
            AtOnce,
            OnTraffic,
            ByPeer,
        }
        Ok(match Kept::deserialize(deserializer)? {
            Kept::Yes(true) | Kept::Word(Word::AtOnce) => Self::AtOnce,
            // What did not start at once was mostly meant to start by traffic.
            Kept::Yes(false) | Kept::Word(Word::OnTraffic) => Self::OnTraffic,
            Kept::Word(Word::ByPeer) => Self::ByPeer,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_what_was_kept_before() {
        for it in [Initiation::AtOnce, Initiation::OnTraffic, Initiation::ByPeer] {
            let text = serde_json::to_string(&it).unwrap();
            assert_eq!(serde_json::from_str::<Initiation>(&text).unwrap(), it);
        }
        assert_eq!(serde_json::from_str::<Initiation>("true").unwrap(), Initiation::AtOnce);
        assert_eq!(serde_json::from_str::<Initiation>("false").unwrap(), Initiation::OnTraffic);
        assert!(serde_json::from_str::<Initiation>("\"later\"").is_err());
    }
}
