//! Traffic between the hosts of a lab of which every byte and packet is accounted for: streams of TCP whose content is
//! compared, and numbered datagrams.

use super::{Lab, until};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// Stands in every datagram and in every 512 bytes of a stream: nobody may see it on the way.
pub const MARK: [u8; 16] = *b"readable content";
/// Where the content of a stream begins again, in bytes; no multiple of any segment's length.
const PERIOD: usize = 65_521;
const DATAGRAM_LEN: usize = 200;
const DATAGRAM_INTERVAL: Duration = Duration::from_millis(2);
/// How long a thread waits before it looks whether it is to end.
pub const LOOK: Duration = Duration::from_millis(100);
const PORT: u16 = 7000;
/// What each stream carries before it is said to go on, in bytes, and the datagrams that arrive meanwhile.
const PROGRESS_BYTES: u64 = 1_000_000;
const PROGRESS_DATAGRAMS: u64 = 50;

/// Runs `work` on a thread in a namespace.
pub fn inside<T: Send + 'static>(
    namespace: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let file = std::fs::File::open(format!("/run/netns/{namespace}")).unwrap();
    std::thread::spawn(move || {
        // SAFETY: an open descriptor of a network namespace; moves this thread only.
        assert_eq!(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }, 0);
        work()
    })
}

/// Datagrams as they arrived.
#[derive(Default)]
struct Arrivals {
    /// By number.
    seen: Vec<bool>,
    received: u64,
    twice: u64,
    last: Option<Instant>,
    longest_gap: Duration,
}

impl Arrivals {
    fn note(&mut self, number: u64) {
        let (now, number) = (Instant::now(), number as usize);
        if self.seen.len() <= number {
            self.seen.resize(number + 1, false);
        }
        self.received += 1;
        self.twice += u64::from(std::mem::replace(&mut self.seen[number], true));
        let gap = self.last.map_or(Duration::ZERO, |last| now - last);
        self.longest_gap = self.longest_gap.max(gap);
        self.last = Some(now);
    }
}

/// Traffic from host `ha` to host `hb` that goes on until this is dropped.
pub struct Load {
    end: Arc<AtomicBool>,
    /// Bytes that arrived and were what was sent, of each stream.
    streams: Vec<Arc<AtomicU64>>,
    arrivals: Arc<Mutex<Arrivals>>,
    threads: Vec<JoinHandle<()>>,
}

/// What became of the datagrams.
#[derive(Debug)]
pub struct Totals {
    pub bytes: u64,
    pub datagrams: u64,
    pub lost: u64,
    pub twice: u64,
}

impl Load {
    pub fn start(lab: &Lab, streams: u16) -> Self {
        let mut this = Self {
            end: Arc::default(),
            streams: (0..streams).map(|_| Arc::default()).collect(),
            arrivals: Arc::default(),
            threads: Vec::new(),
        };
        let [near, far] = ["ha", "hb"].map(|node| format!("{}{node}", lab.name));
        let content = Arc::new(content());
        for (counter, port) in this.streams.iter().zip(PORT + 1..) {
            let address = SocketAddr::from(([10, 2, 0, 2], port));
            let listener = inside(&far, move || TcpListener::bind(address).unwrap()).join().unwrap();
            let (end, counter, expected) = (this.end.clone(), counter.clone(), content.clone());
            this.threads.push(inside(&far, move || compare(&listener, &end, &counter, &expected)));
            let (end, content) = (this.end.clone(), content.clone());
            this.threads.push(inside(&near, move || fill(address, &end, &content)));
        }
        let address = SocketAddr::from(([10, 2, 0, 2], PORT));
        let socket = inside(&far, move || receiver(address)).join().unwrap();
        let (end, arrivals) = (this.end.clone(), this.arrivals.clone());
        this.threads.push(inside(&far, move || count(&socket, &end, &arrivals)));
        let end = this.end.clone();
        this.threads.push(inside(&near, move || number(address, &end)));
        this
    }

    /// Waits until every stream and the datagrams have gone on from where they are now.
    pub fn until_it_goes_on(&self, limit: Duration) {
        let received = || self.arrivals.lock().unwrap().received;
        let bytes: Vec<u64> = self.streams.iter().map(|stream| stream.load(Ordering::Relaxed)).collect();
        let datagrams = received();
        until("the load goes on", limit, || {
            let mut streams = self.streams.iter().zip(&bytes);
            streams.all(|(stream, before)| stream.load(Ordering::Relaxed) > before + PROGRESS_BYTES)
                && received() > datagrams + PROGRESS_DATAGRAMS
        });
    }

    /// The longest time without a datagram since this was asked last.
    pub fn longest_gap(&self) -> Duration {
        std::mem::take(&mut self.arrivals.lock().unwrap().longest_gap)
    }

    /// Ends it, and says what became of everything.
    ///
    /// # Panics
    /// Where a stream brought something else than was sent.
    pub fn finish(mut self) -> Totals {
        self.end.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("a stream brings what was sent");
        }
        let arrivals = self.arrivals.lock().unwrap();
        let lost = arrivals.seen.iter().filter(|seen| !**seen).count() as u64;
        let bytes = self.streams.iter().map(|stream| stream.load(Ordering::Relaxed)).sum();
        Totals { bytes, datagrams: arrivals.received, lost, twice: arrivals.twice }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Two periods of a stream, so that a period can be read from each of its bytes.
fn content() -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        // Xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    let mut once: Vec<u8> = (0..PERIOD).map(|_| next()).collect();
    once.chunks_exact_mut(512).for_each(|chunk| chunk[..MARK.len()].copy_from_slice(&MARK));
    [once.clone(), once].concat()
}

fn waits(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Sends a stream.
fn fill(to: SocketAddr, end: &AtomicBool, content: &[u8]) {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(10)).unwrap();
    stream.set_write_timeout(Some(LOOK)).unwrap();
    let mut sent = 0;
    while !end.load(Ordering::Relaxed) {
        let start = sent % PERIOD;
        match stream.write(&content[start..start + PERIOD]) {
            Ok(len) => sent += len,
            // At the end the receiver may be the first to go, and what it has not read resets the stream.
            Err(error) => assert!(waits(&error) || end.load(Ordering::Relaxed), "the stream broke: {error}"),
        }
    }
}

/// Compares what arrives of a stream.
fn compare(listener: &TcpListener, end: &AtomicBool, counter: &AtomicU64, expected: &[u8]) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(LOOK)).unwrap();
    let (mut received, mut buffer) = (0, vec![0; PERIOD]);
    while !end.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(len) => {
                let start = received % PERIOD;
                assert!(
                    buffer[..len] == expected[start..start + len],
                    "other bytes than were sent, after {received}"
                );
                received += len;
                counter.store(received as u64, Ordering::Relaxed);
            }
            Err(error) => assert!(waits(&error), "the stream broke: {error}"),
        }
    }
}

/// Sends numbered datagrams.
fn number(to: SocketAddr, end: &AtomicBool) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let mut datagram = [0; DATAGRAM_LEN];
    datagram[8..8 + MARK.len()].copy_from_slice(&MARK);
    for number in 0u64.. {
        if end.load(Ordering::Relaxed) {
            return;
        }
        datagram[..8].copy_from_slice(&number.to_be_bytes());
        // What the gateway refuses in a gap is lost like the rest.
        let _ = socket.send_to(&datagram, to);
        sleep(DATAGRAM_INTERVAL);
    }
}

/// A socket that holds what comes while its thread gets no CPU.
fn receiver(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    let (bytes, len) = (8 << 20, size_of::<i32>() as u32);
    let bytes: *const i32 = &bytes;
    // SAFETY: a readable integer of the length told.
    let set = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes.cast(), len)
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    socket
}

/// Notes the numbers of datagrams that arrive.
fn count(socket: &UdpSocket, end: &AtomicBool, arrivals: &Mutex<Arrivals>) {
    socket.set_read_timeout(Some(LOOK)).unwrap();
    let mut buffer = [0; DATAGRAM_LEN + 1];
    while !end.load(Ordering::Relaxed) {
        match socket.recv(&mut buffer) {
            Ok(len) => {
                assert_eq!((len, &buffer[8..8 + MARK.len()]), (DATAGRAM_LEN, &MARK[..]));
                let number = u64::from_be_bytes(buffer[..8].try_into().unwrap());
                arrivals.lock().unwrap().note(number);
            }
            Err(error) => assert!(waits(&error), "{error}"),
        }
    }
}
