//! `uxfrm run` where it stands alone: in a user namespace, beside another one, where something is in its way. Needs root.

mod support;

use std::process::Output;
use support::stand::Stand;
use support::{try_run, until};

const UXFRM: &str = env!("CARGO_BIN_EXE_uxfrm");

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// Paths of a run, in a directory of its own.
fn paths(directory: &tempfile::TempDir) -> String {
    let path = |file: &str| directory.path().join(file).display().to_string();
    format!("--stats {} --control {}", path("stats"), path("control"))
}

/// Root of a user namespace, as in a rootless container, has no right in the first one. What the probe promises is kept.
#[test]
fn a_user_namespace_is_enough() {
    lab_or_skip!();
    let directory = tempfile::tempdir().unwrap();
    let rootless = "exec unshare --user --net --mount --map-root-user";
    if !try_run(&format!("{rootless} true")).status.success() {
        support::skipped("user namespaces are not permitted");
        return;
    }
    let probe = try_run(&format!("{rootless} {UXFRM} probe"));
    assert!(said(&probe).contains("uxfrm works here"), "{}", said(&probe));
    let policy = "ip xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out action block";
    let run = try_run(&format!(
        "{rootless} {UXFRM} run --interface 3 {} -- sh -c '{policy} && ip xfrm policy count && ip link show ipsec3 && ip rule'",
        paths(&directory)
    ));
    let said = said(&run);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("OUT 1") && said.contains("qlen 1000") && said.contains("lookup 22100"), "{said}");
}

/// A second one in the same network namespace is refused, whatever its paths and port, and leaves the first one alone.
#[test]
fn a_second_one_is_refused() {
    lab_or_skip!();
    let stand = Stand::new("a2", "", "");
    let directory = tempfile::tempdir().unwrap();
    for more in ["", "--port 4501"] {
        let second =
            format!("ip netns exec {} {UXFRM} run {more} {} -- true", stand.namespace, paths(&directory));
        let output = try_run(&second);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains("served already"), "{}", said(&output));
    }
    let control = stand.path("control").display().to_string();
    let output =
        try_run(&format!("ip netns exec {} {UXFRM} run --control {control} -- true", stand.namespace));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(stand.policies(), Some(0), "the first one's control socket is still its own");
    // After it has been killed there is room.
    let namespace = stand.namespace.clone();
    // SAFETY: a process that this test has started and not yet waited for.
    unsafe { libc::kill(stand.broker.id() as i32, libc::SIGKILL) };
    until("another one", std::time::Duration::from_secs(30), || {
        try_run(&format!("ip netns exec {namespace} {UXFRM} run {} -- true", paths(&directory)))
            .status
            .success()
    });
}

/// Why the engine does not start is said.
#[test]
fn a_taken_port_is_named() {
    lab_or_skip!();
    let directory = tempfile::tempdir().unwrap();
    let holder = "import socket, subprocess, sys\n\
                  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((\"\", 4500))\n\
                  sys.exit(subprocess.call(sys.argv[1:]))\n";
    let file = directory.path().join("holder.py");
    std::fs::write(&file, holder).unwrap();
    for _ in 0..5 {
        let output = try_run(&format!(
            "exec unshare -n python3 {} {UXFRM} run {} -- true",
            file.display(),
            paths(&directory)
        ));
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let said = said(&output);
        assert!(said.contains("the engine did not start: UDP port 4500: Address already in use"), "{said}");
    }
}

/// What is not possible is refused at the start, with what is in the way.
#[test]
fn what_is_in_the_way_is_named() {
    lab_or_skip!();
    let directory = tempfile::tempdir().unwrap();
    let (paths, nowhere) = (paths(&directory), directory.path().join("none/socket").display().to_string());
    let own = |option: &str| format!("{option} {}", directory.path().join(option).display());
    let missing = format!("{nowhere}: No such file or directory");
    let refused = [
        (format!("run {} --control {nowhere} -- true", own("--stats")), &*missing),
        (format!("run {} --stats {nowhere} -- true", own("--control")), &*missing),
        (format!("stats --stats {nowhere}"), "is it running"),
        (format!("events --stats {nowhere}"), "is it running"),
        (format!("join --control {nowhere} -- true"), "is it running"),
        (format!("run {paths} -- no-such-daemon"), "there is no such program"),
        (format!("run {paths} --mtu 67 -- true"), "invalid value"),
        (format!("run {paths} --port 0 -- true"), "invalid value"),
        (format!("run {paths} --workers 65 -- true"), "invalid value"),
    ];
    for (arguments, why) in refused {
        let output = try_run(&format!("exec unshare -n {UXFRM} {arguments}"));
        assert!(!output.status.success(), "{arguments}: {}", said(&output));
        assert!(said(&output).contains(why), "{arguments}: {}", said(&output));
    }
}
