//! The engine of real gateways on Linux: network namespaces, nftables, tc and strongSwan.
//!
//! ```text
//!   network (VPC) namespace          instance namespace                    fabric namespace
//!   b-<subnet> ── g<n><gateway> ════ private │ nft │ ipsec<if_id> │ public ════ g<n><gateway> ── others
//!                 (tbf)        veth  (tbf)   │     │ keeper, charon, ESP │  veth
//! ```
//!
//! The control plane's side is [`LinuxEngine`]; each instance has a [keeper](shim) process that outlives
//! it. All names derive from the node's tag and the control plane's keys ([`names`]).

pub mod config;
mod dataplane;
mod engine;
mod error;
pub mod fabric;
mod firewall;
mod instance;
pub mod links;
pub mod names;
pub mod netns;
mod netns_directory;
mod network;
pub mod orphans;
mod records;
pub mod routes;
mod selectors;
mod shaping;
pub mod shim;
mod source_routing;
mod strongswan;
mod supervisor;
mod tmpfs;

pub use config::{LinuxConfig, RUN_ROOT, ShimCommand};
pub use dataplane::{Choice, Kind, kernel_has_esp};
pub use engine::LinuxEngine;
pub use error::LinuxError;
pub use firewall::Count;
