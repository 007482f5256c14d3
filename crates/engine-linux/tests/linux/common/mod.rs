//! A node for a test: an engine with a tag and a run directory of its own, taken away at the end, also
//! after a failure.

pub mod gateway;
pub mod pair;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use causeway_engine::Engine;
use causeway_engine_linux::{LinuxConfig, LinuxEngine, LinuxError, ShimCommand};

pub struct Node {
    engine: Option<Arc<LinuxEngine>>,
    pub config: LinuxConfig,
    _run_dir: tempfile::TempDir,
    /// The last to be dropped: the next test may start.
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

impl Node {
    /// Starts an engine under a tag that starts with `name`. `None`, with the reason printed, without root.
    pub async fn start(name: &str) -> Option<Self> {
        if !is_root() {
            eprintln!("SKIPPED: network namespaces need root");
            return None;
        }
        let turn = TURN.lock().await;
        let run_dir = tempfile::Builder::new().prefix("cw").tempdir().expect("a temporary directory");
        let tag = format!("{name}{}", std::process::id() % 100_000);
        let mut config = LinuxConfig::new(tag, shim());
        config.run_dir = run_dir.path().join("run");
        let engine = LinuxEngine::start(config.clone()).await.expect("the engine starts");
        eprintln!("data plane: {}", Engine::info(&engine).data_plane);
        Some(Self { engine: Some(Arc::new(engine)), config, _run_dir: run_dir, _turn: turn })
    }

    /// Drops the engine and starts another one on what is there, as a restart of the control plane does.
    pub async fn restart(&mut self) {
        let (engine, config) = (self.engine.take(), self.config.clone());
        assert_eq!(engine.as_ref().map(Arc::strong_count), Some(1), "somebody else holds the engine");
        drop(engine);
        // A task of the old one may be at its last look still.
        let starting = async {
            loop {
                match LinuxEngine::start(config.clone()).await {
                    Err(LinuxError::InUse(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                    other => return other.expect("the engine starts again"),
                }
            }
        };
        let started = tokio::time::timeout(gateway::PATIENCE, starting).await;
        self.engine = Some(Arc::new(started.expect("the old engine lets its directory go")));
    }

    pub fn engine(&self) -> &Arc<LinuxEngine> {
        self.engine.as_ref().expect("only `restart` takes the engine, and puts one back")
    }

    /// Removes everything and asserts that nothing is left.
    pub async fn end(self) {
        self.engine().cleanup_all().await.expect("cleanup");
        let left = namespaces(&self.config.node_tag);
        assert_eq!(left, Vec::<String>::new(), "namespaces are left");
        assert!(!self.config.run_dir.exists(), "the run directory is left");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // After a failure the runtime may be gone, so this goes the plain way.
        let run = |argv: &[&str]| {
            let output = std::process::Command::new(argv[0]).args(&argv[1..]).output();
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
        };
        for name in namespaces(&self.config.node_tag) {
            for pid in run(&["ip", "netns", "pids", &name]).lines() {
                run(&["kill", "-9", pid]);
            }
            run(&["ip", "netns", "del", &name]);
        }
        run(&["umount", "-l", &self.config.run_dir.display().to_string()]);
    }
}

pub trait Answered {
    /// Waits until a ping from here to there is answered.
    async fn until_answered(&self, to: std::net::IpAddr);
}

impl Answered for causeway_lab::Machine {
    async fn until_answered(&self, to: std::net::IpAddr) {
        let answered =
            async { while self.ping(to, 1, Duration::from_millis(20)).await.expect("ping").received == 0 {} };
        tokio::time::timeout(gateway::PATIENCE, answered).await.expect("an answer to a ping");
    }
}

pub fn namespaces(tag: &str) -> Vec<String> {
    let prefix = format!("cw{tag}-");
    let entries = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(&prefix)).collect()
}

pub fn shim() -> ShimCommand {
    ShimCommand { exe: PathBuf::from(env!("CARGO_BIN_EXE_causeway-shim")), args: Vec::new() }
}

pub fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// The process that started a process.
pub fn parent(pid: u32) -> u32 {
    stat_field(pid, 1)
}

/// Ticks of a hundredth of a second that a process has used.
pub fn cpu_ticks(pid: u32) -> u32 {
    stat_field(pid, 11) + stat_field(pid, 12)
}

/// A number of `/proc/PID/stat`, counted from the one behind the name.
fn stat_field(pid: u32, index: usize) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(index).unwrap().parse().unwrap()
}
