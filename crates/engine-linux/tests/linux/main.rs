//! The Linux engine with real namespaces, charon and packets. One node at a time: the tests measure losses
//! and rates on a machine that may have two cores. Needs root.

mod algorithms;
mod common;
mod contract;
mod failover;
mod faults;
mod kernel_path;
mod packets;
mod sites;
mod supervision;
