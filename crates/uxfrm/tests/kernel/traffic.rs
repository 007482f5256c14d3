//! What goes through a tunnel and comes back: each byte is looked at.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::agent::{ECHO_PORT, INNER};

/// Payloads of datagrams: an empty one, small ones, the interface's MTU (1400 with all headers) and one byte less and
/// more, and one that is three fragments inside.
const DATAGRAMS: [usize; 7] = [0, 1, 100, 1351, 1352, 1353, 3000];
/// Payload of a TCP transfer; many segments.
const STREAM: usize = 40_000;
/// Under emulation an answer takes milliseconds, on a busy machine far more.
const PATIENCE: Duration = Duration::from_secs(12);

fn far(is_v6: bool) -> SocketAddr {
    SocketAddr::new(INNER[usize::from(is_v6)][1].parse().unwrap(), ECHO_PORT)
}

fn near(is_v6: bool) -> SocketAddr {
    SocketAddr::new(INNER[usize::from(is_v6)][0].parse().unwrap(), 0)
}

fn content(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        // Xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Two pings that are answered. (With a deadline `ping` waits for the answers; without, it gives up on one that takes twice
/// as long as the one before. What is lost shows in the counters.)
pub fn ping(is_v6: bool) -> Result<(), String> {
    let mut command = Command::new("ping");
    command.args(["-n", "-q", "-c", "2", "-i", "0.01", "-w", "15", &far(is_v6).ip().to_string()]);
    let output = command.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Where answers come late, it has sent more by the time it has two.
    let received =
        text.split(" received").next().and_then(|before| before.rsplit(' ').next()?.parse::<u32>().ok());
    if received >= Some(2) { Ok(()) } else { Err(format!("ping: {text}")) }
}

/// Datagrams of each size, one after the other.
pub fn datagrams(is_v6: bool, seed: u32) -> Result<(), String> {
    let socket = UdpSocket::bind(near(is_v6)).map_err(|error| error.to_string())?;
    socket.connect(far(is_v6)).map_err(|error| error.to_string())?;
    for len in DATAGRAMS {
        let sent = content(len, seed + len as u32);
        let attempts = if len > 1300 { 3 } else { 1 };
        // A large one may teach either end the path's MTU, and is lost over it: the next fits.
        socket.set_read_timeout(Some(PATIENCE / attempts)).unwrap();
        let returned = (0..attempts).any(|_| is_returned(&socket, &sent));
        if !returned {
            return Err(format!("a datagram of {len} bytes did not come back"));
        }
    }
    Ok(())
}

fn is_returned(socket: &UdpSocket, sent: &[u8]) -> bool {
    // `EMSGSIZE` as the path's MTU is learnt.
    if socket.send(sent).is_err() {
        return false;
    }
    let mut buffer = vec![0; 65536];
    match socket.recv(&mut buffer) {
        Ok(len) => {
            assert!(buffer[..len] == *sent, "what came back is not what was sent");
            true
        }
        Err(_) => false,
    }
}

/// A TCP connection with many segments there, and all of them back.
pub fn stream(is_v6: bool, seed: u32) -> Result<(), String> {
    let sent = content(STREAM, seed);
    let transfer = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&far(is_v6), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE * 2))?;
        stream.write_all(&sent)?;
        stream.shutdown(Shutdown::Write)?;
        let mut back = Vec::new();
        stream.read_to_end(&mut back)?;
        Ok(back)
    };
    let back = transfer().map_err(|error| format!("TCP: {error}"))?;
    if back == sent { Ok(()) } else { Err(format!("TCP: {} bytes came back, not as sent", back.len())) }
}
