//! IPsec in user space: the kernel's XFRM netlink interface and ESP, under an unmodified IKE daemon.

pub mod broker;
pub mod database;
pub mod datapath;
pub mod engine;
pub mod esp;
pub mod inner;
pub mod probe;
pub mod sys;
pub mod xfrm;
