//! What stands in the way of `uxfrm run`, or befalls it, from outside: sockets and names of others, pauses, a log that has ended.
//! Needs root.

mod support;

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use support::stand::Stand;
use support::{run, try_run, until};

const UXFRM: &str = env!("CARGO_BIN_EXE_uxfrm");
/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(20);
const TUNNEL: &str = "tmpl src 198.51.100.1 dst 198.51.100.2 proto esp reqid 1 mode tunnel";

/// Opens something in a namespace, on a thread that keeps it until the sender is dropped.
fn keep_in<T>(namespace: &str, open: impl FnOnce() -> T + Send + 'static) -> Sender<()> {
    let netns = std::fs::File::open(format!("/run/netns/{namespace}")).unwrap();
    let ((keep, kept), (ready, is_ready)) = (channel::<()>(), channel());
    std::thread::spawn(move || {
        // SAFETY: the thread's namespace is its own.
        assert_eq!(unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
        let _thing = open();
        ready.send(()).unwrap();
        let _ = kept.recv();
    });
    is_ready.recv().unwrap();
    keep
}

/// A UDP socket on the port of ESP that shares it, as a daemon's that outlived its broker.
fn sharing_socket() -> OwnedFd {
    // SAFETY: all-zero but for family and port is any address; an option of an int.
    unsafe {
        let socket =
            OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0));
        let (yes, mut address): (i32, libc::sockaddr_in) = (1, std::mem::zeroed());
        let pointer = (&raw const yes).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_REUSEPORT, pointer, 4);
        (address.sin_family, address.sin_port) = (libc::AF_INET as u16, 4500u16.to_be());
        assert_eq!(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), 16), 0);
        socket
    }
}

/// `uxfrm run` that is expected to end by itself.
fn run_once(namespace: &str, stats: &str, control: &str, arguments: &str) -> Output {
    try_run(&format!(
        "ip netns exec {namespace} {UXFRM} run --stats {stats} --control {control} --vici {stats}.vici {arguments}"
    ))
}

fn errors(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A socket that shares the port would have the first place in the group, and get all ESP: nobody shares it at the start. One of
/// a process that is about to end is waited for.
#[test]
fn the_port_is_shared_with_the_daemon_alone() {
    lab_or_skip!();
    let namespace = format!("uxb{}fp", std::process::id());
    run(&format!("ip netns add {namespace}; ip -n {namespace} link set lo up"));
    let directory = tempfile::tempdir().unwrap();
    let path = |file: &str| directory.path().join(file).display().to_string();
    let socket = keep_in(&namespace, sharing_socket);
    let refused = errors(&run_once(&namespace, &path("stats"), &path("control"), "-- true"));
    assert!(refused.contains("another process has it"), "{refused}");
    let ender = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(1000));
        drop(socket);
    });
    let stand = Stand::start(UXFRM, namespace, "", "");
    ender.join().unwrap();
    let sender = "import socket\nfor i in range(50):\n  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n  \
                  s.sendto(bytes([1, 2, 3, i]) * 20, ('127.0.0.1', 4500))\n";
    std::fs::write(stand.path("send.py"), sender).unwrap();
    run(&format!("nsenter --net=/run/netns/{} python3 {}", stand.namespace, stand.path("send.py").display()));
    let counted = || {
        let text = run(&format!("{UXFRM} stats --stats {}", stand.path("stats").display()));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["path"]["unknown_spi"].as_u64()
    };
    until("all of it at the workers", PATIENCE, || counted() == Some(50));
}

/// What a broker that was killed has left to protect what its policies did stays until another one serves.
#[test]
fn a_start_that_fails_opens_nothing() {
    lab_or_skip!();
    let mut stand = Stand::new("ff", "", "");
    let namespace = stand.namespace.clone();
    assert!(
        stand
            .ip(&format!("xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out {TUNNEL}"))
            .status
            .success()
    );
    run(&format!("kill -9 {}", stand.broker.id()));
    stand.broker.wait().unwrap();
    let way = || {
        let output = try_run(&format!("ip -n {namespace} route get 10.2.0.2 from 10.1.0.2 iif lo"));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let rules = || run(&format!("ip -n {namespace} rule"));
    let before = (way(), rules());
    assert!(before.1.contains("22100"), "{before:?}");
    let path = |file: &str| stand.path(file).display().to_string();
    let (stats, control) = (path("stats"), path("control"));
    until("the engine's end", PATIENCE, || {
        !run(&format!("ip -n {namespace} -o link")).contains("LOWER_UP> mtu 1400")
    });
    let socket = keep_in(&namespace, sharing_socket);
    assert!(errors(&run_once(&namespace, &stats, &control, "-- true")).contains("port 4500"));
    drop(socket);
    let no_daemon = errors(&run_once(&namespace, &stats, &control, "-- no-such-daemon"));
    assert!(no_daemon.contains("cannot start no-such-daemon: there is no such program"), "{no_daemon}");
    assert_eq!((way(), rules()), before);
    assert!(run_once(&namespace, &stats, &control, "-- true").status.success());
    assert!(!rules().contains("22100"), "{}", rules());
}

/// A broker that did not come to read for a while does not take that for a hanging engine.
#[test]
fn a_pause_of_the_broker_is_not_the_engines() {
    lab_or_skip!();
    let stand = Stand::new("fb", "", "");
    let broker = stand.broker.id();
    // SAFETY: no pointers; processes that this test has started.
    let signal = |signal, process: u32| assert_eq!(unsafe { libc::kill(process as i32, signal) }, 0);
    let mut pauses = 0;
    for _ in 0..10 {
        let engine = stand.child("uxfrm-engine").unwrap();
        // The engine owes an answer when the broker stops, and gives it.
        signal(libc::SIGSTOP, engine);
        assert!(!stand.ip("xfrm policy count").status.success());
        signal(libc::SIGSTOP, broker);
        // On a busy machine it may have been too late for that. One that was killed is listed until its end was seen.
        let log = std::fs::read_to_string(stand.path("log")).unwrap();
        let in_time = !log.contains(&format!("it is killed pid={engine}"));
        if in_time {
            signal(libc::SIGCONT, engine);
            std::thread::sleep(Duration::from_secs(2));
        }
        signal(libc::SIGCONT, broker);
        until("an answer", PATIENCE, || stand.policies().is_some());
        if in_time {
            assert_eq!(stand.child("uxfrm-engine"), Some(engine), "the engine was replaced");
            pauses += 1;
        }
        if pauses == 3 {
            return;
        }
    }
    panic!("the broker was stopped in time {pauses} times of ten");
}

/// Who reads the log has gone: broker, engine and daemon go on.
#[test]
fn the_log_may_end() {
    lab_or_skip!();
    let namespace = format!("uxb{}fl", std::process::id());
    run(&format!("ip netns add {namespace}; ip -n {namespace} link add ipsec5 type veth peer name other"));
    let directory = tempfile::tempdir().unwrap();
    let path = |file: &str| directory.path().join(file).display().to_string();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &namespace, UXFRM, "run", "--stats", &path("stats")]);
    command.args(["--control", &path("control"), "--vici", &path("vici"), "--", "sleep", "300"]);
    let mut broker = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(broker.stderr.take());
    let ip = |arguments: &str| {
        try_run(&format!("{UXFRM} join --control {} -- ip xfrm policy {arguments}", path("control")))
    };
    until("the broker", PATIENCE, || ip("count").status.success());
    let engines = || run(&format!("ps -o pid=,args= --ppid {}", broker.id()));
    let before = engines();
    // The engine says why there is no interface of that name, and the broker that there is no room for a request's rules.
    for _ in 0..2 {
        let refused = ip(&format!("add src 10.1.0.0/24 dst 10.2.0.0/24 dir out if_id 5 {TUNNEL}"));
        assert!(!refused.status.success());
    }
    let after = (ip("count").status.success(), engines());
    let engine: u32 = before.split_whitespace().next().unwrap().parse().unwrap();
    run(&format!("kill -9 {engine}"));
    // The broker tells of that.
    until("the next engine", PATIENCE, || ip("count").status.success());
    run(&format!("kill {}", broker.id()));
    assert_eq!(broker.wait().unwrap().code(), Some(128 + libc::SIGTERM), "as the daemon ended");
    run(&format!("ip netns del {namespace}"));
    assert_eq!(after, (true, before));
}

/// Two `uxfrm run` of different namespaces need different sockets; a file that is no socket is left alone.
#[test]
fn paths_of_others_are_left_alone() {
    lab_or_skip!();
    let stand = Stand::new("fs", "", "");
    let path = |file: &str| stand.path(file).display().to_string();
    let other = format!("uxb{}fo", std::process::id());
    run(&format!("ip netns add {other}; echo precious > {}", path("file")));
    for (stats, control, named, why) in [
        ("stats", "other", "stats", "another program listens there"),
        ("other", "control", "control", "another program listens there"),
        ("file", "other", "file", "no socket"),
        ("other", "file", "file", "no socket"),
    ] {
        let refused = errors(&run_once(&other, &path(stats), &path(control), "-- true"));
        assert!(refused.contains(&format!("/{named}: ")) && refused.contains(why), "{refused}");
    }
    run(&format!("ip netns del {other}"));
    assert_eq!(std::fs::read_to_string(path("file")).unwrap(), "precious\n");
    assert_eq!(stand.policies(), Some(0), "the first one is served");
    run(&format!("{UXFRM} stats --stats {}", path("stats")));
}

/// Anybody may take the name by which brokers know of each other, and let nobody in.
#[test]
fn a_stranger_with_the_name_is_no_broker() {
    lab_or_skip!();
    let namespace = format!("uxb{}fn", std::process::id());
    run(&format!("ip netns add {namespace}"));
    let stranger = keep_in(&namespace, || {
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let name = b"\0uxfrm-broker";
        // SAFETY: so many bytes of the address are used; the system call changes the user of this thread alone.
        unsafe {
            assert_eq!(libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534), 0);
            let mut address: libc::sockaddr_un = std::mem::zeroed();
            address.sun_family = libc::AF_UNIX as u16;
            name.iter().zip(&mut address.sun_path).for_each(|(from, to)| *to = *from as libc::c_char);
            let (pointer, len) = ((&raw const address).cast(), 2 + name.len() as u32);
            let socket = || OwnedFd::from_raw_fd(libc::socket(libc::AF_UNIX, kind, 0));
            let mut sockets = vec![socket()];
            assert_eq!(libc::bind(sockets[0].as_raw_fd(), pointer, len), 0);
            assert_eq!(libc::listen(sockets[0].as_raw_fd(), 0), 0);
            loop {
                sockets.push(socket());
                if libc::connect(sockets[sockets.len() - 1].as_raw_fd(), pointer, len) != 0 {
                    return sockets;
                }
            }
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let path = |file: &str| directory.path().join(file).display().to_string();
    let output = run_once(&namespace, &path("stats"), &path("control"), "-- true");
    drop(stranger);
    run(&format!("ip netns del {namespace}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("a stranger has the name"), "{said}");
}

/// However many look, a second broker is refused.
#[test]
fn many_may_look_who_serves() {
    lab_or_skip!();
    let stand = Stand::new("fm", "", "");
    let script = "import socket\nfor i in range(5000):\n  s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n  \
                  s.connect('\\0uxfrm-broker')\n  s.close()\n";
    std::fs::write(stand.path("look.py"), script).unwrap();
    run(&format!("nsenter --net=/run/netns/{} python3 {}", stand.namespace, stand.path("look.py").display()));
    let path = |file: &str| stand.path(file).display().to_string();
    let refused = errors(&run_once(&stand.namespace, &path("other"), &path("another"), "-- true"));
    assert!(refused.contains("served already"), "{refused}");
}

/// An interface has the packets of one `if_id`.
#[test]
fn a_name_is_of_one_interface() {
    lab_or_skip!();
    let stand = Stand::new("fi", "", "--interface-name one --workers 2");
    let add = |if_id: u32| {
        stand.ip(&format!("xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out if_id {if_id} {TUNNEL}"))
    };
    assert!(add(1).status.success());
    let refused = errors(&add(2));
    assert!(refused.contains("File exists"), "{refused}");
    let log = std::fs::read_to_string(stand.path("log")).unwrap();
    assert!(log.contains("interface 2: one is the interface of 1"), "{log}");
    assert!(add(1).status.code() == Some(2) && stand.policies() == Some(1));
}

/// Some who start programs ignore the ends of their children, which is inherited.
#[test]
fn ignored_children_are_waited_for() {
    lab_or_skip!();
    let script = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])";
    let output = Command::new("python3").args(["-c", script, UXFRM, "probe"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Ticks of 10 ms that a process has used in the next second.
fn busy(process: u32) -> u64 {
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        stat.rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|n| n.parse::<u64>().unwrap())
            .sum()
    };
    let before = ticks();
    std::thread::sleep(Duration::from_secs(1));
    ticks() - before
}

/// Where the limit of descriptors is reached nobody spins, and the next engine starts.
#[test]
fn all_descriptors_are_in_use() {
    lab_or_skip!();
    let stand = Stand::new("fd", "ulimit -n 64;", "");
    let path = |file: &str| stand.path(file).display().to_string();
    // The broker's: by programs that want to join and say nothing, and by sockets of one that has joined.
    let holder = "import os, socket, sys, time\nheld = []\nfor i in range(64):\n  try:\n    \
                  s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.settimeout(1); s.connect(sys.argv[1])\n    \
                  held.append(s)\n  except OSError: break\nprint(flush=True)\nsys.stdin.read()\n";
    let opener = "import socket, sys\nheld = []\ntry:\n  while True: held.append(socket.socket(16, 3, 6))\n\
                  except OSError as e: print(len(held), e, flush=True)\nsys.stdin.read()\n";
    for (file, script, prefix) in [
        ("holder.py", holder, String::new()),
        ("opener.py", opener, format!("{UXFRM} join --control {} -- ", path("control"))),
    ] {
        std::fs::write(stand.path(file), script).unwrap();
        let line = format!("exec {prefix} python3 {} {}", path(file), path("control"));
        let mut shell = Command::new("sh");
        let mut process =
            shell.args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut stdout = std::io::BufReader::new(process.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut said).unwrap();
        let idle = busy(stand.broker.id());
        let engine = stand.child("uxfrm-engine").unwrap();
        run(&format!("kill -9 {engine}"));
        let next = || stand.child("uxfrm-engine").is_some_and(|next| next != engine);
        until("the next engine", PATIENCE, next);
        drop(process.stdin.take());
        process.wait().unwrap();
        assert!(idle < 50, "{file}: {idle} of 100 ticks, {said}");
        until("an answer", PATIENCE, || stand.policies().is_some());
    }
    // The engine's: by interfaces, and by who follows its events.
    let lines: String = (1..60)
        .map(|i| format!("xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out if_id {i} {TUNNEL}\n"))
        .collect();
    std::fs::write(stand.path("batch"), lines).unwrap();
    let refused = stand.ip(&format!("-force -batch {}", path("batch")));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Too many open files"), "{refused:?}");
    let connect = |file: &str| std::os::unix::net::UnixStream::connect(stand.path(file)).unwrap();
    let followers: Vec<_> = (0..8).map(|_| connect("stats.events")).collect();
    let reader = connect("stats");
    let idle = busy(stand.child("uxfrm-engine").unwrap());
    assert!(idle < 50, "{idle} of 100 ticks");
    reader.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(std::io::Read::read(&mut &reader, &mut [0]).unwrap(), 0, "turned away");
    drop(followers);
    until("counters", PATIENCE, || {
        try_run(&format!("{UXFRM} stats --stats {}", path("stats"))).stdout.starts_with(b"{")
    });
}
