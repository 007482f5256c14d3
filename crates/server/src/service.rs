//! From request to response: the one list of what happens to every request.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use causeway_dialect::{
    Call, DecodeContext, Dialect, EncodeContext, Envelope, Failure, Gate, Manner, Request, Response,
};
use causeway_model::{AccountId, View};
use causeway_ops::{Caller, OpError, Operation, Outcome, Settings, decide};
use causeway_store::{Store, StoreError, transact};

use crate::clock;
use crate::failures::Failures;
use crate::keyring::Keyring;
use crate::limits::LOGGED_CHARS_MAX;
use crate::rate::{RateLimits, Rates};
use crate::replay::{Nonce, Replay};

/// What the service is made of.
pub struct Service {
    dialects: Vec<(Arc<dyn Dialect>, Replay)>,
    settings: Arc<Settings>,
    keyring: Keyring,
    store: Arc<dyn Store>,
    rates: Option<Rates>,
    failures: Failures,
}

/// Why a request is refused.
enum Refused {
    /// By the server.
    Gate(Gate),
    /// In the dialect's words.
    Failure(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Refused {
    fn into_failure(self, dialect: &dyn Dialect, manner: &Manner) -> Failure {
        match self {
            Self::Gate(gate) => dialect.gate(&gate, manner),
            Self::Failure(failure) => failure,
        }
    }
}

impl Service {
    /// Puts the service together.
    pub fn new(
        dialects: Vec<Arc<dyn Dialect>>,
        settings: Arc<Settings>,
        keyring: Keyring,
        store: Arc<dyn Store>,
        rate_limits: RateLimits,
    ) -> Self {
        // A store that nothing was ever written to had no service before this one, and no nonce was taken.
        let began_s = (store.view().revision() > 0).then(|| clock::now().seconds());
        let dialects = dialects
            .into_iter()
            .map(|dialect| {
                let replay = Replay::new(dialect.window_s(), began_s);
                (dialect, replay)
            })
            .collect();
        let rates = match rate_limits {
            RateLimits::Off => None,
            RateLimits::On(own) => Some(Rates::new(own)),
        };
        Self { dialects, settings, keyring, store, rates, failures: Failures::default() }
    }

    /// The store, for the other fronts of the service.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Answers one request that came from `peer`.
    pub async fn answer(&self, request: &Request, peer: SocketAddr) -> Response {
        let Some((dialect, replay)) = self.dialects.iter().find(|(dialect, _)| dialect.recognises(request))
        else {
            return no_dialect();
        };
        let began = std::time::Instant::now();
        let random = clock::random_u128();
        let mut opened = dialect.open(request);
        let result = match &mut opened {
            Ok(envelope) => self.carry_out(&**dialect, replay, request, envelope, random).await,
            Err(failure) => Err(Refused::Failure(failure.clone())),
        };
        // What only a refusal and the log need is made for them alone.
        let manner = || match &opened {
            Ok(envelope) => Manner::of(envelope, dialect.request_id(envelope, random)),
            Err(_) => dialect.manner(request, random),
        };
        let (code, response) = match result {
            Ok(response) => (Cow::Borrowed("ok"), response),
            Err(refused) => {
                let manner = manner();
                let failure = refused.into_failure(&**dialect, &manner);
                let response = dialect.fail(&failure, &manner);
                (Cow::Owned(failure.code), response)
            }
        };
        if tracing::enabled!(target: "audit", tracing::Level::INFO) {
            let manner = manner();
            let key = opened.as_ref().map_or("", |envelope| envelope.access_key.as_str());
            // Action and key are the client's words: quoted, so that they can't make up lines of the log, and cut.
            tracing::info!(
                target: "audit",
                request = %manner.request_id,
                %peer,
                api = %dialect.id(),
                action = ?cut(&manner.action),
                key = ?cut(key),
                code = &*code,
                status = response.status,
                micros = began.elapsed().as_micros() as u64,
            );
        }
        response
    }

    /// The refusal of a body that is too large to be read.
    pub fn too_large(&self, request: &Request) -> Response {
        let Some((dialect, _)) = self.dialects.iter().find(|(dialect, _)| dialect.recognises(request)) else {
            return no_dialect();
        };
        let manner = dialect.manner(request, clock::random_u128());
        dialect.fail(&dialect.gate(&Gate::TooLarge, &manner), &manner)
    }

    async fn carry_out(
        &self,
        dialect: &dyn Dialect,
        replay: &Replay,
        request: &Request,
        envelope: &mut Envelope,
        random: u128,
    ) -> Result<Response, Refused> {
        let now = clock::now();
        let account = self.authenticate(dialect, replay, request, envelope, now.seconds())?;
        self.check_rate(dialect, envelope, &account, now.seconds())?;
        dialect.read(request, envelope)?;
        let envelope = &*envelope;
        let request_id = dialect.request_id(envelope, random);
        let context =
            DecodeContext { settings: &self.settings, account: &account, request_id: &request_id, now };
        let Call { operation, region, token, dry_run } = dialect.decode(envelope, context)?;
        let caller = Caller {
            account,
            dialect: dialect.id(),
            region,
            rules: dialect.rules(),
            token,
            settings: Arc::clone(&self.settings),
        };
        if dry_run {
            self.check(&caller, &operation).map_err(|error| dialect.refuse(envelope, &error))?;
            return Err(Refused::Gate(Gate::DryRun));
        }
        let (outcome, view) = self
            .execute(&caller, operation)
            .await
            .map_err(|error| {
                tracing::error!(request = %request_id, %error, "the store failed");
                Refused::Gate(match error {
                    StoreError::Busy | StoreError::Closed => Gate::Unavailable,
                    StoreError::Failed(_) | StoreError::Sealed(_) | StoreError::InUse(_) => Gate::Internal,
                })
            })?
            .map_err(|error| dialect.refuse(envelope, &error))?;
        let context = EncodeContext { view: &view, caller: &caller, envelope, request_id: &request_id, now };
        Ok(dialect.encode(&outcome, context))
    }

    /// Checks key, time, signature and nonce, in this order: what costs is done only for who may ask for it, and a
    /// nonce is used up only by whom it belongs to.
    fn authenticate(
        &self,
        dialect: &dyn Dialect,
        replay: &Replay,
        request: &Request,
        envelope: &Envelope,
        now_s: i64,
    ) -> Result<AccountId, Refused> {
        let Some(key) = self.keyring.get(&envelope.access_key) else {
            self.tell_failure(None, now_s);
            return Err(Refused::Gate(Gate::UnknownKey));
        };
        // A timestamp may be any number: the difference may not fit.
        if now_s.abs_diff(envelope.timestamp_s) > dialect.window_s().unsigned_abs() {
            return Err(Refused::Gate(Gate::Expired));
        }
        if let Err(failure) = dialect.verify(request, envelope, key.secret.expose()) {
            self.tell_failure(Some(&envelope.access_key), now_s);
            return Err(Refused::Failure(failure));
        }
        if envelope.session_token.is_some() {
            // Temporary keys are not handed out yet, so no token belongs to any key.
            return Err(Refused::Gate(Gate::BadToken));
        }
        if let Some(nonce) = &envelope.nonce {
            match replay.take(&envelope.access_key, nonce, envelope.timestamp_s, now_s) {
                Nonce::Fresh => {}
                Nonce::Seen => return Err(Refused::Gate(Gate::Replayed)),
                Nonce::Forgotten => return Err(Refused::Gate(Gate::Expired)),
                Nonce::Full => return Err(Refused::Gate(Gate::Unavailable)),
            }
        }
        Ok(key.account.clone())
    }

    fn tell_failure(&self, key: Option<&str>, now_s: i64) {
        if let Some(failures) = self.failures.count(key, now_s) {
            let key = key.map_or("one that is not known", cut);
            tracing::warn!(?key, failures, "requests were not signed with the secret of their key");
        }
    }

    fn check_rate(
        &self,
        dialect: &dyn Dialect,
        envelope: &Envelope,
        account: &AccountId,
        now_s: i64,
    ) -> Result<(), Refused> {
        let Some(rates) = &self.rates else { return Ok(()) };
        let limit = rates.limit(&envelope.action, dialect.rate_limit(envelope));
        let counter = format!("{account} {} {} {}", dialect.id(), envelope.service, envelope.action);
        rates.count(&counter, limit, now_s).map_err(|seen| {
            Refused::Gate(Gate::TooMany { seen, allowed: limit.calls, window_s: limit.per_s })
        })
    }

    /// Decides on the newest snapshot and writes nothing.
    fn check(&self, caller: &Caller, operation: &Operation) -> Result<(), OpError> {
        decide(&self.store.view(), caller, operation, clock::now(), &mut clock::random_u64).map(drop)
    }

    /// Reads are answered from the newest snapshot; everything else is a transaction.
    async fn execute(
        &self,
        caller: &Caller,
        operation: Operation,
    ) -> Result<Result<(Outcome, Arc<View>), OpError>, StoreError> {
        let now = clock::now();
        if matches!(operation, Operation::Read(_)) {
            let view = self.store.view();
            let decided = decide(&view, caller, &operation, now, &mut clock::random_u64);
            return Ok(decided.map(|decision| (decision.outcome, view)));
        }
        let caller = caller.clone();
        let (result, view) = transact(&*self.store, move |view| {
            match decide(view, &caller, &operation, now, &mut clock::random_u64) {
                Ok(decision) => (decision.writes, Ok(decision.outcome)),
                Err(error) => (Vec::new(), Err(error)),
            }
        })
        .await?;
        Ok(result.map(|outcome| (outcome, view)))
    }
}

/// The start of a text from a client, for the log.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(LOGGED_CHARS_MAX).map_or(text.len(), |(place, _)| place);
    &text[..end]
}

fn no_dialect() -> Response {
    let text = "This is a Causeway API endpoint. The request speaks neither API: it has no signature or action \
                that one of them knows. `causeway ctl endpoints` prints how to point each client here.\n";
    Response {
        status: 404,
        content_type: "text/plain; charset=utf-8",
        headers: Vec::new(),
        body: text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn texts_of_clients_are_cut_between_characters() {
        assert_eq!(cut("DescribeVpcs"), "DescribeVpcs");
        assert_eq!(cut(&"é".repeat(100)).chars().count(), 64);
    }
}
