//! Daemons that die are started again, a restarted control plane finds what is there, and deletion leaves
//! nothing.

use std::time::Duration;

use crate::common::gateway::{Place, until};
use crate::common::{cpu_ticks, parent};
use causeway_engine::Engine;
use causeway_plan::*;

fn kill(pid: u32) {
    // SAFETY: kill takes two integers; the process is one that this test's engine started.
    let done = unsafe { libc::kill(libc::pid_t::try_from(pid).unwrap(), libc::SIGKILL) };
    assert_eq!(done, 0, "process {pid} is not there");
}

/// Whether a process is there and not just waiting for somebody to take its exit status.
fn exists(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_charon_and_a_killed_keeper_come_back() {
    let Some(node) = crate::common::Node::start("sk").await else { return };
    let place = Place(1);
    place.make(node.engine(), Some(100)).await;
    let engine = node.engine();
    let first = engine.charon_pid(&place.instance()).await.unwrap().expect("a charon");
    kill(first);
    let active = |seen: &Observed| seen.instances.get(&place.instance()) == Some(&InstanceHealth::Active);
    let second = loop {
        until(engine, &place.scope(), "active again", active).await;
        match engine.charon_pid(&place.instance()).await.unwrap() {
            Some(pid) if pid != first => break pid,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };

    // The keeper is charon's parent.
    kill(parent(second));
    loop {
        until(engine, &place.scope(), "active with a new keeper", active).await;
        match engine.charon_pid(&place.instance()).await {
            Ok(Some(pid)) if pid != second => break,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    assert!(!exists(second), "the killed keeper's charon is left");
    node.end().await;
}

/// The file system of its log is full, say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_that_cannot_write_its_log_goes_on() {
    let Some(node) = crate::common::Node::start("sl").await else { return };
    let place = Place(1);
    place.make(node.engine(), None).await;
    let log = node.config.run_dir.join("gateways").join("g1").join("0").join("keeper.log");
    std::fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("/dev/full", &log).unwrap();
    let charon = async |not: u32| loop {
        match node.engine().charon_pid(&place.instance()).await {
            Ok(Some(pid)) if pid != not => break pid,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let first = charon(0).await;
    kill(parent(first));
    let second = charon(first).await;
    let keeper = parent(second);
    // Of this the keeper would write a line.
    kill(second);
    assert_eq!(parent(charon(second).await), keeper, "another keeper");
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_engine_finds_what_is_there() {
    let Some(mut node) = crate::common::Node::start("sr").await else { return };
    let place = Place(1);
    place.make(node.engine(), Some(100)).await;
    let before = node.engine().observe(&place.scope()).await.unwrap();
    let pid = node.engine().charon_pid(&place.instance()).await.unwrap();
    assert!(pid.is_some());
    node.restart().await;
    let after = node.engine().observe(&place.scope()).await.unwrap();
    assert_eq!(before.objects, after.objects);
    assert_eq!(before.instances, after.instances);
    assert_eq!(node.engine().charon_pid(&place.instance()).await.unwrap(), pid, "charon was restarted");
    node.end().await;
}

/// A process that died between two steps leaves parts; the next plan removes or completes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broken_off_step_left_is_repaired_or_removed() {
    let Some(mut node) = crate::common::Node::start("sb").await else { return };
    let place = Place(1);
    place.make(node.engine(), Some(100)).await;
    let namespace = |name: &str| format!("cw{}-{name}", node.config.node_tag);
    let ip = |args: &[&str]| {
        let done = std::process::Command::new("ip").args(args).status().unwrap();
        assert!(done.success(), "ip {args:?}");
    };
    // Half made: a namespace and nothing else. Half removed: an instance without a leg.
    ip(&["netns", "add", &namespace("gw-half-0")]);
    ip(&["netns", "add", &namespace("net-half")]);
    ip(&["-n", &namespace("gw-g1-0"), "link", "del", "private"]);
    node.restart().await;

    let engine = node.engine();
    let half =
        [Scope::Gateway(GatewayKey::new("half").unwrap()), Scope::Network(NetworkKey::new("half").unwrap())];
    for scope in half {
        let desired = Desired { scope: scope.clone(), objects: vec![] };
        let steps = plan(&desired, &engine.observe(&scope).await.unwrap()).steps;
        assert!(matches!(steps[..], [Step::Delete(_)]), "{steps:?}");
        engine.apply(&steps[0]).await.unwrap();
        assert!(engine.observe(&scope).await.unwrap().objects.is_empty());
    }
    let objects = vec![Object::Instance(place.object(Some(100)))];
    let desired = Desired { scope: place.scope(), objects };
    let steps = plan(&desired, &engine.observe(&place.scope()).await.unwrap()).steps;
    assert!(matches!(steps[..], [Step::Update(_)]), "{steps:?}");
    engine.apply(&steps[0]).await.unwrap();
    let seen = engine.observe(&place.scope()).await.unwrap();
    assert!(plan(&desired, &seen).is_empty());
    node.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_leaves_no_namespace_process_or_file() {
    let Some(node) = crate::common::Node::start("sd").await else { return };
    let place = Place(1);
    place.make(node.engine(), None).await;
    let pid = node.engine().charon_pid(&place.instance()).await.unwrap().expect("a charon");
    let keys = [
        ObjectKey::Instance(place.instance()),
        ObjectKey::Subnet(place.network(), place.subnet()),
        ObjectKey::Network(place.network()),
    ];
    for key in keys {
        node.engine().apply(&Step::Delete(key)).await.expect("delete");
    }
    assert!(!exists(pid), "charon is left");
    let names = crate::common::namespaces(&node.config.node_tag);
    assert_eq!(names, [node.engine().fabric().name()], "more than the fabric is left");
    let files = std::fs::read_dir(node.config.run_dir.join("gateways")).into_iter().flatten().count();
    assert_eq!(files, 0, "files of the gateway are left");
    assert_eq!(node.engine().list_scopes().await.unwrap(), []);
    node.end().await;
}

/// A keeper that is out of descriptors waits before it takes the next connection, and goes on when it has some again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keeper_without_descriptors_does_not_spin() {
    let Some(node) = crate::common::Node::start("sf").await else { return };
    let place = Place(1);
    place.make(node.engine(), None).await;
    let keeper = parent(node.engine().charon_pid(&place.instance()).await.unwrap().expect("a charon"));
    let open: Vec<u64> = std::fs::read_dir(format!("/proc/{keeper}/fd"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .collect();
    let first_free = (0..).find(|number| !open.contains(number)).unwrap();
    let before = limit_descriptors(keeper, first_free);
    let socket = node.config.run_dir.join("gateways").join("g1").join("0").join("keeper.sock");
    let waiting = std::os::unix::net::UnixStream::connect(socket).unwrap();
    let used = cpu_ticks(keeper);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = cpu_ticks(keeper) - used;
    limit_descriptors(keeper, before);
    assert!(used < 20, "{used} of 100 ticks");
    drop(waiting);
    assert!(node.engine().charon_pid(&place.instance()).await.unwrap().is_some());
    node.end().await;
}

/// Limits the descriptors of a process, and returns what the limit was.
fn limit_descriptors(pid: u32, soft: u64) -> u64 {
    let pid = libc::pid_t::try_from(pid).unwrap();
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: without a new limit prlimit only writes to `old`, which lives over the call.
    assert_eq!(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut old) }, 0);
    let new = libc::rlimit { rlim_cur: soft, rlim_max: old.rlim_max };
    // SAFETY: prlimit reads `new`, which lives over the call, and writes nothing. The process is this test's own.
    assert_eq!(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const new, std::ptr::null_mut()) }, 0);
    old.rlim_cur
}
