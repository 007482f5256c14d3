//! The broker and its engine without a daemon: `uxfrm run -- sleep` in a namespace, asked by `ip xfrm`. Needs root.

mod support;

use std::fmt::Write as _;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::stand::Stand;
use support::{run, try_run, until};

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(20);

/// The next engine gets all policies and answers at once, however many there are: neither side waits for the other with a
/// full link.
#[test]
fn two_thousand_policies_survive_the_engine() {
    lab_or_skip!();
    let stand = Stand::new("rs", "", "");
    stand.add_policies(2000);
    assert_eq!(stand.policies(), Some(2000));
    for _ in 0..3 {
        let engine = stand.child("uxfrm-engine").unwrap();
        // What `pkill -x` looks for.
        assert_eq!(std::fs::read_to_string(format!("/proc/{engine}/comm")).unwrap(), "uxfrm-engine\n");
        run(&format!("kill -9 {engine}"));
        until("an answer", PATIENCE, || stand.policies().is_some());
        assert_eq!(stand.policies(), Some(2000));
        assert_ne!(stand.child("uxfrm-engine"), Some(engine));
    }
    // Two that wait for each other end when the broker has waited long enough.
    let log = std::fs::read_to_string(stand.path("log")).unwrap();
    assert!(!log.contains("it is killed"), "{log}");
}

/// Connects to the abstract name of ten zero bytes, as often as it can for a while; says how often somebody answered.
fn knock(namespace: &str, limit: Duration) -> u32 {
    let netns = std::fs::File::open(format!("/run/netns/{namespace}")).unwrap();
    // SAFETY: all-zero is a valid address, of which 12 bytes are used; the thread's namespace is its own.
    unsafe {
        assert_eq!(libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET), 0);
        let mut address: libc::sockaddr_un = std::mem::zeroed();
        address.sun_family = libc::AF_UNIX as u16;
        let (start, mut answered) = (Instant::now(), 0);
        while start.elapsed() < limit {
            let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            let socket = libc::socket(libc::AF_UNIX, kind, 0);
            for _ in 0..1000 {
                if libc::connect(socket, (&raw const address).cast(), 12) == 0 {
                    answered += 1;
                    break;
                }
            }
            libc::close(socket);
        }
        answered
    }
}

/// Another process of the namespace, of whatever user, must not get one of the daemon's sockets, nor keep it from opening
/// them by holding a name.
#[test]
fn nobody_else_gets_an_xfrm_socket() {
    lab_or_skip!();
    let stand = Stand::new("nb", "", "");
    std::thread::scope(|scope| {
        let attackers: Vec<_> =
            (0..2).map(|_| scope.spawn(|| knock(&stand.namespace, Duration::from_secs(3)))).collect();
        while !attackers.iter().all(|attacker| attacker.is_finished()) {
            assert!(stand.policies().is_some(), "the socket of whom it was made for");
        }
        for attacker in attackers {
            assert_eq!(attacker.join().unwrap(), 0, "connections that somebody answered");
        }
    });
    // The name held, as by `bind`: opening takes no longer.
    let (ready, is_ready) = std::sync::mpsc::channel();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let namespace = stand.namespace.clone();
    let holder = std::thread::spawn(move || {
        let netns = std::fs::File::open(format!("/run/netns/{namespace}")).unwrap();
        // SAFETY: as above.
        unsafe {
            assert_eq!(libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET), 0);
            let mut address: libc::sockaddr_un = std::mem::zeroed();
            address.sun_family = libc::AF_UNIX as u16;
            let socket = libc::socket(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0);
            assert_eq!(libc::bind(socket, (&raw const address).cast(), 12), 0);
            ready.send(()).unwrap();
            let _ = is_done.recv();
            libc::close(socket);
        }
    });
    is_ready.recv().unwrap();
    assert_eq!(stand.policies(), Some(0));
    drop(done);
    holder.join().unwrap();
}

/// A dump shows everything, also to who reads slowly.
#[test]
fn dumps_are_complete() {
    lab_or_skip!();
    let stand = Stand::new("du", "", "");
    stand.add_states(2000);
    for slow in ["", "| (sleep 2; cat)"] {
        let output = stand.ip(&format!("xfrm state {slow}"));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.lines().filter(|line| line.starts_with("src ")).count(), 2000, "{slow}");
    }
    // Who asks and does not read: others are answered meanwhile, and it loses nothing.
    let (pid_file, out) = (stand.path("pid"), stand.path("out"));
    let uxfrm = env!("CARGO_BIN_EXE_uxfrm");
    let control = stand.path("control");
    let script = format!("echo $$ > {}; exec ip xfrm state", pid_file.display());
    let mut reader = Command::new(uxfrm)
        .args(["join", "--control", control.to_str().unwrap(), "--", "sh", "-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Its output fills the pipe: it stands still with most of the answer unread.
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(stand.policies(), Some(0));
    let copied = std::io::copy(&mut reader.stdout.take().unwrap(), &mut std::fs::File::create(&out).unwrap());
    assert!(copied.is_ok() && reader.wait().unwrap().success());
    let text = std::fs::read_to_string(&out).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("src ")).count(), 2000);
}

/// A broker that is killed takes its daemon along, and leaves the interfaces: what is routed into them does not go
/// elsewhere. The next broker takes them over, and an orderly end removes them.
#[test]
fn the_end_of_the_broker() {
    lab_or_skip!();
    let mut stand = Stand::new("en", "", "--interface 7");
    let namespace = stand.namespace.clone();
    let route =
        || String::from_utf8(try_run(&format!("ip -n {namespace} route get 10.9.0.1")).stdout).unwrap();
    let gone = |pid: u32| {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    for arguments in ["--interface 7", "--interface 7 --workers 2", "--interface 7"] {
        run(&format!("ip -n {namespace} route replace 10.9.0.0/16 dev ipsec7"));
        let daemon = stand.child("sleep").unwrap();
        // The exec chain ends in `uxfrm` itself.
        run(&format!("kill -9 {}", stand.broker.id()));
        stand.broker.wait().unwrap();
        until("the daemon's end", PATIENCE, || gone(daemon));
        assert!(route().contains("dev ipsec7"), "{}", route());
        // Without deleting the namespace.
        stand.namespace = String::new();
        let next = Stand::start(env!("CARGO_BIN_EXE_uxfrm"), namespace.clone(), "", arguments);
        drop(std::mem::replace(&mut stand, next));
        assert!(try_run(&format!("ip -n {namespace} link show ipsec7")).status.success());
    }
    let engine = stand.child("uxfrm-engine").unwrap();
    run(&format!("kill {}", stand.broker.id()));
    stand.broker.wait().unwrap();
    until("the engine's end", PATIENCE, || gone(engine));
    assert!(!try_run(&format!("ip -n {namespace} link show ipsec7")).status.success());
}

/// More interfaces than the usual limit of descriptors allows; and where nothing more can be had, the policy is refused, the
/// engine goes on, and its sockets are served.
#[test]
fn descriptors_run_out() {
    lab_or_skip!();
    let mut lines = String::new();
    for i in 1..=100 {
        writeln!(
            lines,
            "xfrm policy add src 10.0.0.0/24 dst 10.9.0.0/16 dir out if_id {i} \
             tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid {i} mode tunnel"
        )
        .unwrap();
    }
    let interfaces = |stand: &Stand| {
        let list = run(&format!("ip -n {} -o link show type tun", stand.namespace));
        list.lines().filter(|line| line.contains(": ipsec")).count() as u32
    };
    let stand = Stand::new("ns", "ulimit -Sn 64;", "");
    stand.batch(&lines);
    assert_eq!((stand.policies(), interfaces(&stand)), (Some(100), 100));
    // The daemon's own limit is what it was.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", stand.child("sleep").unwrap())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().nth(3), Some("64"), "{line}");

    let stand = Stand::new("nh", "ulimit -n 64;", "");
    let engine = stand.child("uxfrm-engine").unwrap();
    let file = stand.path("batch");
    std::fs::write(&file, &lines).unwrap();
    let output = stand.ip(&format!("-force -batch {}", file.display()));
    let refused = String::from_utf8_lossy(&output.stderr).matches("Too many open files").count() as u32;
    let made = interfaces(&stand);
    assert!((20..100).contains(&made), "{made} interfaces");
    // `ip` ends with the first refusal, and the next one is refused too.
    assert_eq!((stand.policies(), refused), (Some(made), 1));
    let more = stand.ip(lines.lines().last().unwrap());
    assert!(String::from_utf8_lossy(&more.stderr).contains("Too many open files"), "{more:?}");
    assert_eq!(stand.child("uxfrm-engine"), Some(engine));
    run(&format!("kill -9 {engine}"));
    until("the next engine", PATIENCE, || stand.policies().is_some_and(|n| n >= 20));
}

/// What the engine does after the daemon was told that it took too long, and what is deleted by number, is not forgotten.
#[test]
fn the_journal_is_what_the_engine_has() {
    lab_or_skip!();
    let stand = Stand::new("jn", "", "");
    let next_engine = || {
        let engine = stand.child("uxfrm-engine").unwrap();
        run(&format!("kill -9 {engine}"));
        until("an answer", PATIENCE, || stand.policies().is_some());
        assert_ne!(stand.child("uxfrm-engine"), Some(engine));
    };
    let late_policy = || {
        let engine = stand.child("uxfrm-engine").unwrap();
        run(&format!("kill -STOP {engine}"));
        let late = stand.ip("xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out if_id 1 action block");
        assert!(String::from_utf8_lossy(&late.stderr).contains("timed out"), "{late:?}");
        try_run(&format!("kill -CONT {engine}"));
        until("the late policy, or another engine", PATIENCE, || {
            stand.policies() == Some(1) || stand.child("uxfrm-engine").is_some_and(|next| next != engine)
        });
        stand.child("uxfrm-engine") == Some(engine)
    };
    // One that was stopped for too long, because the machine is busy, counts as hung and is replaced.
    assert!((0..5).any(|_| late_policy()), "the engine is replaced whenever it is stopped");
    until("the late policy", PATIENCE, || stand.policies() == Some(1));
    next_engine();
    assert_eq!(stand.policies(), Some(1), "the next engine has what this one had");

    let list = String::from_utf8(stand.ip("-s xfrm policy").stdout).unwrap();
    let index = list.split("index ").nth(1).unwrap().split_whitespace().next().unwrap();
    let deleted = stand.ip(&format!("xfrm policy delete index {index} dir out if_id 1"));
    assert!(deleted.status.success(), "{deleted:?}");
    assert_eq!(stand.policies(), Some(0));
    next_engine();
    assert_eq!(stand.policies(), Some(0), "deleted is deleted");
}

/// IKE's datagrams while there is no IKE daemon, which the kernel spreads over sockets that nobody reads, occupy nothing.
#[test]
fn sockets_that_nobody_reads_stay_empty() {
    lab_or_skip!();
    let stand = Stand::new("rb", "", "");
    let netns = std::fs::File::open(format!("/run/netns/{}", stand.namespace)).unwrap();
    std::thread::spawn(move || {
        // SAFETY: the thread's namespace is its own.
        assert_eq!(unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
        for _ in 0..64 {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..200 {
                let _ = socket.send_to(&[0; 1400], "127.0.0.1:4500");
            }
        }
    })
    .join()
    .unwrap();
    // 4500 is 1194 in hexadecimal; the fifth column is transmit and receive queue.
    let waiting = || -> Vec<u32> {
        let text = run(&format!("ip netns exec {} cat /proc/net/udp", stand.namespace));
        let queued = |line: &str| {
            let queues = line.split_whitespace().nth(4).unwrap();
            u32::from_str_radix(queues.split(':').nth(1).unwrap(), 16).unwrap()
        };
        text.lines().filter(|line| line.contains(":1194 ")).map(queued).collect()
    };
    assert!(waiting().len() >= 2, "{:?}", waiting());
    // What the engine's own socket has got is read.
    until("sockets without datagrams", PATIENCE, || waiting().iter().sum::<u32>() < 64 * 1024);
}

/// All processes are told to end, as a terminal and systemd do: the engine goes on until the daemon has ended.
#[test]
fn the_engine_outlives_the_daemon() {
    lab_or_skip!();
    let mut stand = Stand::new("sg", "", "");
    let engine = stand.child("uxfrm-engine").unwrap();
    for signal in ["INT", "TERM", "HUP"] {
        run(&format!("kill -{signal} {engine}"));
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!((stand.policies(), stand.child("uxfrm-engine")), (Some(0), Some(engine)));
    // SAFETY: the process group that was made for it, not yet waited for.
    unsafe { libc::kill(-(stand.broker.id() as i32), libc::SIGTERM) };
    let status = stand.broker.wait().unwrap();
    assert_eq!(status.code(), Some(128 + libc::SIGTERM), "as the daemon ended");
}

/// A signal that comes before the daemon is there is not lost.
#[test]
fn an_early_signal_is_heard() {
    lab_or_skip!();
    for delay in (1..80).step_by(3).map(|milliseconds| f64::from(milliseconds) / 1000.0) {
        let directory = tempfile::tempdir().unwrap();
        let path = |file: &str| directory.path().join(file).display().to_string();
        let mut broker = Command::new("unshare")
            .args(["-n", env!("CARGO_BIN_EXE_uxfrm"), "run", "--stats", &path("s"), "--control", &path("c")])
            .args(["--vici", &path("v"), "--", "sleep", "30"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        run(&format!("sleep {delay}; kill -TERM {}", broker.id()));
        let start = Instant::now();
        while broker.try_wait().unwrap().is_none() {
            if start.elapsed() > PATIENCE {
                run(&format!("kill -9 {}", broker.id()));
                broker.wait().unwrap();
                panic!("the signal after {delay} s was lost");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The program's file is replaced: the next engine is of the new one, unless that does not understand the broker.
#[test]
fn an_engine_of_a_newer_file() {
    lab_or_skip!();
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let directory = tempfile::tempdir().unwrap();
    let (program, next) = (directory.path().join("uxfrm"), directory.path().join("next"));
    std::fs::copy(env!("CARGO_BIN_EXE_uxfrm"), &program).unwrap();
    let namespace = format!("uxb{}up", std::process::id());
    run(&format!("ip netns add {namespace}; ip -n {namespace} link set lo up"));
    let stand = Stand::start(program.to_str().unwrap(), namespace, "", "");
    stand.add_policies(3);
    let replace_engine = || {
        let engine = stand.child("uxfrm-engine").unwrap();
        run(&format!("kill -9 {engine}"));
        until("an answer", PATIENCE, || stand.policies() == Some(3));
        stand.child("uxfrm-engine").unwrap()
    };
    let file = |engine: u32| std::fs::metadata(format!("/proc/{engine}/exe")).unwrap().ino();
    let broker = file(stand.broker.id());
    assert_eq!(file(replace_engine()), broker);

    std::fs::copy(env!("CARGO_BIN_EXE_uxfrm"), &next).unwrap();
    std::fs::rename(&next, &program).unwrap();
    let newer = std::fs::metadata(&program).unwrap().ino();
    assert_eq!(file(replace_engine()), newer);
    assert_ne!(newer, broker);

    std::fs::write(&next, "#!/bin/sh\nexit 3\n").unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&next, &program).unwrap();
    for _ in 0..2 {
        assert_eq!(file(replace_engine()), broker, "the file that the broker knows");
    }
}
