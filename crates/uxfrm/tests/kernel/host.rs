//! Our end: a namespace with uxfrm, a TAP to the guest, and a way to both ends' XFRM.

use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use uxfrm::xfrm::constants::*;
use uxfrm::xfrm::state::{SaId, SaInfo};
use uxfrm::xfrm::wire::{Reader, messages};

use super::agent::{CONTROL_PORT, INNER, OUTER, read_message, write_message};
use super::cases::{Case, End, IF_ID, request};
use super::guest::Guest;
use super::support::{run, try_run};

/// How long the guest may take to boot.
const BOOT: Duration = Duration::from_secs(300);
/// How long the ends' counters may lag behind each other.
const SETTLE: Duration = Duration::from_secs(10);

/// Both ends, set up but for the tunnel. The calling thread is in the namespace from then on.
pub struct Host {
    ours: Xfrm,
    control: TcpStream,
    guest: Guest,
    engine: Engine,
}

/// Our engine's processes and namespace; gone when dropped.
struct Engine {
    process: Option<Child>,
    namespace: String,
    directory: tempfile::TempDir,
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // SAFETY: the process's own group, which was made for it and is not yet waited for.
            unsafe { libc::kill(-(process.id() as i32), libc::SIGKILL) };
            let _ = process.wait();
        }
        let _ = try_run(&format!("ip netns del {}", self.namespace));
    }
}

impl Host {
    /// Builds all of it, or says why it cannot.
    pub fn start(test: &str) -> Option<Self> {
        let namespace = format!("uxk{}", std::process::id());
        let directory = tempfile::Builder::new().prefix("uxfrm-kernel-").tempdir().unwrap();
        let mut engine = Engine { process: None, namespace, directory };
        build_namespace(&engine.namespace);
        enter(&engine.namespace);
        let network = "tap,id=n,ifname=tap0,script=no,downscript=no";
        let guest = Guest::start(test, &["-netdev", network, "-device", "virtio-net-pci,netdev=n"])?;
        engine.process = Some(start_engine(&engine));
        for [ours, _] in INNER {
            let length = if ours.contains(':') { 64 } else { 24 };
            run(&format!("ip addr add {ours}/{length} dev ipsec{IF_ID} nodad"));
        }
        run(&format!("ip route add 10.2.0.0/24 dev ipsec{IF_ID} src {}", INNER[0][0]));
        run(&format!("ip route add fd02::/64 dev ipsec{IF_ID} src {}", INNER[1][0]));
        let control = connect(&guest);
        let ours = Xfrm::start(engine.directory.path().join("control"));
        Some(Self { ours, control, guest, engine })
    }

    /// Makes a case's tunnel at both ends.
    pub fn install(&mut self, case: &Case) -> Result<(), String> {
        for request in case.requests(End::Ours) {
            acknowledged(&self.ours.ask(request), 1).map_err(|fault| format!("ours: {fault}"))?;
        }
        let requests = case.requests(End::Kernels);
        let answers = self.ask_kernel(&requests.concat());
        acknowledged(&answers, requests.len()).map_err(|fault| format!("the kernel: {fault}"))
    }

    fn ask_kernel(&mut self, datagram: &[u8]) -> Vec<u8> {
        write_message(&mut self.control, datagram);
        let answer = read_message(&mut self.control);
        answer.unwrap_or_else(|| panic!("the guest has ended: {}", self.guest.console()))
    }

    /// Both ends have counted the same packets of an SA, and some: all were encrypted, and none was lost or refused.
    pub fn compare_counters(&mut self, case: &Case, sender: End) -> Result<(), String> {
        let query = get(case.sa_id(sender));
        let begun = Instant::now();
        loop {
            let ours = packets(&self.ours.ask(query.clone()))?;
            let kernels = packets(&self.ask_kernel(&query))?;
            if ours == kernels && ours > 20 {
                return Ok(());
            }
            if begun.elapsed() > SETTLE {
                let from = if sender == End::Ours { "from us" } else { "from the kernel" };
                return Err(format!("{from}: we have counted {ours} packets, the kernel {kernels}"));
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// What both ends have to say.
    pub fn logs(&self) -> String {
        let log = std::fs::read_to_string(self.engine.directory.path().join("log")).unwrap_or_default();
        let console = self.guest.console();
        let tail: String = console.lines().rev().take(20).collect::<Vec<_>>().join("\n");
        format!("--- engine\n{log}--- guest, last line first\n{tail}")
    }
}

fn build_namespace(namespace: &str) {
    let [[outer4, _], [outer6, _]] = OUTER;
    run(&format!(
        "set -e; n={namespace}
         ip netns add $n; ip -n $n link set lo up
         ip netns exec $n sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
         ip -n $n tuntap add dev tap0 mode tap; ip -n $n link set tap0 up
         ip -n $n addr add {outer4}/24 dev tap0; ip -n $n addr add {outer6}/64 dev tap0 nodad"
    ));
}

/// Moves this thread, and what it starts, into the namespace.
fn enter(namespace: &str) {
    let file = std::fs::File::open(format!("/run/netns/{namespace}")).unwrap();
    // SAFETY: an open descriptor of a network namespace; moves this thread only.
    assert_eq!(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
}

fn start_engine(engine: &Engine) -> Child {
    let path = |file: &str| engine.directory.path().join(file);
    let log = std::fs::File::create(path("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_uxfrm"));
    command.args(["run", "--interface", &IF_ID.to_string()]);
    for file in ["vici", "control", "stats"] {
        command.arg(format!("--{file}")).arg(path(file));
    }
    // In the IKE daemon's place: the keys come from this test.
    command.args(["--", "sleep", "600"]).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let child = command.process_group(0).spawn().unwrap();
    let exists = format!("ip link show ipsec{IF_ID}");
    super::support::until("uxfrm", Duration::from_secs(30), || {
        path("control").exists() && try_run(&exists).status.success()
    });
    child
}

fn connect(guest: &Guest) -> TcpStream {
    let begun = Instant::now();
    loop {
        let address = format!("{}:{CONTROL_PORT}", OUTER[0][1]).parse().unwrap();
        if let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
            stream.set_nodelay(true).unwrap();
            return stream;
        }
        assert!(begun.elapsed() < BOOT, "the guest does not answer: {}", guest.console());
        sleep(Duration::from_millis(100));
    }
}

type Question = (Vec<u8>, mpsc::Sender<Vec<u8>>);

/// Our XFRM: a socket that uxfrm serves, opened by a thread that has joined it.
struct Xfrm(mpsc::Sender<Question>);

impl Xfrm {
    fn start(control: std::path::PathBuf) -> Self {
        let (sender, receiver) = mpsc::channel::<Question>();
        // Joining is for good, and for the thread that does it alone.
        std::thread::spawn(move || {
            uxfrm::broker::join(&control).unwrap();
            // SAFETY: no pointers; a new descriptor.
            let socket = unsafe {
                let fd = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, NETLINK_XFRM);
                assert!(fd >= 0, "{}", std::io::Error::last_os_error());
                OwnedFd::from_raw_fd(fd)
            };
            for (request, answer) in receiver {
                let _ = answer.send(exchange(&socket, &request));
            }
        });
        Self(sender)
    }

    fn ask(&self, request: Vec<u8>) -> Vec<u8> {
        let (sender, receiver) = mpsc::channel();
        self.0.send((request, sender)).unwrap();
        receiver.recv().unwrap()
    }
}

/// One request, and the answers up to its acknowledgement.
fn exchange(socket: &OwnedFd, request: &[u8]) -> Vec<u8> {
    let fd = socket.as_raw_fd();
    // SAFETY: a readable buffer.
    let sent = unsafe { libc::send(fd, request.as_ptr().cast(), request.len(), 0) };
    assert_eq!(sent, request.len() as isize, "{}", std::io::Error::last_os_error());
    let mut answers = Vec::new();
    loop {
        let mut buffer = vec![0u8; 8192];
        // SAFETY: a writable buffer.
        let len = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let len = usize::try_from(len).unwrap_or_else(|_| panic!("{}", std::io::Error::last_os_error()));
        answers.extend_from_slice(&buffer[..len]);
        if len == 0 || messages(&buffer[..len]).any(|message| message.header.kind == NLMSG_ERROR) {
            return answers;
        }
    }
}

/// So many acknowledgements, and all good.
fn acknowledged(answers: &[u8], count: usize) -> Result<(), String> {
    let mut good = 0;
    for message in messages(answers).filter(|message| message.header.kind == NLMSG_ERROR) {
        match Reader::new(message.payload).u32() {
            Ok(0) => good += 1,
            Ok(code) => {
                let error = std::io::Error::from_raw_os_error(-(code.cast_signed()));
                return Err(format!("request {} of {count}: {error}", good + 1));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    if good == count { Ok(()) } else { Err(format!("{good} of {count} requests were acknowledged")) }
}

fn get(id: SaId) -> Vec<u8> {
    request(GETSA, |w| id.write(w))
}

/// The packets that an SA has counted, from the answer to GETSA.
fn packets(answers: &[u8]) -> Result<u64, String> {
    let message =
        messages(answers).find(|message| message.header.kind == NEWSA).ok_or("GETSA finds no SA")?;
    let info = SaInfo::read(&mut Reader::new(message.payload)).map_err(|error| error.to_string())?;
    Ok(info.usage.packets)
}
