//! The contract of engines as a suite that every engine runs: [`run_all`].
//!
//! The cases panic with what was expected; they belong into tests. They make their own objects under
//! keys that start with the fixture's prefix, and remove them.

mod fixture;
mod lifecycle;
mod references;
mod tunnels;

pub use fixture::Fixture;

/// Runs every case, one after the other.
///
/// # Panics
/// When the engine breaks the contract.
pub async fn run_all(fixture: &Fixture) {
    lifecycle::an_unknown_scope_is_empty(fixture).await;
    lifecycle::steps_are_idempotent_and_observed(fixture).await;
    lifecycle::an_update_keeps_what_hangs_on_the_object(fixture).await;
    lifecycle::scopes_are_listed_and_removed(fixture).await;
    references::a_missing_parent_is_named(fixture).await;
    references::what_is_in_use_stays(fixture).await;
    references::an_address_has_one_holder(fixture).await;
    tunnels::two_ends_that_agree_come_up(fixture).await;
    tunnels::editing_one_tunnel_leaves_its_sibling_up(fixture).await;
    tunnels::a_wrong_key_is_an_authentication_failure(fixture).await;
    tunnels::other_proposals_do_not_match(fixture).await;
    tunnels::a_peer_that_is_not_there_does_not_respond(fixture).await;
    tunnels::what_waits_for_traffic_is_down_without_an_error(fixture).await;
    tunnels::routes_follow_the_tunnel_that_is_up(fixture).await;
}
