//! TCP throughput by iperf3.

use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::super::daemon::Daemon;
use super::super::lab::{FAR_HOST, Lab, Side};
use super::super::peers::strongswan::STREAM_PORT;

/// What a transfer came to.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// Received payload, Gbit/s.
    pub gbit_per_second: f64,
    /// Received payload, Gbit.
    pub gbit: f64,
    /// Segments sent again.
    pub retransmits: f64,
}

/// Starts an iperf3 server on the far host.
pub fn serve(lab: &Lab) -> anyhow::Result<Daemon> {
    let log = lab.path(Side::B, "iperf3");
    Daemon::start(&lab.host(Side::B), Command::new("iperf3").args(["-s", "-B", FAR_HOST]), &log)
}

/// Sends for so many seconds over so many streams, from ports that SAs may be made for.
pub fn transfer(lab: &Lab, streams: u32, seconds: u32) -> anyhow::Result<Transfer> {
    // An error is in the text as well; the exit code alone would not say which.
    let command = format!("iperf3 -J -c {FAR_HOST} --cport {STREAM_PORT} -P {streams} -t {seconds} || true");
    let text = lab.exec(&lab.host(Side::A), &command)?;
    let answer: Value = serde_json::from_str(&text).context("iperf3 -J")?;
    if let Some(error) = answer["error"].as_str() {
        anyhow::bail!("iperf3: {error}");
    }
    let number = |pointer: &str| {
        answer.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("iperf3 tells no {pointer}"))
    };
    Ok(Transfer {
        gbit_per_second: number("/end/sum_received/bits_per_second")? / 1e9,
        gbit: number("/end/sum_received/bytes")? * 8.0 / 1e9,
        retransmits: number("/end/sum_sent/retransmits")?,
    })
}
