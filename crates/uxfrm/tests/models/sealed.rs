//! Sealed packets: of each, its number.

use super::association::SaView;
use super::shared::Shared;
use std::sync::Arc;

/// One, so that few batches show what becomes of a worker whose buffers are all away.
pub const SPARES: usize = 2;
/// Packets of one call.
const MAX_SEGMENTS: usize = 1;
/// Of a packet: its number.
pub const LEN: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OuterHeader;

#[derive(Default)]
pub struct Sealed {
    bytes: Vec<u8>,
    state: Option<Arc<SaView>>,
}

impl Sealed {
    pub fn new() -> std::io::Result<Self> {
        Ok(Self::default())
    }

    pub fn fits(&self, state: &Arc<SaView>, _header: OuterHeader, _len: usize) -> bool {
        self.state.as_ref().is_some_and(|s| Arc::ptr_eq(s, state)) && self.bytes.len() < MAX_SEGMENTS * LEN
    }

    pub fn begin(&mut self, state: &Arc<SaView>, _header: OuterHeader, _len: usize) {
        self.state = Some(state.clone());
    }

    pub fn room(&mut self, len: usize) -> &mut [u8] {
        let start = self.bytes.len();
        self.bytes.resize(start + len, 0);
        &mut self.bytes[start..]
    }

    pub fn commit(&mut self, _len: usize, _payload: usize) {}

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn clear(&mut self) {
        (self.state, self.bytes) = (None, Vec::new());
    }

    pub fn charge(&self, _shared: &Shared) {}

    pub fn send(&self, shared: &Shared, _worker: usize) {
        let numbers = self.bytes.as_chunks::<LEN>().0.iter().map(|bytes| u64::from_ne_bytes(*bytes));
        shared.send(&numbers.collect::<Vec<_>>());
    }

    pub fn release(&mut self) {}
}
