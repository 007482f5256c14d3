//! IPsec in user space: the kernel's XFRM netlink interface and ESP, under an unmodified IKE daemon.

pub mod database;
pub mod datapath;
pub mod esp;
pub mod xfrm;
