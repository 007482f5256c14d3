//! What charon says about its SAs.

use std::collections::BTreeMap;

use causeway_plan::{ChildState, IkeState};

use super::client::{Client, ViciError};
use super::message::{Encoder, Section};

/// The state of one connection's SAs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SaState {
    pub ike: IkeState,
    pub child: ChildState,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub packets_in: u64,
    pub packets_out: u64,
}

/// The state of every connection that has SAs, by connection.
pub(crate) async fn list(client: &mut Client) -> Result<BTreeMap<String, SaState>, ViciError> {
    let sections = client.stream("list-sas", "list-sa", Encoder::new()).await?;
    let mut states: BTreeMap<String, SaState> = BTreeMap::new();
    for (name, sa) in sections.iter().flat_map(Section::sections) {
        // While an IKE_SA is replaced there are two of a name: the better one counts.
        let state = state(sa);
        let known = states.entry(name.to_owned()).or_default();
        if rank(state) >= rank(*known) {
            *known = state;
        }
    }
    Ok(states)
}

fn rank(state: SaState) -> (bool, u8) {
    let ike = match state.ike {
        IkeState::Down => 0,
        IkeState::Connecting => 1,
        IkeState::Established => 2,
    };
    (state.child == ChildState::Installed, ike)
}

fn state(sa: &Section) -> SaState {
    let mut state = SaState {
        ike: match sa.text("state") {
            Some("ESTABLISHED" | "REKEYING" | "REKEYED") => IkeState::Established,
            Some("CREATED" | "CONNECTING") => IkeState::Connecting,
            _ => IkeState::Down,
        },
        ..SaState::default()
    };
    let children = sa.section_named("child-sas").into_iter().flat_map(Section::sections);
    for (_, child) in children {
        // A CHILD_SA being rekeyed still carries traffic.
        if matches!(child.text("state"), Some("INSTALLED" | "UPDATING" | "REKEYING")) {
            let count = |name| child.number(name).unwrap_or(0);
            state.child = ChildState::Installed;
            state.bytes_in += count("bytes-in");
            state.bytes_out += count("bytes-out");
            state.packets_in += count("packets-in");
            state.packets_out += count("packets-out");
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use causeway_plan::{ChildState, IkeState};

    use super::super::message::{Encoder, Section};
    use super::state;

    fn sa(ike: &str, children: &[(&str, &str)]) -> Section {
        let message = Encoder::new().value("state", ike).section("child-sas", |mut list| {
            for (name, child) in children {
                list = list.section(name, |c| c.value("state", child).value("bytes-in", "10"));
            }
            list
        });
        Section::decode(&message.finish()).unwrap()
    }

    #[test]
    fn a_child_that_is_replaced_counts_and_a_deleted_one_does_not() {
        let seen = state(&sa("ESTABLISHED", &[("net-1", "REKEYED"), ("net-2", "INSTALLED")]));
        assert_eq!((seen.ike, seen.child, seen.bytes_in), (IkeState::Established, ChildState::Installed, 10));
        let seen = state(&sa("CONNECTING", &[]));
        assert_eq!((seen.ike, seen.child), (IkeState::Connecting, ChildState::Down));
        let seen = state(&sa("DELETING", &[("net-1", "DELETING")]));
        assert_eq!((seen.ike, seen.child), (IkeState::Down, ChildState::Down));
    }
}
