//! Pings and throughput between the lab's machines.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::LabError;
use crate::exec::Machine;

/// How long and after what pause a client tries again to reach a server that is starting, on a busy machine.
const CONNECT_MAX: Duration = Duration::from_secs(10);
const CONNECT_PAUSE: Duration = Duration::from_millis(100);
/// How long the kernel is looked at for answers that came when ping had ended, and how often.
const LATE_MAX: Duration = Duration::from_secs(1);
const LATE_LOOK: Duration = Duration::from_millis(50);
/// More than the look at a file takes.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// What a series of pings came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ping {
    pub sent: u32,
    pub received: u32,
    /// Mean round-trip time in milliseconds, when anything came back.
    pub mean_rtt_ms: Option<f64>,
}

/// What iperf3 sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Protocol {
    Tcp {
        streams: u16,
    },
    /// Datagrams of this many bytes at this rate.
    Udp {
        bytes: u16,
        mbps: u32,
    },
}

/// What iperf3 measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Iperf {
    /// What arrived, in Mbit/s of payload.
    pub mbps: f64,
    /// TCP only.
    pub retransmits: Option<u64>,
    /// UDP only: the part that was lost, in percent.
    pub lost_percent: Option<f64>,
}

impl Machine {
    /// Pings `count` times, one every `interval`.
    ///
    /// # Errors
    /// [`LabError::Command`] when ping says nothing that can be read.
    pub async fn ping(&self, to: IpAddr, count: u32, interval: Duration) -> Result<Ping, LabError> {
        self.ping_from(None, to, count, interval).await
    }

    /// Pings as [`ping`](Self::ping) does, from this one of the machine's addresses.
    ///
    /// Once there was an answer, ping waits for the last one no longer than twice the longest round trip so far or
    /// the interval. On a busy machine answers come later than that, and would be taken for lost; so the kernel's
    /// count of echo replies decides, which goes on when ping has ended. One ping at a time on a machine, therefore.
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub async fn ping_from(
        &self,
        source: Option<IpAddr>,
        to: IpAddr,
        count: u32,
        interval: Duration,
    ) -> Result<Ping, LabError> {
        let [count_text, to_text, source_text] =
            [count.to_string(), to.to_string(), source.unwrap_or(to).to_string()];
        let interval_text = format!("{:.3}", interval.as_secs_f64());
        let mut argv = vec!["ping", "-n", "-q", "-c", &count_text, "-i", &interval_text, "-W", "1"];
        if source.is_some() {
            argv.extend(["-I", &source_text]);
        }
        argv.push(&to_text);
        let before = self.echo_replies(to).await?;
        let finished = self.exec(&argv, interval * count + Duration::from_secs(10)).await?;
        let mut ping = parse_ping(&finished.stdout).ok_or_else(|| LabError::Command {
            command: argv.join(" "),
            output: format!("{}{}", finished.stdout, finished.stderr),
        })?;
        let ended = Instant::now();
        while ping.received > 0 && ping.received < ping.sent && ended.elapsed() < LATE_MAX {
            tokio::time::sleep(LATE_LOOK).await;
            let arrived = self.echo_replies(to).await?.saturating_sub(before);
            ping.received = ping.received.max(arrived.min(ping.sent.into()) as u32);
        }
        Ok(ping)
    }

    /// Echo replies of an address's family that the machine's kernel has received so far.
    async fn echo_replies(&self, family: IpAddr) -> Result<u64, LabError> {
        let file = if family.is_ipv4() { "/proc/net/snmp" } else { "/proc/net/snmp6" };
        let text = self.run(&["cat", file], READ_LIMIT).await?;
        parse_replies(&text).ok_or_else(|| LabError::Command { command: format!("cat {file}"), output: text })
    }

    /// Measures the throughput to a server at `to` on `server`, for `seconds`. With `reverse` the server
    /// sends.
    ///
    /// # Errors
    /// [`LabError::Command`] with what iperf3 said.
    pub async fn iperf(
        &self,
        server: &Self,
        to: IpAddr,
        protocol: Protocol,
        seconds: u32,
        reverse: bool,
    ) -> Result<Iperf, LabError> {
        let serve = ["iperf3", "-s", "-1"];
        let mut serving = server.start(&serve)?;
        let mut argv = vec!["iperf3".to_owned(), "-J".into(), "-c".into(), to.to_string()];
        argv.extend(["-t".into(), seconds.to_string(), "--connect-timeout".into(), "3000".into()]);
        match protocol {
            // The first second, in which TCP looks for the rate, does not count.
            Protocol::Tcp { streams } => {
                argv.extend(["-P".into(), streams.to_string(), "-O".into(), "1".into()]);
            }
            Protocol::Udp { bytes, mbps } => {
                argv.extend(["-u".into(), "-l".into(), bytes.to_string(), "-b".into(), format!("{mbps}M")]);
            }
        }
        if reverse {
            argv.push("-R".into());
        }
        let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
        let limit = Duration::from_secs(u64::from(seconds) + 20);
        let begun = Instant::now();
        let mut report = self.exec(&argv, limit).await?;
        // The server needs a moment until it listens; it ends where the one before still had the port.
        while report.stdout.contains("unable to connect") && begun.elapsed() < CONNECT_MAX {
            tokio::time::sleep(CONNECT_PAUSE).await;
            if serving.try_wait()?.is_some() {
                serving = server.start(&serve)?;
            }
            report = self.exec(&argv, limit).await?;
        }
        let json: Option<Value> = serde_json::from_str(&report.stdout).ok();
        json.as_ref().and_then(|json| parse_iperf(json, protocol)).ok_or_else(|| LabError::Command {
            command: argv.join(" "),
            output: format!("{}{}", report.stdout, report.stderr),
        })
    }
}

fn parse_ping(text: &str) -> Option<Ping> {
    let counts = text.lines().find(|line| line.contains("packets transmitted"))?;
    let mut numbers = counts.split(", ").filter_map(|part| part.split(' ').next()?.parse().ok());
    let (sent, received) = (numbers.next()?, numbers.next()?);
    let rtt = text.lines().find(|line| line.starts_with("rtt "));
    let mean = rtt.and_then(|line| line.split(" = ").nth(1)?.split('/').nth(1)?.parse().ok());
    Some(Ping { sent, received, mean_rtt_ms: mean })
}

/// Reads `/proc/net/snmp`, with names in one line and values in the next, or `/proc/net/snmp6`, with both in each.
fn parse_replies(text: &str) -> Option<u64> {
    if let Some(line) = text.lines().find(|line| line.starts_with("Icmp6InEchoReplies")) {
        return line.split_whitespace().nth(1)?.parse().ok();
    }
    let mut lines = text.lines().filter(|line| line.starts_with("Icmp:")).map(str::split_whitespace);
    let (mut names, mut values) = (lines.next()?, lines.next()?);
    values.nth(names.position(|name| name == "InEchoReps")?)?.parse().ok()
}

fn parse_iperf(json: &Value, protocol: Protocol) -> Option<Iperf> {
    let end = json.get("end")?;
    let (sum, retransmits, lost) = match protocol {
        Protocol::Tcp { .. } => {
            let retransmits = end.get("sum_sent").and_then(|sent| sent.get("retransmits")?.as_u64());
            (end.get("sum_received")?, retransmits, None)
        }
        Protocol::Udp { .. } => {
            let sum = end.get("sum_received").filter(|sum| sum.get("bytes").is_some());
            let sum = sum.or(end.get("sum"))?;
            (sum, None, end.get("sum").and_then(|sum| sum.get("lost_percent")?.as_f64()))
        }
    };
    let mbps = sum.get("bits_per_second")?.as_f64()? / 1e6;
    Some(Iperf { mbps, retransmits, lost_percent: lost })
}

#[cfg(test)]
mod tests {
    use super::{Ping, parse_ping, parse_replies};

    #[test]
    fn reads_the_kernels_count_of_echo_replies() {
        let text = "Ip: Forwarding DefaultTTL\nIp: 1 64\nIcmp: InMsgs InEchos InEchoReps\nIcmp: 9 4 5\n\
            IcmpMsg: InType0\nIcmpMsg: 5\n";
        assert_eq!(parse_replies(text), Some(5));
        let text = "Icmp6InMsgs                     \t12\nIcmp6InEchoReplies              \t7\n";
        assert_eq!(parse_replies(text), Some(7));
        assert_eq!(parse_replies("Ip: Forwarding\nIp: 1\n"), None);
    }

    #[test]
    fn reads_pings_summary() {
        let text = "PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n\n--- 10.0.0.1 ping statistics ---\n\
            5 packets transmitted, 4 received, 20% packet loss, time 803ms\n\
            rtt min/avg/max/mdev = 0.045/0.057/0.067/0.008 ms\n";
        assert_eq!(parse_ping(text), Some(Ping { sent: 5, received: 4, mean_rtt_ms: Some(0.057) }));
        let none = "3 packets transmitted, 0 received, 100% packet loss, time 2030ms\n";
        assert_eq!(parse_ping(none), Some(Ping { sent: 3, received: 0, mean_rtt_ms: None }));
        assert_eq!(parse_ping("ping: connect: Network is unreachable\n"), None);
    }
}
