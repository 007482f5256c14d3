//! What a dialect is.

use causeway_model::{AccountId, DialectId, Millis, View};
use causeway_ops::{Caller, ClientToken, OpError, Operation, Outcome, RegionSettings, Rules, Settings};

use crate::envelope::{Envelope, Manner};
use crate::request::Request;
use crate::response::{Failure, Response};

/// Refusals that the server itself decides on, before or beside an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gate {
    /// The access key is not known, or disabled.
    UnknownKey,
    /// The timestamp is outside the window of [`Dialect::window_s`].
    Expired,
    /// The nonce was seen before.
    Replayed,
    /// The session token does not belong to the key, or is over.
    BadToken,
    /// More calls than the limit: calls seen in the window, calls allowed.
    TooMany {
        /// Calls counted.
        seen: u32,
        /// Calls allowed.
        allowed: u32,
        /// Length of the window in seconds.
        window_s: u32,
        /// Seconds until the next window.
        left_s: u32,
    },
    /// The request is larger than the server takes.
    TooLarge,
    /// The service failed.
    Internal,
    /// The service can't answer at present (shutting down, store not reachable).
    Unavailable,
    /// The request would have been carried out, but asked for a check only: the APIs tell this as a refusal.
    DryRun,
}

/// How often an action may be called by one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Calls allowed.
    pub calls: u32,
    /// Within so many seconds.
    pub per_s: u32,
}

/// An action, for the coverage table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActionInfo {
    /// The product (service) it belongs to.
    pub service: &'static str,
    /// Its name.
    pub name: &'static str,
}

/// What decoding may look at.
#[derive(Clone, Copy, Debug)]
pub struct DecodeContext<'a> {
    /// The service's settings.
    pub settings: &'a Settings,
    /// Who asks.
    pub account: &'a AccountId,
    /// Id of the request: in some APIs also the id of the task that it starts.
    pub request_id: &'a str,
    /// Now.
    pub now: Millis,
}

/// What decoding gives: the operation, and what surrounds it.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked for.
    pub operation: Operation,
    /// The region it is asked of; it is one of the settings' regions.
    pub region: causeway_model::Region,
    /// The client token, on creations.
    pub token: Option<ClientToken>,
    /// The request is to be checked only: the operation is decided on, and nothing is written.
    pub dry_run: bool,
}

/// What encoding may look at.
#[derive(Clone, Copy, Debug)]
pub struct EncodeContext<'a> {
    /// The snapshot that the operation led to, or read.
    pub view: &'a View,
    /// Who asked.
    pub caller: &'a Caller,
    /// The request's outside.
    pub envelope: &'a Envelope,
    /// Id of the request.
    pub request_id: &'a str,
    /// Now.
    pub now: Millis,
}

/// A dialect: one cloud's API on the wire.
///
/// The server calls, in this order: [`recognises`](Dialect::recognises), [`open`](Dialect::open), key look-up,
/// window check, [`verify`](Dialect::verify), nonce check, rate limits, [`read`](Dialect::read),
/// [`decode`](Dialect::decode), the operation, and [`encode`](Dialect::encode) or [`refuse`](Dialect::refuse). Each
/// refusal becomes a response through [`fail`](Dialect::fail).
pub trait Dialect: Send + Sync {
    /// Its word, such as in the alias table of ids.
    fn id(&self) -> DialectId;

    /// Whether a request speaks this dialect.
    fn recognises(&self, request: &Request) -> bool;

    /// What is known of the manner in which an answer is wanted, however broken the request is.
    fn manner(&self, request: &Request, random: u128) -> Manner;

    /// The id of a request that could be opened; the same for the same arguments.
    fn request_id(&self, envelope: &Envelope, random: u128) -> String;

    /// Reads the outside of a request and checks that the action exists. It costs little, however large the request
    /// is: anybody can send one.
    ///
    /// # Errors
    /// The API's refusal of requests that can't be read, lack common parameters, or name no action of its.
    fn open(&self, request: &Request) -> Result<Envelope, Failure>;

    /// Checks the signature of an opened request, in constant time.
    ///
    /// # Errors
    /// The API's refusal of a wrong signature.
    fn verify(&self, request: &Request, envelope: &Envelope, secret: &str) -> Result<(), Failure>;

    /// Reads the action's parameters of a request whose signature was found to be right.
    ///
    /// # Errors
    /// The API's refusal of parameters that can't be read.
    fn read(&self, request: &Request, envelope: &mut Envelope) -> Result<(), Failure>;

    /// How far, in seconds, a request's timestamp may be from now; nonces are remembered that long.
    fn window_s(&self) -> i64;

    /// The documented rate limit of an action for one account.
    fn rate_limit(&self, envelope: &Envelope) -> RateLimit;

    /// Turns the parameters into an operation.
    ///
    /// # Errors
    /// The API's refusal of missing, malformed and forbidden parameters, and of actions not supported.
    fn decode(&self, envelope: &Envelope, context: DecodeContext<'_>) -> Result<Call, Failure>;

    /// Writes the answer.
    fn encode(&self, outcome: &Outcome, context: EncodeContext<'_>) -> Response;

    /// The API's words for a refusal by the operation.
    fn refuse(&self, envelope: &Envelope, error: &OpError) -> Failure;

    /// The API's words for a refusal by the server.
    fn gate(&self, gate: &Gate, manner: &Manner) -> Failure;

    /// Writes a refusal.
    fn fail(&self, failure: &Failure, manner: &Manner) -> Response;

    /// The rules that differ between APIs.
    fn rules(&self) -> Rules;

    /// The API's own regions and zones, used when the operator sets none.
    fn default_regions(&self) -> Vec<RegionSettings>;

    /// The actions that are carried out.
    fn actions(&self) -> Vec<ActionInfo>;

    /// The actions that the API has, as its catalogue names them.
    fn catalogue(&self) -> Vec<ActionInfo>;
}
