//! A tunnel interface: one TUN per `if_id`, one queue per worker.

use super::counters::{PathCounters, add};
use super::spread::Spread;
use crate::database::snapshot_map::SnapshotMap;
use crate::inner::coalesce::Sink;
use crate::inner::virtio::VirtioHeader;
use crate::sys::check_len;
use crate::sys::tun::Queue;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// Pieces of one write, with the virtio header.
const MAX_IOVECS: usize = 160;

/// One interface and its queues.
pub struct Interface {
    pub if_id: u32,
    pub name: String,
    pub queues: Vec<Queue>,
}

impl Queue {
    /// Reads one packet behind its virtio header. `Ok(None)` where none waits.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        // SAFETY: the buffer is writable for its length.
        let result = unsafe { libc::read(self.fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        match check_len(result) {
            Ok(len) => Ok(Some(len)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Writes one packet from pieces.
    ///
    /// # Errors
    /// Of `writev`: the packet is lost then, as on any full interface.
    pub fn write(&self, header: VirtioHeader, region: &[u8], pieces: &[Range<usize>]) -> io::Result<()> {
        let header = header.write();
        let iovec =
            |bytes: &[u8]| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let mut iovecs = [const { MaybeUninit::<libc::iovec>::uninit() }; MAX_IOVECS];
        iovecs[0].write(iovec(&header));
        // No more of them is touched than there are pieces: a lone packet after a silence has none in the cache.
        let Some(room) = iovecs[1..].get_mut(..pieces.len()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        for (slot, piece) in room.iter_mut().zip(pieces) {
            slot.write(iovec(&region[piece.clone()]));
        }
        let count = pieces.len() as i32 + 1;
        // SAFETY: the first `count` iovecs are initialised and point to live memory, which the kernel only reads.
        check_len(unsafe { libc::writev(self.fd.as_raw_fd(), iovecs.as_ptr().cast(), count) }).map(|_| ())
    }
}

/// Writes what a worker delivers.
pub struct Writer<'a> {
    /// By whose queue.
    pub spread: &'a mut Spread,
    pub interfaces: &'a SnapshotMap<u32, Arc<Interface>>,
    pub counters: &'a PathCounters,
}

impl Sink for Writer<'_> {
    fn write(&mut self, interface: u32, header: VirtioHeader, region: &[u8], pieces: &[Range<usize>]) {
        let first = pieces.first().and_then(|piece| region.get(piece.clone())).unwrap_or_default();
        let queue = self.spread.queue(first);
        let queue = self.interfaces.get(&interface).and_then(|i| i.queues.get(queue));
        let written = queue.is_some_and(|queue| queue.write(header, region, pieces).is_ok());
        add(&self.counters.interface_writes, 1);
        if !written {
            // One piece of each packet of a super-packet.
            add(&self.counters.interface_full, pieces.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_counted_that_found_no_room() {
        let (counters, interfaces) = (PathCounters::default(), SnapshotMap::default());
        let mut spread = Spread::new(0);
        let mut writer = Writer { spread: &mut spread, interfaces: &interfaces, counters: &counters };
        writer.write(7, VirtioHeader::default(), &[0; 100], &[0..40, 40..60, 60..80]);
        let values = counters.read();
        assert_eq!((values.interface_writes, values.interface_full), (1, 3), "one write of three packets");
    }
}
