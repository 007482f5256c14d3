//! The Tencent Cloud VPN API (vpc 2017-03-12 and the services around it) on the wire.

pub mod action;
pub mod actions;
pub mod asn;
pub mod catalog;
pub mod check;
pub mod connection;
pub mod errors;
pub mod facet;
pub mod gate;
pub mod ids;
pub mod listing;
pub mod manner;
pub mod open;
pub mod paging;
pub mod params;
pub mod quotas;
pub mod rates;
pub mod recognise;
pub mod refusal;
pub mod regions;
pub mod respond;
pub mod shapes;
pub mod signature;
pub mod tagging;
pub mod task;
#[cfg(test)]
mod testing;

use causeway_dialect::{
    ActionInfo, Call, DecodeContext, Dialect, EncodeContext, Envelope, Failure, Gate, Manner, RateLimit,
    Request, Response,
};
use causeway_model::{DialectId, Region};
use causeway_ops::{OpError, Outcome, RegionSettings, Rules};

use crate::action::Input;
use crate::refusal::Refusal;

/// The dialect's word.
pub const ID: &str = "tencent";
/// How far a request's timestamp may be from now, in seconds.
const WINDOW_S: i64 = 300;

/// The Tencent Cloud API.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tencent;

impl Dialect for Tencent {
    fn id(&self) -> DialectId {
        DialectId::from(ID)
    }

    fn recognises(&self, request: &Request) -> bool {
        recognise::recognises(request)
    }

    fn manner(&self, request: &Request, random: u128) -> Manner {
        manner::read(request, random)
    }

    fn open(&self, request: &Request) -> Result<Envelope, Failure> {
        open::open(request).map_err(|refusal| refusal.into_failure(&manner::read(request, 0).language))
    }

    fn request_id(&self, envelope: &Envelope, random: u128) -> String {
        manner::request_id(envelope, random)
    }

    fn verify(&self, request: &Request, envelope: &Envelope, secret: &str) -> Result<(), Failure> {
        signature::verify(request, envelope, secret)
            .map_err(|refusal| refusal.into_failure(&envelope.language))
    }

    fn read(&self, request: &Request, envelope: &mut Envelope) -> Result<(), Failure> {
        open::read(request, envelope).map_err(|refusal| refusal.into_failure(&envelope.language))
    }

    fn window_s(&self) -> i64 {
        WINDOW_S
    }

    fn rate_limit(&self, _: &Envelope) -> RateLimit {
        rates::LIMIT
    }

    fn decode(&self, envelope: &Envelope, context: DecodeContext<'_>) -> Result<Call, Failure> {
        decode(envelope, context).map_err(|refusal| refusal.into_failure(&envelope.language))
    }

    fn encode(&self, outcome: &Outcome, context: EncodeContext<'_>) -> Response {
        let envelope = context.envelope;
        let answer = match actions::find(&envelope.service, &envelope.action) {
            Some(action) => (action.encode)(outcome, &context),
            None => Err(action::lost()),
        };
        match answer {
            Ok(members) => respond::success(members, context.request_id),
            Err(refusal) => respond::failure(&refusal.into_failure(&envelope.language), context.request_id),
        }
    }

    fn refuse(&self, envelope: &Envelope, error: &OpError) -> Failure {
        errors::refuse(&envelope.service, &envelope.action, error).into_failure(&envelope.language)
    }

    fn gate(&self, gate: &Gate, manner: &Manner) -> Failure {
        gate::refuse(gate).into_failure(&manner.language)
    }

    fn fail(&self, failure: &Failure, manner: &Manner) -> Response {
        respond::failure(failure, &manner.request_id)
    }

    fn rules(&self) -> Rules {
        Rules {
            quota: quotas::default,
            mint: ids::mint,
            mint_tunnel: ids::mint_tunnel,
            one_change_at_a_time: false,
            keeps_prepaid: true,
            gateways_take_their_routes: false,
            gateway_name_defaults_to_id: false,
            has_resource_groups: false,
            gateways_live_in_subnets: false,
            routes_leave_networks: true,
            connections_are_apart: true,
            connections_agree: false,
            bgp_mbps_min: 200,
        }
    }

    fn default_regions(&self) -> Vec<RegionSettings> {
        regions::default()
    }

    fn actions(&self) -> Vec<ActionInfo> {
        actions::ALL.iter().map(|action| ActionInfo { service: action.service, name: action.name }).collect()
    }

    fn catalogue(&self) -> Vec<ActionInfo> {
        let of = |service: &'static catalog::Service| {
            service.actions.iter().map(|action| ActionInfo { service: service.name, name: action.name })
        };
        catalog::services().iter().flat_map(of).collect()
    }
}

fn decode(envelope: &Envelope, context: DecodeContext<'_>) -> Result<Call, Refusal> {
    let region = region(envelope, context)?;
    let service = catalog::service(&envelope.service).ok_or_else(action::lost)?;
    let spec = service.action(&envelope.action).ok_or_else(action::lost)?;
    check::check(service, spec, &envelope.params)?;
    let action = actions::find(&envelope.service, &envelope.action)
        .ok_or_else(|| Refusal::unsupported(&format!("the action `{}`", envelope.action)))?;
    let operation = (action.decode)(&Input { envelope, context, region: &region })?;
    // No action here has a client token or can be asked for a check only.
    Ok(Call { operation, region, token: None, dry_run: false })
}

/// The region asked for; the first of the settings when none was.
fn region(envelope: &Envelope, context: DecodeContext<'_>) -> Result<Region, Refusal> {
    let regions = context.settings.regions(&DialectId::from(ID));
    let found = match envelope.region.as_str() {
        "" => regions.first(),
        asked => regions.iter().find(|region| region.id.as_str() == asked),
    };
    let is_tc3 = envelope.nonce.is_none();
    let parameter = if is_tc3 { "X-TC-Region" } else { "Region" };
    found.map(|region| region.id.clone()).ok_or_else(|| errors::unknown_region(parameter))
}

#[cfg(test)]
#[path = "lib_tests.rs"]
mod tests;
