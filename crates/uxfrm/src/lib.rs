#![doc = include_str!("../README.md")]
//! ## Map
//!
//! | module | holds | may not |
//! |---|---|---|
//! | [`esp`] | transforms, sequence numbers, replay window, IVs, key limits | do I/O, know XFRM |
//! | [`xfrm`] | the netlink messages as parsed types | hold state |
//! | [`database`] | SAs and policies, answers to requests, lifetimes | do I/O, read a clock |
//! | [`inner`] | IP packets inside: segmenting, coalescing, checksums, ECN, ICMP | do I/O |
//! | [`datapath`] | workers between interfaces and outer sockets | change the databases |
//! | [`engine`] | the engine's process: control thread, sockets, statistics | talk to the daemon |
//! | [`broker`] | interception, relay, the engine's life, recovery | see a packet or keep a key |
//! | [`vici`] | packets and messages of strongSwan's control protocol | hold a socket |
//! | [`sys`] | system calls | decide anything |
//! | [`probe`] | what the machine permits | |

pub mod broker;
pub mod database;
pub mod datapath;
pub mod engine;
pub mod esp;
pub mod inner;
pub mod probe;
mod sync;
pub mod sys;
pub mod vici;
pub mod xfrm;
