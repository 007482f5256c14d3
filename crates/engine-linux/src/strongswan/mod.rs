//! strongSwan's charon, driven through VICI only.

pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod log;
pub(crate) mod sas;
pub(crate) mod settings;
