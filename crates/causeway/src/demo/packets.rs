//! What crossed a link, by kind, from a capture.

use std::path::Path;
use std::time::Duration;

use causeway_lab::{LabError, Machine};

/// How long a look at a capture may take.
const READ_TIME_MAX: Duration = Duration::from_secs(60);
/// IKE on ports 500 and 4500, where the first four octets of the payload are zero (RFC 3948 section 2.2).
const IKE: &str = "udp port 500 or (udp port 4500 and udp[8:4] = 0)";
/// ESP, in UDP or by itself; a keep-alive is one octet.
const ESP: &str = "(udp port 4500 and udp[8:4] != 0) or ip proto 50";
/// Everything else that is not the link's own business.
const OTHER: &str = "not (udp port 500 or udp port 4500 or ip proto 50 or arp or ip6)";

/// Packets by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// Encapsulating security payload.
    pub esp: usize,
    /// Key exchange.
    pub ike: usize,
    /// Anything else: a leak.
    pub other: usize,
}

/// Counts the packets of a capture.
///
/// # Errors
/// When tcpdump can't read it.
pub async fn count(machine: &Machine, capture: &Path) -> Result<Kinds, LabError> {
    let file = capture.display().to_string();
    let mut counts = [0; 3];
    for (count, filter) in counts.iter_mut().zip([ESP, IKE, OTHER]) {
        let argv = ["tcpdump", "-nn", "-q", "-r", &file, filter];
        *count = machine.run(&argv, READ_TIME_MAX).await?.lines().count();
    }
    let [esp, ike, other] = counts;
    Ok(Kinds { esp, ike, other })
}
