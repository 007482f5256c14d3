//! The summary: a table, a drawing, and how to go on.

use super::child::Child;
use super::evidence::Carried;

/// The rows of the table, as they came.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<(String, String)>,
}

impl Report {
    /// Adds a row.
    pub fn row(&mut self, name: &str, value: &str) {
        self.rows.push((name.to_owned(), value.to_owned()));
    }

    /// Adds the rows of a measurement.
    pub fn carried(&mut self, name: &str, carried: &Carried, bought_mbps: u32) {
        let rtt = carried.ping.mean_rtt_ms.map(|rtt| format!(", {rtt:.2} ms")).unwrap_or_default();
        self.row(
            &format!("{name}: ping"),
            &format!("{} of {} came back{rtt}", carried.ping.received, carried.ping.sent),
        );
        let throughput =
            format!("{:.1} Mbit/s of TCP payload; {bought_mbps} Mbit/s bought", carried.tcp.mbps);
        self.row(&format!("{name}: iperf3"), &throughput);
        if let Some(leg) = carried.public_leg {
            let text = format!("{} ESP, {} IKE, {} anything else", leg.esp, leg.ike, leg.other);
            self.row(&format!("{name}: public leg"), &text);
        }
    }

    /// Prints everything.
    ///
    /// # Errors
    /// When the service does not answer.
    pub fn print(&self, child: &Child, packets: bool) -> anyhow::Result<()> {
        println!("\n{}", "─".repeat(96));
        if packets {
            println!("{TOPOLOGY}");
        }
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        for (name, value) in &self.rows {
            println!("  {name:<width$}  {value}");
        }
        println!("{}", "─".repeat(96));
        println!("\nPoint your own tools here:\n\n{}", child.endpoints()?);
        Ok(())
    }
}

const TOPOLOGY: &str = r"
   customer site                 public side               Alibaba VPC 10.10.0.0/16
  ┌───────────────────────┐    ┌─────────────┐    ┌──────────────────────────────────┐
  │ host ── stock         │    │             │    │ VPN gateway ── router ── host    │
  │ .10.2   strongSwan ═══╪════╪═════════════╪════╪═══╗                   10.10.1.100│
  │ 192.168.10.0/24       │    │  IKE, ESP   │    │   ║                              │
  └───────────────────────┘    │  and nothing│    └───╫──────────────────────────────┘
                               │  else       │        ║    Tencent VPC 172.16.0.0/16
                               │             │    ┌───╫──────────────────────────────┐
                               │    ╔════════╪════╪═══╝                              │
                               │    ╚════════╪════╪═ VPN gateway ── router ── host   │
                               └─────────────┘    │                      172.16.1.100│
                                                  └──────────────────────────────────┘";
