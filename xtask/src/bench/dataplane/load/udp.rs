//! UDP packets of one size at a rate, or as many as can be: each an ordinary packet (no segmentation offload), sent
//! many with one system call, so that the load generator costs little and no peer is limited by it.

use std::io::IoSlice;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::io::Errno;
use rustix::net::{MMsgHdr, RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmmsg, sockopt};

use super::super::lab::{FAR_HOST, Lab, NEAR_HOST, Side, inside};

const PORT: u16 = 7007;
/// Another one, so that a host can be both.
const SENDER_PORT: u16 = 7008;
/// Packets given to the kernel with one call.
const BATCH: usize = 32;
/// How often the sender looks at the clock when it keeps a rate.
const PACE: Duration = Duration::from_micros(500);
/// What a sender that was kept from running makes up for at once; more would be a burst that no rate asks for.
const CATCH_UP: Duration = Duration::from_millis(2);
/// How long packets that are under way are waited for.
const DRAIN: Duration = Duration::from_millis(150);
/// Holds what arrives while the receiver sleeps.
const RECEIVE_BUFFER: usize = 16 << 20;
const RECEIVER_SLEEP: Duration = Duration::from_millis(1);

/// A sender and a receiver on hosts at the two ends.
pub struct Path {
    sender: UdpSocket,
    receiver: UdpSocket,
    /// The number that tells a trial's packets from an earlier one's.
    trial: AtomicU32,
}

/// What came of a trial.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// Packets sent.
    pub sent: u64,
    /// Packets that arrived.
    pub received: u64,
    /// How long was sent.
    pub elapsed: Duration,
}

impl Trial {
    /// Thousands of packets sent in a second.
    pub fn sent_kpps(&self) -> f64 {
        self.sent as f64 / self.elapsed.as_secs_f64() / 1e3
    }

    /// Thousands of packets in a second that arrived.
    pub fn received_kpps(&self) -> f64 {
        self.received as f64 / self.elapsed.as_secs_f64() / 1e3
    }

    /// Share of the packets that did not arrive.
    pub fn loss(&self) -> f64 {
        1.0 - self.received as f64 / self.sent.max(1) as f64
    }
}

impl Path {
    /// From the host behind one gateway to the host behind the other.
    pub fn new(lab: &Lab, from: Side) -> anyhow::Result<Self> {
        let (near, far) = if from == Side::A { (NEAR_HOST, FAR_HOST) } else { (FAR_HOST, NEAR_HOST) };
        let address = |host: &str, port| SocketAddr::new(host.parse().expect("an address"), port);
        let receiver = inside(&lab.host(from.other()), || {
            let socket = UdpSocket::bind(address(far, PORT))?;
            socket.set_nonblocking(true)?;
            sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)
                .context("SO_RCVBUFFORCE needs root")?;
            Ok(socket)
        })?;
        let sender = inside(&lab.host(from), || {
            let socket = UdpSocket::bind(address(near, SENDER_PORT))?;
            socket.connect(address(far, PORT))?;
            Ok(socket)
        })?;
        Ok(Self { sender, receiver, trial: AtomicU32::new(0) })
    }

    /// Sends packets with so many bytes of payload for so long: at a rate in packets a second, or as fast as can be.
    pub fn run(&self, len: usize, rate: Option<f64>, time: Duration) -> anyhow::Result<Trial> {
        ensure!(len >= 4, "a packet holds at least its trial's number");
        let mut payload = vec![0x5a; len];
        payload[..4].copy_from_slice(&(self.trial.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes());
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let receiving = scope.spawn(|| self.receive(&payload[..4], &is_over));
            let sent = self.send(&payload, rate, time);
            std::thread::sleep(DRAIN);
            is_over.store(true, Ordering::Relaxed);
            let received = receiving.join().expect("the receiver does not panic");
            let (sent, elapsed) = sent?;
            Ok(Trial { sent, received, elapsed })
        })
    }

    fn send(&self, payload: &[u8], rate: Option<f64>, time: Duration) -> anyhow::Result<(u64, Duration)> {
        let slices = [IoSlice::new(payload)];
        let mut controls: Vec<SendAncillaryBuffer<'_, '_, '_>> =
            (0..BATCH).map(|_| SendAncillaryBuffer::default()).collect();
        let mut messages: Vec<MMsgHdr<'_>> =
            controls.iter_mut().map(|control| MMsgHdr::new(&slices, control)).collect();
        let (begun, mut sent) = (Instant::now(), 0u64);
        // Packets are due from here on; moved forward when the sender could not keep up.
        let (mut origin, mut since_origin) = (begun, 0u64);
        loop {
            let now = Instant::now();
            if now - begun >= time {
                return Ok((sent, now - begun));
            }
            let due = match rate {
                None => BATCH as u64,
                Some(rate) => {
                    let due = ((now - origin).as_secs_f64() * rate) as u64 - since_origin;
                    let most = (CATCH_UP.as_secs_f64() * rate).max(1.0) as u64;
                    if due > most {
                        (origin, since_origin) = (now, 0);
                    }
                    due.min(most)
                }
            };
            let mut left = due as usize;
            while left > 0 {
                match sendmmsg(self.sender.as_fd(), &mut messages[..left.min(BATCH)], SendFlags::empty()) {
                    Ok(count) => {
                        left -= count.min(left);
                        sent += count as u64;
                    }
                    // Full queues lose packets here as they would further on; the far port may not be open yet.
                    Err(Errno::NOBUFS | Errno::CONNREFUSED | Errno::INTR) => left -= 1,
                    Err(error) => return Err(error.into()),
                }
            }
            if rate.is_some() {
                if origin != now {
                    since_origin += due;
                }
                std::thread::sleep(PACE);
            }
        }
    }

    fn receive(&self, mark: &[u8], is_over: &AtomicBool) -> u64 {
        let (mut buffer, mut count) = (vec![0u8; 2048], 0);
        loop {
            let ends = is_over.load(Ordering::Relaxed);
            while let Ok((len, _)) = recv(self.receiver.as_fd(), &mut buffer[..], RecvFlags::DONTWAIT) {
                if len >= mark.len() && buffer.starts_with(mark) {
                    count += 1;
                }
            }
            if ends {
                return count;
            }
            std::thread::sleep(RECEIVER_SLEEP);
        }
    }

    /// The highest rate at which no more than 1 % of the packets are lost, in thousands a second: by doubling or
    /// halving from a first guess, then by bisection to 4 %. A rate that fails is tried a second time, so that one
    /// moment in which the machine was taken away does not decide.
    pub fn highest_rate(&self, len: usize, guess_kpps: f64, time: Duration) -> anyhow::Result<f64> {
        // What was sent where at most 1 % was lost.
        let attempt = |kpps: f64| -> anyhow::Result<Option<f64>> {
            let mut best = None;
            for _ in 0..2 {
                let trial = self.run(len, Some(kpps * 1e3), time)?;
                if trial.loss() <= 0.01 {
                    best = Some(best.map_or(trial.sent_kpps(), |best| f64::max(best, trial.sent_kpps())));
                    if trial.sent_kpps() >= kpps * 0.9 {
                        break;
                    }
                }
            }
            Ok(best)
        };
        let (mut good, mut bad) = (0.0, f64::INFINITY);
        let mut rate = guess_kpps.max(MIN_KPPS);
        while bad / f64::max(good, MIN_KPPS) > 1.04 && rate >= MIN_KPPS {
            match attempt(rate)? {
                // The sender itself can do no more.
                Some(reached) if reached < rate * 0.9 => return Ok(f64::max(reached, good)),
                Some(_) => good = rate,
                None => bad = rate,
            }
            rate = match (good > 0.0, bad.is_finite()) {
                (true, true) => (good * bad).sqrt(),
                (true, false) => rate * 1.5,
                _ => rate / 2.0,
            };
        }
        Ok(good)
    }
}

/// Slower than any peer; below it the search ends.
const MIN_KPPS: f64 = 1.0;
