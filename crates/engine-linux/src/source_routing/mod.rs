//! Routing by destination and source, for tunnels of one instance that lead to the same far addresses and differ
//! in the near ones: policies of several connections may do so, and a routing table knows destinations only.
//!
//! [`pairs`] finds such tunnels; [`marks`] lets the firewall mark their packets, and rules lead each mark into a
//! tunnel. Without such tunnels there are no marks, and routes alone decide.

pub(crate) mod marks;
mod pairs;

pub(crate) use pairs::{contested, wishes};
