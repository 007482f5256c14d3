//! Places for large bodies: so many in all, and so many for one address. A body is held in memory before its signature
//! can be checked, so who only says who they are gets few.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::places::counted;

/// See the module.
pub(crate) struct LargeBodies {
    all: Arc<Semaphore>,
    by_peer: Arc<Mutex<HashMap<IpAddr, Arc<Semaphore>>>>,
    of_one_max: usize,
}

/// A body's place, given back when it is dropped.
pub(crate) struct LargePlace {
    _all: OwnedSemaphorePermit,
    /// Given back before the peer is looked at.
    one: Option<OwnedSemaphorePermit>,
    _peer: Peer,
}

/// Who waits for a place or has one. With the last of them the peer is forgotten.
struct Peer {
    ip: IpAddr,
    places: Option<Arc<Semaphore>>,
    by_peer: Arc<Mutex<HashMap<IpAddr, Arc<Semaphore>>>>,
}

impl LargeBodies {
    /// `max` places, `of_one_max` of them for one address.
    pub fn new(max: usize, of_one_max: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(max)), by_peer: Arc::default(), of_one_max }
    }

    /// Waits for a place. Who has all that one may have waits for their own, and keeps nobody else from one.
    pub async fn take(&self, peer: IpAddr) -> LargePlace {
        let ip = counted(peer);
        let places = {
            let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(by_peer.entry(ip).or_insert_with(|| Arc::new(Semaphore::new(self.of_one_max))))
        };
        let peer = Peer { ip, places: Some(Arc::clone(&places)), by_peer: Arc::clone(&self.by_peer) };
        let one = places.acquire_owned().await.expect("it is never closed");
        let all = Arc::clone(&self.all).acquire_owned().await.expect("it is never closed");
        LargePlace { _all: all, one: Some(one), _peer: peer }
    }

    /// Places that nobody has.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.all.available_permits()
    }
}

impl Drop for LargePlace {
    fn drop(&mut self) {
        self.one = None;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        self.places = None;
        // Others have one as well: counted under the lock that they take theirs under.
        if by_peer.get(&self.ip).is_some_and(|places| Arc::strong_count(places) == 1) {
            by_peer.remove(&self.ip);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_peer_waits_for_its_own_places_and_others_do_not() {
        let bodies = LargeBodies::new(4, 2);
        let [greedy, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|it| it.parse().unwrap());
        let held = [bodies.take(greedy).await, bodies.take(greedy).await];
        let mut third = Box::pin(bodies.take(greedy));
        assert!(third.as_mut().now_or_never().is_none());
        let of_other = [bodies.take(other).await, bodies.take(other).await];
        drop(held);
        let third = third.as_mut().now_or_never().expect("a place");
        assert_eq!(bodies.by_peer.lock().unwrap().len(), 2);
        drop((third, of_other));
        assert!(bodies.by_peer.lock().unwrap().is_empty(), "what is over is not kept");
        // One that gives up waiting leaves nothing either.
        let held = [bodies.take(greedy).await, bodies.take(greedy).await];
        assert!(Box::pin(bodies.take(greedy)).as_mut().now_or_never().is_none());
        drop(held);
        assert!(bodies.by_peer.lock().unwrap().is_empty());
        assert_eq!(bodies.free(), 4);
    }
}
