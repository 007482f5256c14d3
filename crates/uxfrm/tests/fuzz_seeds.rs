//! What fuzzing begins with reaches what lies behind the parsers: the netlink seeds are requests that are carried out.

use uxfrm::database::{Clock, Database};
use uxfrm::xfrm::wire;

const ERROR: u16 = 2;

#[test]
fn netlink_seeds_are_carried_out() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/xfrm_requests");
    let mut carried_out = 0;
    for file in std::fs::read_dir(directory).expect("fuzz/seeds (fuzz/seeds.py)") {
        let path = file.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        let messages = data.strip_prefix(b"netlink\n").expect("a mark");
        let (mut database, clock) = (Database::default(), Clock { wall: 1_700_000_000, monotonic: 0 });
        let mut rest = messages;
        while let Some(len) = rest.first_chunk().map(|len| u32::from_ne_bytes(*len) as usize) {
            let (request, after) = rest.split_at(len.next_multiple_of(4).min(rest.len()));
            rest = after;
            let answer = database.handle_datagram(request, clock);
            for reply in answer.messages.iter().flat_map(|reply| wire::messages(reply)) {
                let errno = reply.payload.first_chunk().map(|errno| i32::from_ne_bytes(*errno));
                let kind = wire::header(request).map(|header| header.kind);
                assert!(reply.header.kind != ERROR || errno == Some(0), "{path:?}: {kind:?}: {errno:?}");
            }
            carried_out += 1;
        }
    }
    assert!(carried_out > 20, "{carried_out}");
}
