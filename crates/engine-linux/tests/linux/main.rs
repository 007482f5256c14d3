//! The Linux engine with real namespaces, charon and packets. One node at a time: the tests measure losses
//! and rates on a machine that may have two cores. Needs root.

mod algorithms;
mod common;
mod contract;
mod failover;
mod faults;
mod inner;
mod kernel_path;
mod namespaces;
mod nat;
mod on_traffic;
mod packets;
mod selectors;
mod sites;
mod supervision;
