//! charon's strongswan.conf for one gateway instance.

use std::path::Path;

/// The plugins that a gateway needs; OpenSSL has every algorithm of IKE that the clouds name, DES and MD5
/// included. A short list keeps charon at about 2 MiB and its surface small.
const PLUGINS: &str = "random nonce openssl kdf kernel-netlink socket-default vici";

/// The text of the configuration. Everything else comes through VICI.
///
/// - `install_routes`: routes are the instance's, not charon's.
/// - `retransmit_*`: a peer counts as dead after 26 s instead of 165 s.
/// - `kernel-netlink`: a data plane that hangs must not block charon for ever.
/// - `xfrm_acq_expires`: the kernel asks for an SA (ACQUIRE) no oftener than this, and keeps an SPI that nobody uses for
///   as long: a little longer than a negotiation may take.
/// - `spi_max`, ports and the rest are charon's defaults.
pub(crate) fn text(vici_socket: &Path) -> String {
    format!(
        "charon-systemd {{
  load = {PLUGINS}
  threads = 8
  install_routes = no
  install_virtual_ip = no
  retransmit_timeout = 2.0
  retransmit_base = 1.5
  retransmit_tries = 4
  ikesa_table_size = 64
  i_dont_care_about_security_and_use_aggressive_mode_psk = yes
  plugins {{
    vici {{
      socket = unix://{socket}
    }}
    kernel-netlink {{
      timeout = 1000
      retries = 2
      xfrm_acq_expires = 30
    }}
  }}
  filelog {{
    stderr {{
      default = 1
      time_format = %FT%T
      time_add_ms = yes
      flush_line = yes
    }}
  }}
  journal {{
    default = -1
  }}
}}
",
        socket = vici_socket.display()
    )
}
