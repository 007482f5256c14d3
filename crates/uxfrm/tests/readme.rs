//! The first tunnel of the README, word for word, on two machines that are namespaces. Needs root.

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::{run, try_run};

const README: &str = include_str!("../README.md");

/// The block of the README that follows a mark.
fn example(name: &str) -> &'static str {
    let after = README.split(&format!("<!-- example: {name} -->\n```text\n")).nth(1);
    after.and_then(|rest| rest.split("```").next()).unwrap_or_else(|| panic!("no example {name}"))
}

/// What is for the first gateway, for the second one.
fn exchanged(text: &str) -> String {
    let text = text.replace("198.51.100.1", "@A").replace("first.example", "@B").replace("10.1.0", "@C");
    let text = text.replace("198.51.100.2", "198.51.100.1").replace("second.example", "first.example");
    let text = text.replace("10.2.0", "10.1.0").replace("@A", "198.51.100.2");
    text.replace("@B", "second.example").replace("@C", "10.2.0")
}

/// One gateway: a network namespace, and a shell that has files of its own where the README says.
struct Gateway {
    namespace: String,
    shell: Child,
}

impl Gateway {
    fn new(namespace: &str, directory: &Path, swanctl: &str) -> Self {
        let path = |file: &str| directory.join(format!("{namespace}.{file}")).display().to_string();
        std::fs::write(path("strongswan"), example("strongswan.conf")).unwrap();
        std::fs::write(path("swanctl"), swanctl).unwrap();
        let uxfrm = Path::new(env!("CARGO_BIN_EXE_uxfrm")).parent().unwrap().display();
        let script = format!(
            "set -e
             mount -t tmpfs none /run
             mount --bind {} /etc/strongswan.conf
             mount --bind {} /etc/swanctl/swanctl.conf
             export PATH={uxfrm}:$PATH
             {}
             echo loaded
             wait",
            path("strongswan"),
            path("swanctl"),
            example("first")
        );
        let mut shell = Command::new("ip");
        shell.args(["netns", "exec", namespace, "unshare", "--mount", "--pid", "--fork", "--kill-child"]);
        shell.args(["--mount-proc", "sh", "-c", &script]);
        let log = std::fs::File::create(path("log")).unwrap();
        let shell = shell.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Self { namespace: namespace.into(), shell }
    }

    fn exec(&self, script: &str) -> String {
        let unshare = self.shell.id();
        let inside = run(&format!("ps -o pid= --ppid {unshare}"));
        let uxfrm = Path::new(env!("CARGO_BIN_EXE_uxfrm")).parent().unwrap().display();
        let script = format!("set -e; export PATH={uxfrm}:$PATH; {script}");
        let output = Command::new("nsenter")
            // With the gateway's own root as well: that of its mounts is another one where this test runs in a chroot.
            .args(["-t", inside.trim(), "-m", "-n", "-p", "-r", "timeout", "30", "sh", "-c", &script])
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{script}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // What it has started ends with it (--kill-child).
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        let _ = try_run(&format!("ip netns del {}", self.namespace));
    }
}

#[test]
fn the_first_tunnel_works() {
    lab_or_skip!();
    let directory = tempfile::tempdir().unwrap();
    let name = |side| format!("uxr{}{side}", std::process::id() % 10_000);
    let (a, b) = (name("a"), name("b"));
    run(&format!(
        "set -e
         for n in {a} {b}; do ip netns add $n; ip -n $n link set lo up; done
         ip link add wan netns {a} type veth peer name wan netns {b}"
    ));
    for (namespace, side) in [(&a, 1), (&b, 2)] {
        run(&format!(
            "set -e
             ip -n {namespace} link set wan up; ip -n {namespace} addr add 198.51.100.{side}/24 dev wan
             ip -n {namespace} link add lan type veth peer name plan; ip -n {namespace} link set lan up
             ip -n {namespace} link set plan up; ip -n {namespace} addr add 10.{side}.0.1/24 dev lan"
        ));
    }
    let first = Gateway::new(&a, directory.path(), example("swanctl.conf"));
    let _second = Gateway::new(&b, directory.path(), &exchanged(example("swanctl.conf")));
    let log = || std::fs::read_to_string(directory.path().join(format!("{a}.log"))).unwrap();
    for side in [&a, &b] {
        support::until("swanctl --load-all", std::time::Duration::from_secs(20), || {
            let log = std::fs::read_to_string(directory.path().join(format!("{side}.log"))).unwrap();
            log.lines().any(|line| line == "loaded")
        });
    }
    assert!(log().contains("loaded connection 'office'"), "{}", log());
    let shown = first.exec(example("then"));
    let received = shown.lines().find(|line| line.contains("packets transmitted")).unwrap();
    assert!([" 4 received", " 5 received"].iter().any(|n| received.contains(n)), "{shown}");
    assert!(shown.contains("rfc4106(gcm(aes))") && shown.contains("integrity_failed"), "{shown}");
    assert!(!log().contains('\u{1b}'), "no colours in a file");
}
