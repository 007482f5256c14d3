//! IPsec in user space: the kernel's XFRM netlink interface and ESP, under an unmodified IKE daemon.

pub mod esp;
