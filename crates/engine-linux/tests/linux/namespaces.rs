//! Names of network namespaces on a machine that has had none.

use std::process::Command;

use causeway_engine_linux::netns::Namespace;

const INNER: &str = "namespaces::the_first_name_of_a_machine";

/// Runs this program's test [`INNER`] where nobody has named a namespace since the start.
#[test]
fn a_namespace_that_was_named_first_can_be_removed_after_iproute2_named_another() {
    if !crate::common::is_root() {
        return;
    }
    let script = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && exec \"$0\" --exact \"$1\" --ignored --nocapture";
    let program = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(program)
        .arg(INNER)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "the inner part of the test above"]
async fn the_first_name_of_a_machine() {
    let ours = Namespace::named("first");
    ours.ensure(&[]).await.unwrap();
    for change in ["add", "del"] {
        assert!(Command::new("ip").args(["netns", change, "second"]).status().unwrap().success());
    }
    ours.remove().await.unwrap();
    assert!(!ours.exists());
    let left = std::fs::read_dir("/run/netns").unwrap().count();
    assert_eq!(left, 0);
}
