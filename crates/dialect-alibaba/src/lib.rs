//! The dialect of Alibaba Cloud: Vpc 2016-04-28, and the calls to other products that its clients make.

mod action;
mod actions;
mod algorithms;
#[cfg(test)]
mod answers_tests;
mod asn;
mod availability;
mod catalog;
mod cidr;
pub mod download;
#[cfg(test)]
mod dry_run_tests;
mod errors;
mod facet;
mod gate;
mod health_check;
mod ids;
mod labels;
mod open;
mod params;
mod product;
mod quotas;
mod rates;
mod recognise;
mod regions;
mod resource_types;
mod respond;
mod selects;
mod shapes;
mod signature;
mod tags;
#[cfg(test)]
mod testing;
mod tokens;
mod tunnel_forms;
mod tunnel_options;

use causeway_dialect::{
    ActionInfo, Call, DecodeContext, Dialect, EncodeContext, Envelope, Failure, Gate, Manner, RateLimit,
    Request, Response,
};
use causeway_model::DialectId;
use causeway_ops::{OpError, Outcome, RegionSettings, Rules};

use crate::action::{Action, Input};
use crate::params::Fields;

/// The word of this dialect.
pub const ID: &str = "alibaba";

/// How far a request's timestamp may be from now, in seconds (15 minutes).
const WINDOW_S: i64 = 15 * 60;

/// The dialect of Alibaba Cloud.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alibaba;

fn find(envelope: &Envelope) -> Option<&'static Action> {
    actions::find(&envelope.service, &envelope.action)
}

impl Dialect for Alibaba {
    fn id(&self) -> DialectId {
        ID.into()
    }

    fn recognises(&self, request: &Request) -> bool {
        recognise::recognises(request)
    }

    fn manner(&self, request: &Request, random: u128) -> Manner {
        open::manner(request, random)
    }

    fn open(&self, request: &Request) -> Result<Envelope, Failure> {
        open::open(request)
    }

    fn request_id(&self, _: &Envelope, random: u128) -> String {
        open::request_id(random)
    }

    fn verify(&self, request: &Request, envelope: &Envelope, secret: &str) -> Result<(), Failure> {
        signature::verify(request, envelope, secret)
    }

    fn read(&self, request: &Request, envelope: &mut Envelope) -> Result<(), Failure> {
        open::read(request, envelope)
    }

    fn window_s(&self) -> i64 {
        WINDOW_S
    }

    fn rate_limit(&self, envelope: &Envelope) -> RateLimit {
        rates::limit(&envelope.action)
    }

    fn decode(&self, envelope: &Envelope, context: DecodeContext<'_>) -> Result<Call, Failure> {
        let unsupported =
            || Failure::new(400, "UnsupportedOperation", "The specified action is not supported.");
        let action = find(envelope).ok_or_else(unsupported)?;
        let fields = Fields::of(&envelope.params);
        let mut dry_run = false;
        if let Some(entry) = catalog::find(action.service, action.name) {
            entry.check(&fields)?;
            dry_run = entry.takes("DryRun") && fields.boolean("DryRun")? == Some(true);
        }
        let region = regions::addressed(envelope, context.settings)?;
        let regions = context.settings.regions(&DialectId::from(ID));
        let account = context.settings.accounts.get(context.account);
        let operation = (action.decode)(&Input { fields, region, regions, account, now: context.now })?;
        // A check makes nothing, so that it neither uses a token up nor repeats what one has made.
        let token = tokens::read(envelope, &operation)?.filter(|_| !dry_run);
        Ok(Call { operation, region: region.id.clone(), token, dry_run })
    }

    fn encode(&self, outcome: &Outcome, context: EncodeContext<'_>) -> Response {
        if let Some(write) = actions::written(context.envelope) {
            return respond::written(write(outcome, &context), context.request_id);
        }
        let body = find(context.envelope)
            .map_or_else(|| serde_json::json!({}), |action| (action.encode)(outcome, &context));
        respond::success(body, &context)
    }

    fn refuse(&self, envelope: &Envelope, error: &OpError) -> Failure {
        errors::refuse(envelope, error)
    }

    fn gate(&self, gate: &Gate, _manner: &Manner) -> Failure {
        gate::refuse(gate)
    }

    fn fail(&self, failure: &Failure, manner: &Manner) -> Response {
        respond::failure(failure, manner)
    }

    fn rules(&self) -> Rules {
        Rules {
            quota: quotas::default,
            mint: ids::mint,
            mint_tunnel: ids::mint_tunnel,
            one_change_at_a_time: true,
            keeps_prepaid: true,
            gateways_take_their_routes: true,
            gateway_name_defaults_to_id: true,
            has_resource_groups: true,
            gateways_live_in_subnets: true,
            routes_leave_networks: false,
            connections_are_apart: false,
            connections_agree: true,
            bgp_mbps_min: 0,
        }
    }

    fn default_regions(&self) -> Vec<RegionSettings> {
        regions::defaults()
    }

    fn actions(&self) -> Vec<ActionInfo> {
        actions::ALL.iter().map(|action| ActionInfo { service: action.service, name: action.name }).collect()
    }

    fn catalogue(&self) -> Vec<ActionInfo> {
        catalog::all()
    }
}
