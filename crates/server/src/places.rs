//! Places for connections: so many in all, and so many for one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets of an IPv6 address that name its network (RFC 4291, 2.5.1): whoever has one address of it has all.
const NETWORK_OCTETS: usize = 8;

/// Connections that wait for a place at most; further ones are closed at once.
const WAITING_MAX: usize = 1_024;
/// Places besides the others for clients on this machine: who watches over the service gets an answer however many
/// strangers there are.
const RESERVED: usize = 32;

/// Places for connections, of all listeners together.
#[derive(Clone)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    by_peer: Arc<Mutex<HashMap<IpAddr, usize>>>,
    of_one_max: usize,
}

/// A connection's place, given back when it is dropped.
pub(crate) struct Place {
    _one: OwnedSemaphorePermit,
    _peer: Counted,
}

/// A connection that counts for its peer.
struct Counted {
    by_peer: Arc<Mutex<HashMap<IpAddr, usize>>>,
    peer: IpAddr,
}

/// Whom a connection counts for.
pub(crate) fn counted(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => {
            let mut octets = ip.octets();
            octets[NETWORK_OCTETS..].fill(0);
            octets.into()
        }
        v4 => v4,
    }
}

impl Places {
    /// `max` places, `of_one_max` of them for one address.
    pub fn new(max: usize, of_one_max: usize) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            all: places(max),
            waiting: places(WAITING_MAX),
            reserved: places(RESERVED),
            by_peer: Arc::default(),
            of_one_max,
        }
    }

    /// Waits until there is a place. `None` when the peer has all that one may have, or too many wait already: the
    /// connection is to be closed.
    pub async fn take(&self, peer: IpAddr) -> Option<Place> {
        let counted = self.count(peer)?;
        let one = match Arc::clone(&self.all).try_acquire_owned() {
            Ok(one) => one,
            Err(_) => self.wait(peer).await?,
        };
        Some(Place { _one: one, _peer: counted })
    }

    async fn wait(&self, peer: IpAddr) -> Option<OwnedSemaphorePermit> {
        if peer.to_canonical().is_loopback()
            && let Ok(reserved) = Arc::clone(&self.reserved).try_acquire_owned()
        {
            return Some(reserved);
        }
        let _waiting = self.waiting.try_acquire().ok()?;
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Those that wait count as well.
    fn count(&self, peer: IpAddr) -> Option<Counted> {
        let peer = counted(peer);
        let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_peer.entry(peer).or_default();
        if *count >= self.of_one_max {
            return None;
        }
        *count += 1;
        Some(Counted { by_peer: Arc::clone(&self.by_peer), peer })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_peer.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_peer_can_not_take_all_places() {
        let places = Places::new(8, 3);
        let [greedy, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse().unwrap());
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(places.take(greedy).await.unwrap());
        }
        assert!(places.take(greedy).await.is_none());
        // The same host, as a socket for both families names it.
        assert!(places.take("::ffff:192.0.2.1".parse().unwrap()).await.is_none());
        assert!(places.take(other).await.is_some());
        held.pop();
        assert!(places.take(greedy).await.is_some());
        held.clear();
        assert!(places.by_peer.lock().unwrap().is_empty(), "what is over is not kept");
    }

    #[tokio::test]
    async fn who_is_on_this_machine_has_places_of_their_own() {
        let places = Places::new(1, 100);
        let [far, near]: [IpAddr; 2] = ["192.0.2.1", "127.0.0.1"].map(|it| it.parse().unwrap());
        let held = places.take(far).await.unwrap();
        let mut second = Box::pin(places.take(far));
        assert!(second.as_mut().now_or_never().is_none(), "it waits");
        let near: Vec<_> = (0..RESERVED).map(|_| places.take(near).now_or_never().flatten()).collect();
        assert!(near.iter().all(Option::is_some));
        drop(held);
        assert!(second.await.is_some());
        drop(near);
        assert!(places.by_peer.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_network_of_ipv6_counts_as_one() {
        let places = Places::new(8, 1);
        let _held = places.take("2001:db8::1".parse().unwrap()).await.unwrap();
        assert!(places.take("2001:db8::ffff:2".parse().unwrap()).await.is_none());
        assert!(places.take("2001:db8:0:1::1".parse().unwrap()).await.is_some());
    }
}
