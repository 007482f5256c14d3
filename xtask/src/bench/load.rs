//! A closed loop of requests over several connections, and what came of it.
//!
//! The load shares the machine with what it measures, so it does as little as it can: requests are signed and written
//! out beforehand, one thread asks the kernel which connections have an answer, and an answer is looked at, not parsed.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use causeway_client::SignedRequest;
use memchr::memmem;
use rustix::event::{Timespec, epoll};

/// Octets asked of the kernel at once.
const READ_BYTES: usize = 64 * 1024;
/// A server that gives no answer for so long has failed.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// What a load came to.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Requests answered in a second.
    pub per_second: f64,
    /// Half of the requests took no longer.
    pub p50: Duration,
    /// 99 of 100 requests took no longer.
    pub p99: Duration,
    /// Processor time that the server used for one request, in user and kernel mode, on all processors.
    pub server_cpu: Duration,
}

/// Requests as they go over the wire.
pub enum Requests {
    /// Each can be sent once (they hold nonces): the load ends with the last.
    Once(Vec<Vec<u8>>),
    /// They are sent over and over, in turn.
    Again(Vec<Vec<u8>>),
}

impl Requests {
    fn get(&self, number: usize) -> Option<&[u8]> {
        match self {
            Self::Once(all) => all.get(number),
            Self::Again(all) => all.get(number % all.len().max(1)),
        }
        .map(Vec::as_slice)
    }
}

/// A request as HTTP/1.1 has it.
pub fn wire(request: &SignedRequest) -> Vec<u8> {
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{}", request.body.len(), request.body));
    text.into_bytes()
}

/// A load: what is sent where, and what every answer must have in it.
pub struct Load<'a> {
    /// Where the server is.
    pub address: SocketAddr,
    /// Connections, each waiting for its answer before it sends the next request.
    pub connections: usize,
    /// What is sent.
    pub requests: &'a Requests,
    /// No request is sent after so long; without a limit the load ends with its requests.
    pub time: Option<Duration>,
    /// A text in every right answer.
    pub proof: &'a str,
    /// Tells the processor time that the server has used so far.
    pub cpu: &'a dyn Fn() -> Duration,
}

impl Load<'_> {
    /// Sends the requests.
    ///
    /// # Errors
    /// When a request is not answered, or an answer is wrong.
    pub fn drive(&self) -> anyhow::Result<Figures> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut sockets = Vec::new();
        for number in 0..self.connections {
            sockets.push(Socket::open(self.address, &poll, number)?);
        }
        let (cpu, began) = ((self.cpu)(), Instant::now());
        let mut times = Vec::with_capacity(1 << 17);
        let mut next = 0;
        let mut waiting = 0;
        for socket in &mut sockets {
            waiting += usize::from(self.send(socket, &mut next, began)?);
        }
        let mut events = Vec::with_capacity(self.connections);
        let mut octets = vec![0; READ_BYTES];
        while waiting > 0 {
            events.clear();
            if epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&PATIENCE))? == 0 {
                bail!("no answer within {} s", PATIENCE.tv_sec);
            }
            for event in &events {
                let number = event.data.u64() as usize;
                let socket = sockets.get_mut(number).context("an event of no connection")?;
                let Some(answer) = socket.answer(&mut octets)? else { continue };
                times.push(socket.sent.elapsed());
                if memmem::find(answer.text(&socket.read), self.proof.as_bytes()).is_none() {
                    bail!("a wrong answer: {}", String::from_utf8_lossy(&socket.read));
                }
                socket.read.clear();
                if answer.is_last {
                    *socket = Socket::open(self.address, &poll, number)?;
                }
                waiting -= 1;
                waiting += usize::from(self.send(socket, &mut next, began)?);
            }
        }
        figures(times, began.elapsed(), (self.cpu)().saturating_sub(cpu))
    }

    /// Sends the next request, if there is one.
    fn send(&self, socket: &mut Socket, next: &mut usize, began: Instant) -> anyhow::Result<bool> {
        if self.time.is_some_and(|time| began.elapsed() >= time) {
            return Ok(false);
        }
        let Some(request) = self.requests.get(*next) else { return Ok(false) };
        *next += 1;
        socket.sent = Instant::now();
        // A request fits the socket's buffer, so that this does not wait.
        socket.stream.write_all(request).context("a request was not taken")?;
        Ok(true)
    }
}

fn figures(mut times: Vec<Duration>, elapsed: Duration, cpu: Duration) -> anyhow::Result<Figures> {
    if times.is_empty() {
        bail!("no request was answered");
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Figures {
        per_second: times.len() as f64 / elapsed.as_secs_f64(),
        p50: at(0.50),
        p99: at(0.99),
        server_cpu: cpu.div_f64(times.len() as f64),
    })
}

/// A connection, and what was read of the answer it waits for.
struct Socket {
    stream: TcpStream,
    read: Vec<u8>,
    sent: Instant,
}

/// A whole answer in the buffer of its connection.
struct Answer {
    body_from: usize,
    /// The server closes the connection after it.
    is_last: bool,
}

impl Answer {
    fn text<'a>(&self, read: &'a [u8]) -> &'a [u8] {
        read.get(self.body_from..).unwrap_or_default()
    }
}

impl Socket {
    fn open(address: SocketAddr, poll: &impl rustix::fd::AsFd, number: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll::add(poll, &stream, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
        Ok(Self { stream, read: Vec::with_capacity(READ_BYTES), sent: Instant::now() })
    }

    /// Reads what is there; gives the answer once it is whole.
    fn answer(&mut self, octets: &mut [u8]) -> anyhow::Result<Option<Answer>> {
        let is_closed = match self.stream.read(octets) {
            Ok(0) => true,
            Ok(count) => {
                self.read.extend_from_slice(&octets[..count]);
                false
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("a request was not answered"),
        };
        let Some(head) = memmem::find(&self.read, b"\r\n\r\n") else {
            if is_closed {
                bail!("a connection was closed before its answer");
            }
            return Ok(None);
        };
        let body_from = head + 4;
        let head = std::str::from_utf8(&self.read[..head])?;
        if !head.get(8..).is_some_and(|rest| rest.starts_with(" 200")) {
            bail!("not 200: {}", String::from_utf8_lossy(&self.read));
        }
        let length = header(head, "content-length").map(str::parse::<usize>).transpose()?;
        let says_close = header(head, "connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
        let is_whole = length.map_or(is_closed, |length| self.read.len() >= body_from + length);
        if is_closed && !is_whole {
            bail!("a connection was closed within an answer");
        }
        let is_last = is_closed || says_close || head.starts_with("HTTP/1.0");
        Ok(is_whole.then_some(Answer { body_from, is_last }))
    }
}

/// A header of an answer's head.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").skip(1).find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
