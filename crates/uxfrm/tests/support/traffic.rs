//! Pings, TCP and captures between a lab's machines.

use super::{Lab, try_run, until};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the kernel is looked at for answers that came when ping had ended.
const LATE_MAX: Duration = Duration::from_secs(1);
/// How long a program may take to start.
const START_MAX: Duration = Duration::from_secs(20);

impl Lab {
    /// Received pings out of `count`, sent every 20 ms.
    pub fn ping(&self, from: &str, to: &str, count: u32) -> u32 {
        self.ping_with(from, to, count, "-i 0.02")
    }

    /// Received pings out of `count`, with more options of ping's.
    ///
    /// Once there was an answer, ping waits for the last one no longer than twice the longest round trip so far or the
    /// interval. On a busy machine answers come later than that, and would be taken for lost; so the kernel's count of
    /// echo replies decides, which goes on when ping has ended.
    pub fn ping_with(&self, from: &str, to: &str, count: u32, options: &str) -> u32 {
        let v6 = to.contains(':');
        let before = self.echo_replies(from, v6);
        let command = self.in_namespace(from, &format!("ping -n -q -W 1 -c {count} {options} {to}"));
        let text = String::from_utf8_lossy(&try_run(&command).stdout).into_owned();
        let line = text.lines().find(|line| line.contains("received")).unwrap_or_else(|| panic!("{text}"));
        let received: u32 = line.split(", ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let start = Instant::now();
        let mut arrived = received;
        while received > 0 && arrived < count && start.elapsed() < LATE_MAX {
            sleep(Duration::from_millis(50));
            arrived = (self.echo_replies(from, v6) - before) as u32;
        }
        arrived
    }

    /// Pings without an end, one each `interval`.
    pub fn keep_pinging(&self, from: &'static str, to: &str, interval: Duration) -> Pinging<'_> {
        let v6 = to.contains(':');
        let before = self.echo_replies(from, v6);
        let line = self.in_namespace(from, &format!("ping -n -q -i {} {to}", interval.as_secs_f64()));
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {line}")]).stdin(Stdio::null()).stdout(Stdio::piped());
        Pinging { lab: self, from, v6, before, ping: command.spawn().unwrap() }
    }

    /// Echo replies that a namespace's kernel has received so far.
    fn echo_replies(&self, node: &str, v6: bool) -> u64 {
        let text = self.exec(node, "cat /proc/net/snmp /proc/net/snmp6");
        if v6 {
            let line = text.lines().find(|line| line.starts_with("Icmp6InEchoReplies")).unwrap();
            return line.split_whitespace().nth(1).unwrap().parse().unwrap();
        }
        // Names in one line, values in the next.
        let mut lines = text.lines().filter(|line| line.starts_with("Icmp:")).map(str::split_whitespace);
        let (names, mut values) = (lines.next().unwrap(), lines.next().unwrap());
        let position = { names }.position(|name| name == "InEchoReps").unwrap();
        values.nth(position).unwrap().parse().unwrap()
    }

    /// Starts an iperf3 server for one client, and waits until it listens.
    pub fn serve_iperf(&self, node: &str) {
        self.exec(node, "iperf3 -s -1 -D");
        let listens = || !self.exec(node, "ss -H -l -t -n sport = :5201").is_empty();
        until("an iperf3 server that listens", START_MAX, listens);
    }

    /// Captures so many packets of an interface that match, and waits until tcpdump does so.
    pub fn capture(&self, node: &str, interface: &str, count: u32, filter: &str) -> Capture {
        let line = self.in_namespace(
            node,
            &format!("timeout 10 tcpdump -n -v --immediate-mode -c {count} -i {interface} {filter}"),
        );
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {line}")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut words = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("listening on") {
            assert_ne!(words.read_line(&mut said).unwrap(), 0, "tcpdump: {said}");
        }
        // What it says at its end must not stop it.
        std::thread::spawn(move || std::io::copy(&mut words, &mut std::io::sink()));
        Capture(child)
    }
}

/// A ping that goes on. One at a time in a namespace, as answers are counted by the kernel there.
pub struct Pinging<'a> {
    lab: &'a Lab,
    from: &'static str,
    v6: bool,
    before: u64,
    ping: Child,
}

impl Pinging<'_> {
    /// Answers that have come so far.
    pub fn answered(&self) -> u64 {
        self.lab.echo_replies(self.from, self.v6) - self.before
    }

    /// Waits until so many more answers have come.
    pub fn until_answered(&self, more: u64, limit: Duration) {
        let wanted = self.answered() + more;
        until("answers to pings", limit, || self.answered() >= wanted);
    }

    /// Ends it: how many pings were sent, and how many were answered, also late.
    pub fn finish(mut self) -> (u64, u64) {
        // SAFETY: a child of ours that is not yet waited for; it tells its numbers then.
        unsafe { libc::kill(self.ping.id() as i32, libc::SIGINT) };
        let mut text = String::new();
        self.ping.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        let line = text.lines().find(|line| line.contains("transmitted")).unwrap_or_else(|| panic!("{text}"));
        let sent: u64 = line.split(' ').next().unwrap().parse().unwrap();
        let ended = Instant::now();
        while self.answered() < sent && ended.elapsed() < LATE_MAX {
            sleep(Duration::from_millis(50));
        }
        (sent, self.answered())
    }
}

impl Drop for Pinging<'_> {
    fn drop(&mut self) {
        let _ = self.ping.kill();
        let _ = self.ping.wait();
    }
}

/// A tcpdump that captures.
pub struct Capture(Child);

impl Capture {
    /// What it has seen when it has seen enough, or waited for long.
    pub fn text(mut self) -> String {
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.0.wait().unwrap();
        text
    }
}
