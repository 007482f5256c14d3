//! Reading an interface's queue: several packets one behind the other, so that what they need together (sequence numbers,
//! a system call to send them) is known before the first is sealed.

use crate::esp::packet::MAX_TAIL;
use crate::sys::region::Region;
use crate::sys::tun::{Queue, VNET_HEADER_LEN};
use std::io;
use std::ops::Range;

/// The longest packet behind its virtio header, in bytes.
const MAX_PACKET: usize = VNET_HEADER_LEN + 65_536;
/// As many bytes as one call sends; what begins below this is read.
const MAX_LEN: usize = 60_000;
/// Packets begin at multiples of a cache line.
const LINE: usize = 64;

/// Packets as they were read, each with its virtio header before it, and room for padding behind.
pub struct Gathered {
    pub buffer: Region,
    pub packets: Vec<Range<usize>>,
    most: usize,
}

impl Gathered {
    /// At most `most` packets at a time.
    ///
    /// # Errors
    /// Where memory cannot be had.
    pub fn new(most: usize) -> io::Result<Self> {
        let len = MAX_LEN + MAX_PACKET + MAX_TAIL + LINE;
        Ok(Self { buffer: Region::new(len)?, packets: Vec::with_capacity(most), most })
    }

    /// Reads what waits, in place of what was read before; with `one` a single packet, without looking for more. Returns whether
    /// there may be more.
    ///
    /// # Errors
    /// Of reading, where nothing was read before.
    pub fn read(&mut self, queue: &Queue, one: bool) -> io::Result<bool> {
        self.packets.clear();
        let (most, mut end) = (if one { 1 } else { self.most }, 0);
        while self.packets.len() < most && end < MAX_LEN {
            match queue.read(&mut self.buffer[end..end + MAX_PACKET]) {
                Ok(Some(len)) => {
                    self.packets.push(end..end + len);
                    end = (end + len + MAX_TAIL).next_multiple_of(LINE);
                }
                Ok(None) => return Ok(false),
                Err(error) if self.packets.is_empty() => return Err(error),
                // What was read is sent; the error comes again.
                Err(_) => return Ok(false),
            }
        }
        Ok(!one)
    }

    /// Bytes that were read.
    pub fn bytes(&self) -> usize {
        self.packets.iter().map(Range::len).sum()
    }
}
