//! What must never be seen: a nonce twice on the wire, a key in memory when its SA is gone, a key in the log. Needs root.

mod support;

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use support::stand::Stand;
use support::{run, until};

/// How long anything may take to become so.
const PATIENCE: Duration = Duration::from_secs(30);

/// A key with its salt that is nobody's: found in memory, it is this one.
fn fresh_key() -> [u8; 20] {
    let mut key = [0; 20];
    std::io::Read::read_exact(&mut File::open("/dev/urandom").unwrap(), &mut key).unwrap();
    key
}

/// Installs an SA with that key from one address of the stand's to another, and a policy that leads into it.
fn install(stand: &Stand, key: &[u8]) {
    stand.batch(&format!(
        "xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 reqid 7 mode tunnel if_id 1 \
         aead 'rfc4106(gcm(aes))' 0x{} 128\n\
         xfrm policy update src 0.0.0.0/0 dst 10.9.0.0/16 dir out if_id 1 \
         tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 7 mode tunnel\n",
        hex::encode(key)
    ));
}

fn stand(name: &str, prelude: &str) -> Stand {
    let stand = Stand::new(name, prelude, "--interface 1");
    let n = &stand.namespace;
    run(&format!(
        "ip -n {n} addr add 192.0.2.1/32 dev lo; ip -n {n} addr add 192.0.2.2/32 dev lo
         ip -n {n} route add 10.9.0.0/16 dev ipsec1 src 192.0.2.1"
    ));
    stand
}

/// Sends packets into the tunnel and takes them off the wire: sequence number and IV of each.
fn through_the_tunnel(namespace: &str, count: usize) -> Vec<(u32, u64)> {
    let netns = File::open(format!("/run/netns/{namespace}")).unwrap();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: the thread's namespace is its own; a new descriptor.
            let raw = unsafe {
                assert_eq!(libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET), 0);
                let fd = libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_ESP);
                assert!(fd >= 0);
                File::from(OwnedFd::from_raw_fd(fd))
            };
            let socket = std::net::UdpSocket::bind("192.0.2.1:0").unwrap();
            let (mut seen, start) = (Vec::new(), Instant::now());
            while seen.len() < count {
                assert!(start.elapsed() < PATIENCE, "{} of {count} packets came", seen.len());
                socket.send_to(b"payload", "10.9.0.1:9").unwrap();
                let mut poll = libc::pollfd { fd: raw.as_raw_fd(), events: libc::POLLIN, revents: 0 };
                // SAFETY: one descriptor to be polled.
                while seen.len() < count && unsafe { libc::poll(&mut poll, 1, 200) } == 1 {
                    let mut packet = [0; 2048];
                    let len = std::io::Read::read(&mut &raw, &mut packet).unwrap();
                    // An IPv4 header without options; SPI, number, IV.
                    assert!(len > 40 && packet[20..24] == 0x1001u32.to_be_bytes());
                    let number = u32::from_be_bytes(packet[24..28].try_into().unwrap());
                    let iv = u64::from_be_bytes(packet[28..36].try_into().unwrap());
                    seen.push((number, iv));
                    socket.send_to(b"payload", "10.9.0.1:9").unwrap();
                }
            }
            seen
        });
        thread.join().unwrap()
    })
}

/// The same key, added anew: by the same engine, and by the next one. Numbers start again; nonces do not.
#[test]
fn nonces_never_come_twice() {
    lab_or_skip!();
    let (stand, key) = (stand("nn", ""), fresh_key());
    let mut all = Vec::new();
    for round in 0..4 {
        install(&stand, &key);
        let seen = through_the_tunnel(&stand.namespace, 5);
        assert_eq!(seen[0].0, 1, "the SA is a new one: {seen:?}");
        all.extend(seen.into_iter().map(|(_, iv)| iv));
        if round % 2 == 0 {
            stand.batch("xfrm state flush\n");
        } else {
            let engine = stand.child("uxfrm-engine").unwrap();
            run(&format!("kill -9 {engine}"));
            until("another engine", PATIENCE, || {
                stand.child("uxfrm-engine").is_some_and(|next| next != engine) && stand.policies() == Some(1)
            });
        }
    }
    // By a counter that only rises, round the end of its numbers perhaps.
    let rises = all.windows(2).all(|pair| matches!(pair[1].wrapping_sub(pair[0]), 1..=0xffff_ffff_ffff));
    assert!(rises, "{all:x?}");
}

/// How often a process has these bytes in memory that it can write to.
fn occurrences(pid: u32, needle: &[u8]) -> usize {
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut count = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let [start, end] = [start, end].map(|address| u64::from_str_radix(address, 16).unwrap());
        let mut bytes = vec![0; (end - start) as usize];
        if memory.read_exact_at(&mut bytes, start).is_err() {
            continue;
        }
        let mut rest = &bytes[..];
        while let Some(at) = rest.iter().position(|byte| *byte == needle[0]) {
            count += usize::from(rest[at..].starts_with(needle));
            rest = &rest[at + 1..];
        }
    }
    count
}

#[test]
fn keys_are_cleansed_and_not_logged() {
    lab_or_skip!();
    let (stand, key) = (stand("zz", "RUST_LOG=trace"), fresh_key());
    let (broker, engine) = (stand.broker.id(), stand.child("uxfrm-engine").unwrap());
    install(&stand, &key);
    through_the_tunnel(&stand.namespace, 3);
    // Shown, and refused: both carry it back.
    assert!(stand.ip("xfrm state").status.success());
    let again = format!(
        "xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1001 reqid 7 mode tunnel if_id 1 \
         aead 'rfc4106(gcm(aes))' 0x{} 128",
        hex::encode(key)
    );
    assert!(!stand.ip(&again).status.success(), "it is there already");
    // A listener is told the key, as by the kernel.
    stand.batch(&again.replace("state add", "state update"));
    assert!(occurrences(engine, &key[..16]) >= 1, "what is searched must be found while it is there");
    stand.batch("xfrm state flush\n");
    for (name, pid) in [("engine", engine), ("broker", broker)] {
        let start = Instant::now();
        loop {
            let found = occurrences(pid, &key[..16]);
            if found == 0 {
                break;
            }
            assert!(start.elapsed() < PATIENCE, "the {name} has the key {found} times");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    // An engine that is killed leaves it nowhere either.
    install(&stand, &key);
    run(&format!("kill -9 {engine}"));
    until("another engine", PATIENCE, || {
        stand.child("uxfrm-engine").is_some_and(|next| next != engine) && stand.policies() == Some(1)
    });
    assert_eq!(occurrences(stand.child("uxfrm-engine").unwrap(), &key[..16]), 0);
    assert_eq!(occurrences(broker, &key[..16]), 0);
    let log = std::fs::read_to_string(stand.path("log")).unwrap();
    assert!(!log.is_empty(), "the end of the engine is told");
    let listed = format!("{:?}", &key[..8]);
    let words =
        [hex::encode(&key[..8]), hex::encode_upper(&key[..8]), listed.trim_matches(['[', ']']).to_owned()];
    assert!(words.iter().all(|word| !log.contains(word)), "{log}");
}
