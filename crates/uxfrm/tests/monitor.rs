//! `ip xfrm monitor` and what else listens to the multicast groups. Needs root.

mod support;

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::stand::Stand;
use support::{run, until};

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(30);

/// `ip xfrm monitor` under the interception.
struct Monitor<'a> {
    stand: &'a Stand,
    file: &'static str,
    process: Child,
}

impl<'a> Monitor<'a> {
    fn new(stand: &'a Stand, file: &'static str, what: &str) -> Self {
        let out = File::create(stand.path(file)).unwrap();
        let script =
            format!("echo $$ > {}; exec ip xfrm monitor {what}", stand.path("monitor-pid").display());
        let process = Command::new(env!("CARGO_BIN_EXE_uxfrm"))
            .args(["join", "--control", stand.path("control").to_str().unwrap(), "--", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap();
        // It shows one change when it listens.
        let this = Self { stand, file, process };
        until("the monitor", PATIENCE, || {
            stand.ip("xfrm policy add src 10.250.0.0/24 dst 10.99.0.0/16 dir fwd action block");
            stand.ip("xfrm policy deleteall dir fwd");
            !this.text().is_empty()
        });
        this
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.stand.path(self.file)).unwrap()
    }

    fn pid(&self) -> i32 {
        std::fs::read_to_string(self.stand.path("monitor-pid")).unwrap().trim().parse().unwrap()
    }

    /// The lines that come of a change.
    fn hears(&self, change: &str, expected: &[&str]) {
        let before = self.text().len();
        let output = self.stand.ip(change);
        assert!(output.status.success(), "{change}: {}", String::from_utf8_lossy(&output.stderr));
        let start = Instant::now();
        loop {
            let text = self.text().split_off(before);
            if expected.iter().all(|part| text.contains(part)) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{change}: heard {text:?}, not {expected:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Monitor<'_> {
    fn drop(&mut self) {
        // SAFETY: a process of ours that is not yet waited for.
        unsafe { libc::kill(self.pid(), libc::SIGKILL) };
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const STATE: &str = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001";
const KEYS: &str =
    "reqid 7 mode tunnel if_id 1 aead 'rfc4106(gcm(aes))' 0x00112233445566778899aabbccddeeff01234567 128";

#[test]
fn every_change_is_heard() {
    lab_or_skip!();
    let stand = Stand::new("mo", "", "");
    let monitor = Monitor::new(&stand, "heard", "");
    let policy = "src 10.1.0.0/24 dst 10.2.0.0/24 dir out if_id 1";
    let template = "tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 7 mode tunnel";
    monitor.hears(
        &format!("xfrm state add {STATE} {KEYS}"),
        &[
            "src 192.0.2.1 dst 192.0.2.2\n",
            "spi 0x00001001 reqid 7",
            "0x00112233445566778899aabbccddeeff01234567",
        ],
    );
    monitor.hears(&format!("xfrm state update {STATE} {KEYS}"), &["Updated src 192.0.2.1 dst 192.0.2.2\n"]);
    monitor.hears(
        &format!("xfrm state delete {STATE}"),
        &["Deleted src 192.0.2.1 dst 192.0.2.2\n", "0x00001001"],
    );
    monitor.hears(
        &format!("xfrm policy add {policy} {template}"),
        &["src 10.1.0.0/24 dst 10.2.0.0/24", "dir out"],
    );
    monitor.hears(&format!("xfrm policy update {policy} {template}"), &["Updated src 10.1.0.0/24"]);
    monitor.hears(&format!("xfrm policy delete {policy}"), &["Deleted src 10.1.0.0/24"]);
    stand.add_states(3);
    stand.add_policies(3);
    monitor.hears("xfrm state flush", &["Flushed state proto"]);
    monitor.hears("xfrm policy flush", &["Flushed policy"]);
    let short = format!("xfrm policy add {policy} limit time-hard 1 {template}");
    monitor.hears(&short, &["Expired src 10.1.0.0/24 dst 10.2.0.0/24", "hard"]);
    assert_eq!(stand.policies(), Some(0));
    // Nor does the next engine get it.
    let engine = stand.child("uxfrm-engine").unwrap();
    run(&format!("kill -9 {engine}"));
    until("an answer", PATIENCE, || stand.policies().is_some());
    assert_eq!(stand.policies(), Some(0));
    // And that one tells what happens too.
    monitor.hears(&format!("xfrm state add {STATE} {KEYS}"), &["spi 0x00001001 reqid 7"]);
}

/// Who listens to one group hears nothing of another, and nobody hears of keys who did not ask.
#[test]
fn groups_are_apart() {
    lab_or_skip!();
    let stand = Stand::new("mg", "", "");
    let monitor = Monitor::new(&stand, "heard", "policy");
    let before = monitor.text().len();
    stand.add_states(2);
    monitor
        .hears("xfrm policy add src 10.7.0.0/24 dst 10.8.0.0/24 dir in action block", &["src 10.7.0.0/24"]);
    assert!(!monitor.text().split_off(before).contains("spi "), "{}", monitor.text());
}

/// Who does not read loses events; nobody waits for it.
#[test]
fn a_slow_listener_holds_up_nobody() {
    lab_or_skip!();
    let stand = Stand::new("ms", "", "");
    let monitor = Monitor::new(&stand, "heard", "policy");
    // SAFETY: a process of ours.
    assert_eq!(unsafe { libc::kill(monitor.pid(), libc::SIGSTOP) }, 0);
    let start = Instant::now();
    // 14,000 events of more than 300 bytes: four times what may wait.
    for _ in 0..7 {
        stand.add_policies(1000);
        assert!(stand.ip("xfrm policy flush").status.success());
        stand.add_policies(1000);
        assert!(stand.ip("xfrm policy flush").status.success());
    }
    let took = start.elapsed();
    let answer = Instant::now();
    assert_eq!(stand.policies(), Some(0));
    // The listener is stopped: who waited for it would do so for ever.
    assert!(answer.elapsed() < PATIENCE, "{:?}; before {took:?}", answer.elapsed());
    // Not more than a bounded queue is kept for it.
    let broker = stand.broker.id();
    let status = std::fs::read_to_string(format!("/proc/{broker}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 24 * 1024, "the broker has {kib} KiB");
    // SAFETY: as above.
    assert_eq!(unsafe { libc::kill(monitor.pid(), libc::SIGCONT) }, 0);
    // That some are missing is told (see `Connection`), but ip shows it no more than the kernel's ENOBUFS.
    let policy = "src 10.7.0.0/24 dst 10.8.0.0/24 dir in";
    until("what comes after the lost ones", PATIENCE, || {
        stand.ip(&format!("xfrm policy add {policy} action block"));
        stand.ip(&format!("xfrm policy delete {policy}"));
        monitor.text().contains("Deleted src 10.7.0.0/24")
    });
    let events = monitor.text().matches("src 10.").count();
    assert!((100..14_000).contains(&events), "{events} events were heard");
    monitor
        .hears("xfrm policy add src 10.7.0.0/24 dst 10.8.0.0/24 dir in action block", &["src 10.7.0.0/24"]);
}
