//! Where something is not permitted, `uxfrm probe` and `uxfrm run` say what, and what helps. Needs root.

mod support;

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use support::try_run;

const UXFRM: &str = env!("CARGO_BIN_EXE_uxfrm");
const SECCOMP: &str = "seccomp user notification";
const CHILD: &str = "access to a child's sockets";
const NAMESPACE: &str = "network namespace of its own";
const TUN: &str = "TUN";

/// What the kernel is to answer to a system call, where the arguments say so.
#[derive(Clone, Copy)]
struct Refusal {
    call: libc::c_long,
    /// One bit at least of these must be set in the second argument; 0 for any call.
    flags: u32,
    errno: i32,
}

impl Refusal {
    fn listener(errno: i32) -> Self {
        Self { call: libc::SYS_seccomp, flags: libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32, errno }
    }

    fn of(call: libc::c_long) -> Self {
        Self { call, flags: 0, errno: libc::EPERM }
    }

    /// A filter as a container's profile is one.
    fn program(self) -> Vec<libc::sock_filter> {
        let statement = |code: u16, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let (load, equal, any_set, give) = (0x20, 0x15, 0x45, 0x06);
        let number = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
        let second = std::mem::offset_of!(libc::seccomp_data, args) as u32 + 8;
        let refuse = libc::SECCOMP_RET_ERRNO | self.errno as u32;
        let bits = if self.flags == 0 {
            vec![]
        } else {
            vec![statement(load, 0, 0, second), statement(any_set, 0, 1, self.flags)]
        };
        let mut program =
            vec![statement(load, 0, 0, number), statement(equal, 0, bits.len() as u8 + 1, self.call as u32)];
        program.extend(bits);
        program.extend([statement(give, 0, 0, refuse), statement(give, 0, 0, libc::SECCOMP_RET_ALLOW)]);
        program
    }
}

/// Runs a command line under refusals.
fn under(refusals: &[Refusal], line: &str) -> Output {
    let programs: Vec<_> = refusals.iter().map(|refusal| refusal.program()).collect();
    let mut command = Command::new("timeout");
    command.args(["20", "sh", "-c", line]).stdin(Stdio::null());
    let prepare = move || {
        for program in &programs {
            let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
            // SAFETY: a program of that length, which the kernel copies. Root needs no no_new_privs for it.
            if unsafe { libc::syscall(libc::SYS_seccomp, 1, 0, &program) } != 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: `prepare` makes system calls only.
    unsafe { command.pre_exec(prepare) };
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `probe` and `run`, each behind `prefix`, say that `what` is missing and why; nothing else that is needed is; and the
/// daemon is not started.
fn is_told(refusals: &[Refusal], prefix: &str, missing: &[(&str, &str)]) {
    let probe = under(refusals, &format!("{prefix} {UXFRM} probe"));
    let shown = text(&probe.stdout);
    assert_eq!(probe.status.code(), Some(1), "{shown}{}", text(&probe.stderr));
    assert!(shown.contains("uxfrm does not work here"), "{shown}");
    for need in [SECCOMP, CHILD, NAMESPACE, TUN, "port-sharing UDP with GRO"] {
        let line =
            shown.lines().find(|line| line.starts_with(need)).unwrap_or_else(|| panic!("{need}: {shown}"));
        match missing.iter().find(|(what, _)| *what == need) {
            Some((_, why)) => assert!(line.contains(" no: ") && line.contains(why), "{line}"),
            None => assert!(line.ends_with(" yes"), "{line}"),
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = |file: &str| directory.path().join(file).display().to_string();
    let (stats, control, daemon) = (path("stats"), path("control"), path("daemon"));
    // In a namespace of its own, should it start.
    let line =
        format!("unshare -n {prefix} {UXFRM} run --stats {stats} --control {control} -- touch {daemon}");
    let run = under(refusals, &line);
    let said = text(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{said}");
    for (what, why) in missing {
        assert!(said.contains(what) && said.contains(why), "{what}, {why}: {said}");
    }
    assert!(!std::path::Path::new(&daemon).exists(), "the daemon was started: {said}");
}

#[test]
fn a_profile_forbids_listeners() {
    lab_or_skip!();
    for (errno, why) in [
        (libc::EPERM, "a seccomp profile"),
        (libc::EACCES, "CAP_SYS_ADMIN, or no_new_privs"),
        (libc::ENOSYS, "the kernel has none"),
        (libc::EINVAL, "the kernel has none"),
    ] {
        is_told(&[Refusal::listener(errno)], "", &[(SECCOMP, why)]);
    }
}

#[test]
fn a_profile_forbids_to_look_at_a_child() {
    lab_or_skip!();
    for call in [libc::SYS_pidfd_getfd, libc::SYS_process_vm_readv] {
        is_told(&[Refusal::of(call)], "", &[(CHILD, "a seccomp profile forbids pidfd_getfd")]);
    }
}

#[test]
fn there_is_another_listener_already() {
    lab_or_skip!();
    let directory = tempfile::tempdir().unwrap();
    let path = |file: &str| directory.path().join(file).display().to_string();
    let outer = format!("unshare -n {UXFRM} run --stats {} --control {} --", path("stats"), path("control"));
    is_told(&[], &outer, &[(SECCOMP, "under another listener already")]);
}

#[test]
fn there_is_no_tun_device() {
    lab_or_skip!();
    let hidden = "unshare -m sh -c 'mount -t tmpfs none /dev/net && exec \"$@\"' sh";
    is_told(&[], hidden, &[(TUN, "there is no /dev/net/tun")]);
}

#[test]
fn there_is_no_right_to_networks() {
    lab_or_skip!();
    is_told(&[], "setpriv --bounding-set=-net_admin", &[(TUN, "CAP_NET_ADMIN")]);
}

/// What a container has by default: few capabilities, no TUN, a profile without `pidfd_getfd` and `unshare`.
#[test]
fn a_container_permits_little() {
    lab_or_skip!();
    let profile = [Refusal::of(libc::SYS_pidfd_getfd), Refusal::of(libc::SYS_unshare)];
    let kept = ["chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"];
    let kept = kept.into_iter().chain([
        "net_bind_service",
        "net_raw",
        "sys_chroot",
        "mknod",
        "audit_write",
        "setfcap",
    ]);
    let set: String = kept.map(|name| format!(",+{name}")).collect();
    // What the profile forbids is done before it holds.
    let hidden = "mount -t tmpfs none /dev/net";
    let probe = format!("setpriv --bounding-set=-all{set} {UXFRM} probe");
    let output = under(&[], &format!("exec unshare -m sh -c '{hidden} && exec {probe}'"));
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}{}", text(&output.stderr));
    for (what, why) in [(SECCOMP, "CAP_SYS_ADMIN, or no_new_privs"), (TUN, "there is no /dev/net/tun")] {
        assert!(shown.lines().any(|line| line.starts_with(what) && line.contains(why)), "{what}: {shown}");
    }
    let output = under(&profile, &probe);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    for (what, why) in [
        (SECCOMP, "CAP_SYS_ADMIN, or no_new_privs"),
        (CHILD, "a seccomp profile"),
        (NAMESPACE, "it takes CAP_SYS_ADMIN"),
        (TUN, "it takes CAP_NET_ADMIN"),
    ] {
        assert!(shown.lines().any(|line| line.starts_with(what) && line.contains(why)), "{what}: {shown}");
    }
}

/// With no_new_privs seccomp needs no CAP_SYS_ADMIN, the namespace in which the daemon's sockets are made does.
#[test]
fn no_new_privs_is_not_enough() {
    lab_or_skip!();
    let few = "setpriv --no-new-privs --bounding-set=-sys_admin";
    is_told(&[], few, &[(NAMESPACE, "it takes CAP_SYS_ADMIN")]);
}

/// CAP_SYS_ADMIN and CAP_NET_ADMIN are enough; without CAP_NET_RAW for ESP in UDP only.
#[test]
fn few_rights_are_enough() {
    lab_or_skip!();
    for (rights, raw) in
        [("+sys_admin,+net_admin,+net_raw", "yes"), ("+sys_admin,+net_admin", "no: Operation not permitted")]
    {
        let few = format!("setpriv --bounding-set=-all,{rights}");
        let probe = under(&[], &format!("exec unshare -n {few} {UXFRM} probe"));
        let shown = text(&probe.stdout);
        assert_eq!(probe.status.code(), Some(0), "{shown}{}", text(&probe.stderr));
        let line = shown.lines().find(|line| line.starts_with("raw sockets")).unwrap();
        assert!(line.contains(raw), "{line}");
        let directory = tempfile::tempdir().unwrap();
        let path = |file: &str| directory.path().join(file).display().to_string();
        let policy = "ip xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out if_id 1 action block";
        let run = try_run(&format!(
            "exec unshare -n {few} {UXFRM} run --stats {} --control {} -- \
             sh -c '{policy} && ip xfrm policy count && ip -o link show ipsec1'",
            path("stats"),
            path("control")
        ));
        let (said, wrong) = (text(&run.stdout), text(&run.stderr));
        assert!(run.status.success() && said.contains("OUT 1") && said.contains("ipsec1"), "{said}{wrong}");
    }
}
