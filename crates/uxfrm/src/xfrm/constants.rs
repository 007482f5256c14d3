//! Numbers of `linux/netlink.h` and `linux/xfrm.h`.

/// The netlink protocol of XFRM.
pub const NETLINK_XFRM: i32 = 6;

pub const NLMSG_ERROR: u16 = 2;
pub const NLMSG_DONE: u16 = 3;
/// Data was lost.
pub const NLMSG_OVERRUN: u16 = 4;
pub const NLM_F_REQUEST: u16 = 1;
pub const NLM_F_MULTI: u16 = 2;
pub const NLM_F_ACK: u16 = 4;
/// Of `NLMSG_ERROR`: the request's header alone follows.
pub const NLM_F_CAPPED: u16 = 0x100;
/// `NLM_F_ROOT | NLM_F_MATCH`.
pub const NLM_F_DUMP: u16 = 0x300;

pub const NEWSA: u16 = 16;
pub const DELSA: u16 = 17;
pub const GETSA: u16 = 18;
pub const NEWPOLICY: u16 = 19;
pub const DELPOLICY: u16 = 20;
pub const GETPOLICY: u16 = 21;
pub const ALLOCSPI: u16 = 22;
pub const ACQUIRE: u16 = 23;
pub const EXPIRE: u16 = 24;
pub const UPDPOLICY: u16 = 25;
pub const UPDSA: u16 = 26;
pub const POLEXPIRE: u16 = 27;
pub const FLUSHSA: u16 = 28;
pub const FLUSHPOLICY: u16 = 29;
pub const NEWAE: u16 = 30;
pub const GETAE: u16 = 31;
pub const NEWSADINFO: u16 = 34;
pub const GETSADINFO: u16 = 35;
pub const NEWSPDINFO: u16 = 36;
pub const GETSPDINFO: u16 = 37;
pub const MAPPING: u16 = 38;
pub const SETDEFAULT: u16 = 39;
pub const GETDEFAULT: u16 = 40;

pub const XFRMA_ALG_AUTH: u16 = 1;
pub const XFRMA_ALG_CRYPT: u16 = 2;
pub const XFRMA_ALG_COMP: u16 = 3;
pub const XFRMA_ENCAP: u16 = 4;
pub const XFRMA_TMPL: u16 = 5;
pub const XFRMA_SA: u16 = 6;
pub const XFRMA_POLICY: u16 = 7;
pub const XFRMA_LTIME_VAL: u16 = 9;
pub const XFRMA_REPLAY_VAL: u16 = 10;
pub const XFRMA_COADDR: u16 = 14;
pub const XFRMA_LASTUSED: u16 = 15;
pub const XFRMA_POLICY_TYPE: u16 = 16;
pub const XFRMA_ALG_AEAD: u16 = 18;
pub const XFRMA_ALG_AUTH_TRUNC: u16 = 20;
pub const XFRMA_MARK: u16 = 21;
pub const XFRMA_TFCPAD: u16 = 22;
pub const XFRMA_REPLAY_ESN_VAL: u16 = 23;
pub const XFRMA_SA_EXTRA_FLAGS: u16 = 24;
pub const XFRMA_PROTO: u16 = 25;
pub const XFRMA_OFFLOAD_DEV: u16 = 28;
pub const XFRMA_SET_MARK: u16 = 29;
pub const XFRMA_SET_MARK_MASK: u16 = 30;
pub const XFRMA_IF_ID: u16 = 31;
pub const XFRMA_SA_DIR: u16 = 33;
pub const XFRMA_NAT_KEEPALIVE_INTERVAL: u16 = 34;
pub const XFRMA_SA_PCPU: u16 = 35;

/// `xfrm_usersa_info.flags`.
pub const XFRM_STATE_NOECN: u8 = 1;
pub const XFRM_STATE_DECAP_DSCP: u8 = 2;
pub const XFRM_STATE_NOPMTUDISC: u8 = 4;
pub const XFRM_STATE_WILDRECV: u8 = 8;
pub const XFRM_STATE_ICMP: u8 = 16;
pub const XFRM_STATE_AF_UNSPEC: u8 = 32;
pub const XFRM_STATE_ESN: u8 = 128;
/// `XFRMA_SA_EXTRA_FLAGS`.
pub const XFRM_SA_XFLAG_DONT_ENCAP_DSCP: u32 = 1;
pub const XFRM_SA_XFLAG_OSEQ_MAY_WRAP: u32 = 2;

/// `XFRMA_SA_DIR`.
pub const XFRM_SA_DIR_IN: u8 = 1;
pub const XFRM_SA_DIR_OUT: u8 = 2;

pub const XFRM_MODE_TUNNEL: u8 = 1;
/// IP-TFS (RFC 9347), the last of the modes.
pub const XFRM_MODE_IPTFS: u8 = 5;
/// The last of the ways to share an SA, none of which is heeded.
pub const XFRM_SHARE_UNIQUE: u8 = 3;
pub const XFRM_POLICY_IN: u8 = 0;
pub const XFRM_POLICY_OUT: u8 = 1;
pub const XFRM_POLICY_FWD: u8 = 2;
pub const XFRM_POLICY_ALLOW: u8 = 0;
pub const XFRM_POLICY_BLOCK: u8 = 1;
pub const UDP_ENCAP_ESPINUDP_NON_IKE: u16 = 1;
pub const UDP_ENCAP_ESPINUDP: u16 = 2;
pub const TCP_ENCAP_ESPINTCP: u16 = 7;
/// `xfrm_lifetime_cfg`: no limit.
pub const XFRM_INF: u64 = u64::MAX;

/// Group numbers; a socket's bind mask has bit `group - 1`.
pub const XFRMNLGRP_ACQUIRE: u32 = 1;
pub const XFRMNLGRP_EXPIRE: u32 = 2;
pub const XFRMNLGRP_SA: u32 = 3;
pub const XFRMNLGRP_POLICY: u32 = 4;
pub const XFRMNLGRP_MAPPING: u32 = 8;

pub const AF_INET: u16 = 2;
pub const AF_INET6: u16 = 10;
