//! Any sequence of netlink datagrams: no panic, and the data path can always be given a view.
#![no_main]

use causeway_fuzz::natural::{marked, netlink, structured};
use libfuzzer_sys::fuzz_target;
use uxfrm::database::{Clock, Database};

fuzz_target!(|data: &[u8]| {
    let datagrams = match marked(data, "netlink") {
        Some(messages) => netlink(messages),
        None => structured::<Vec<&[u8]>>(data).unwrap_or_default(),
    };
    let mut database = Database::default();
    for (i, datagram) in datagrams.iter().enumerate() {
        let clock = Clock { wall: 1_700_000_000, monotonic: i as u64 * 1000 };
        database.handle_datagram(datagram, clock);
        database.run_timers(clock);
    }
    database.view();
});
