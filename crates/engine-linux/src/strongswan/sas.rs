//! What charon says about its SAs.

use std::collections::{BTreeMap, BTreeSet};

use causeway_plan::IkeState;

use super::client::{Client, ViciError};
use uxfrm::vici::{Encoder, Section};

/// The state of one connection's SAs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SaState {
    pub ike: IkeState,
    /// Whether this side began the negotiation of an IKE_SA that is there.
    pub is_initiator: bool,
    /// The children that have a CHILD_SA, by the names of their configuration.
    pub installed: BTreeSet<String>,
    /// Whether charon is about to negotiate a CHILD_SA, or has that in hand.
    pub negotiating: bool,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub packets_in: u64,
    pub packets_out: u64,
}

/// charon's tasks that end in a CHILD_SA, of IKEv2 and IKEv1 (`task_type_names` of libcharon).
const NEGOTIATIONS: [&str; 2] = ["CHILD_CREATE", "QUICK_MODE"];

/// The state of every connection that has SAs, by connection.
pub(crate) async fn list(client: &mut Client) -> Result<BTreeMap<String, SaState>, ViciError> {
    let sections = client.stream("list-sas", "list-sa", Encoder::new()).await?;
    let mut states: BTreeMap<String, SaState> = BTreeMap::new();
    for (name, sa) in sections.iter().flat_map(Section::sections) {
        // While an IKE_SA is replaced there are two of a name, and either may have the children.
        take_in(states.entry(name.to_owned()).or_default(), sa);
    }
    Ok(states)
}

fn rank(ike: IkeState) -> u8 {
    match ike {
        IkeState::Down => 0,
        IkeState::Connecting => 1,
        IkeState::Established => 2,
    }
}

fn take_in(state: &mut SaState, sa: &Section) {
    let ike = match sa.text("state") {
        Some("ESTABLISHED" | "REKEYING" | "REKEYED") => IkeState::Established,
        Some("CREATED" | "CONNECTING") => IkeState::Connecting,
        _ => IkeState::Down,
    };
    if rank(ike) > rank(state.ike) {
        state.ike = ike;
    }
    state.is_initiator |= sa.text("initiator") == Some("yes");
    let tasks = ["tasks-queued", "tasks-active"].into_iter().flat_map(|list| sa.list_named(list));
    state.negotiating |= tasks.into_iter().any(|task| NEGOTIATIONS.contains(&task));
    for (_, child) in sa.section_named("child-sas").into_iter().flat_map(Section::sections) {
        // A CHILD_SA being rekeyed still carries traffic.
        if matches!(child.text("state"), Some("INSTALLED" | "UPDATING" | "REKEYING")) {
            let count = |name| child.number(name).unwrap_or(0);
            state.installed.extend(child.text("name").map(str::to_owned));
            state.bytes_in += count("bytes-in");
            state.bytes_out += count("bytes-out");
            state.packets_in += count("packets-in");
            state.packets_out += count("packets-out");
        }
    }
}

#[cfg(test)]
mod tests {
    use causeway_plan::IkeState;

    use super::{SaState, take_in};
    use uxfrm::vici::{Encoder, Section};

    fn state(ike: &str, children: &[(&str, &str)], tasks: &[&str]) -> SaState {
        let message = Encoder::new().value("state", ike).list("tasks-queued", tasks).section(
            "child-sas",
            |mut list| {
                for (name, child) in children {
                    list = list.section(&format!("{name}-1"), |c| {
                        c.value("name", name).value("state", child).value("bytes-in", "10")
                    });
                }
                list
            },
        );
        let mut state = SaState::default();
        take_in(&mut state, &Section::decode(&message.finish()).unwrap());
        state
    }

    #[test]
    fn a_child_that_is_replaced_counts_and_a_deleted_one_does_not() {
        let seen = state("ESTABLISHED", &[("a", "REKEYED"), ("a", "INSTALLED"), ("b", "REKEYING")], &[]);
        assert_eq!((seen.ike, seen.bytes_in), (IkeState::Established, 20));
        assert_eq!(seen.installed.iter().collect::<Vec<_>>(), ["a", "b"]);
        let seen = state("CONNECTING", &[], &[]);
        assert_eq!((seen.ike, seen.installed.len()), (IkeState::Connecting, 0));
        let seen = state("DELETING", &[("a", "DELETING")], &[]);
        assert_eq!((seen.ike, seen.installed.len()), (IkeState::Down, 0));
    }

    #[test]
    fn a_negotiation_under_way_is_seen() {
        assert!(state("ESTABLISHED", &[], &["IKE_DPD", "CHILD_CREATE"]).negotiating);
        assert!(state("ESTABLISHED", &[], &["QUICK_MODE"]).negotiating);
        assert!(!state("ESTABLISHED", &[], &["CHILD_REKEY"]).negotiating);
    }
}
