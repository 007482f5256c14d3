//! From charon's `log` events to why a tunnel is down.
//!
//! Version 5.9.8 has no other event that tells an initiator what its peer answered. The phrases are those
//! of `src/libcharon/sa/ikev1` and `ikev2`; a phrase that another version words differently only costs
//! the reason, never the state, which comes from `list-sas`.

use causeway_plan::TunnelError;

use uxfrm::vici::Section;

/// A log line that says why: the connection (empty before charon knows it) and the reason.
pub(crate) fn reason(event: &Section) -> Option<(&str, TunnelError)> {
    let error = classify(event.text("msg")?)?;
    Some((event.text("ikesa-name").unwrap_or_default(), error))
}

fn classify(line: &str) -> Option<TunnelError> {
    PHRASES.iter().find(|(phrase, _)| line.contains(phrase)).map(|(_, error)| *error)
}

/// The first match counts, so the narrower phrases come first.
const PHRASES: [(&str, TunnelError); 25] = [
    ("received NO_PROPOSAL_CHOSEN notify, no CHILD_SA built", TunnelError::EspProposalMismatch),
    ("received TS_UNACCEPTABLE notify, no CHILD_SA built", TunnelError::TrafficSelectorMismatch),
    ("received NO_PROPOSAL_CHOSEN notify error", TunnelError::IkeProposalMismatch),
    // IKEv1 says the same in both phases; the keeper knows which one it is in.
    ("received NO_PROPOSAL_CHOSEN error notify", TunnelError::IkeProposalMismatch),
    ("received AUTHENTICATION_FAILED notify error", TunnelError::AuthenticationFailed),
    ("received AUTHENTICATION_FAILED error notify", TunnelError::AuthenticationFailed),
    ("received INVALID_ID_INFORMATION error notify", TunnelError::TrafficSelectorMismatch),
    ("received INVALID_KE_PAYLOAD notify error", TunnelError::IkeProposalMismatch),
    ("but MAC mismatched", TunnelError::AuthenticationFailed),
    ("no shared key found for", TunnelError::AuthenticationFailed),
    ("no matching peer config found", TunnelError::AuthenticationFailed),
    ("constraint check failed", TunnelError::AuthenticationFailed),
    ("calculated HASH does not match HASH payload", TunnelError::AuthenticationFailed),
    ("decryption failed?", TunnelError::AuthenticationFailed),
    ("could not decrypt payloads", TunnelError::AuthenticationFailed),
    ("received proposals unacceptable", TunnelError::IkeProposalMismatch),
    ("no acceptable proposal found", TunnelError::EspProposalMismatch),
    ("no acceptable traffic selectors found", TunnelError::TrafficSelectorMismatch),
    ("no matching CHILD_SA config found", TunnelError::TrafficSelectorMismatch),
    ("no IKE config found", TunnelError::NoMatchingConfig),
    ("unable to install", TunnelError::DataPlane),
    ("unable to allocate SPI", TunnelError::DataPlane),
    ("retransmit ", TunnelError::PeerNotResponding),
    ("peer not responding", TunnelError::PeerNotResponding),
    ("received DELETE for IKE_SA", TunnelError::ClosedByPeer),
];
