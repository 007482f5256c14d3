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
        let dialects = dialects
            .into_iter()
            .map(|dialect| {
                let replay = Replay::new(dialect.window_s());
                (dialect, replay)
            })
            .collect();
        let rates = match rate_limits {
            RateLimits::Off => None,
            RateLimits::On(own) => Some(Rates::new(own)),
        };
        Self { dialects, settings, keyring, store, rates }
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
        let manner = dialect.manner(request, clock::random_u128());
        let result = self.carry_out(&**dialect, replay, request, &manner).await;
        let (code, response) = match result {
            Ok(response) => (Cow::Borrowed("ok"), response),
            Err(failure) => {
                let response = dialect.fail(&failure, &manner);
                (Cow::Owned(failure.code), response)
            }
        };
        // Action and key are the client's words: quoted, so that they can't make up lines of the log, and cut.
        tracing::info!(
            target: "audit",
            request = %manner.request_id,
            %peer,
            api = %dialect.id(),
            action = ?cut(&manner.action),
            key = ?cut(&self.claimed_key(&**dialect, request)),
            code = &*code,
            status = response.status,
            micros = began.elapsed().as_micros() as u64,
        );
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

    /// The key id for the audit log; it is read again only when the log is on.
    fn claimed_key(&self, dialect: &dyn Dialect, request: &Request) -> String {
        if !tracing::enabled!(target: "audit", tracing::Level::INFO) {
            return String::new();
        }
        dialect.open(request).map(|envelope| envelope.access_key).unwrap_or_default()
    }

    async fn carry_out(
        &self,
        dialect: &dyn Dialect,
        replay: &Replay,
        request: &Request,
        manner: &Manner,
    ) -> Result<Response, Failure> {
        let now = clock::now();
        let envelope = dialect.open(request)?;
        let account = self.authenticate(dialect, replay, &envelope, manner)?;
        if let Some(rates) = &self.rates {
            let limit = rates.limit(&envelope.action, dialect.rate_limit(&envelope));
            let counter = format!("{account} {} {} {}", dialect.id(), envelope.service, envelope.action);
            rates.count(&counter, limit, now.seconds()).map_err(|seen| {
                let gate = Gate::TooMany { seen, allowed: limit.calls, window_s: limit.per_s };
                dialect.gate(&gate, manner)
            })?;
        }
        let context = DecodeContext {
            settings: &self.settings,
            account: &account,
            request_id: &manner.request_id,
            now,
        };
        let Call { operation, region, token, dry_run } = dialect.decode(&envelope, context)?;
        let caller = Caller {
            account,
            dialect: dialect.id(),
            region,
            rules: dialect.rules(),
            token,
            settings: Arc::clone(&self.settings),
        };
        if dry_run {
            self.check(&caller, &operation).map_err(|error| dialect.refuse(&envelope, &error))?;
            return Err(dialect.gate(&Gate::DryRun, manner));
        }
        let (outcome, view) = self
            .execute(&caller, operation)
            .await
            .map_err(|error| {
                tracing::error!(request = %manner.request_id, %error, "the store failed");
                let gate = match error {
                    StoreError::Busy | StoreError::Closed => Gate::Unavailable,
                    StoreError::Failed(_) | StoreError::Sealed(_) | StoreError::InUse(_) => Gate::Internal,
                };
                dialect.gate(&gate, manner)
            })?
            .map_err(|error| dialect.refuse(&envelope, &error))?;
        let context = EncodeContext {
            view: &view,
            caller: &caller,
            envelope: &envelope,
            request_id: &manner.request_id,
            now,
        };
        Ok(dialect.encode(&outcome, context))
    }

    /// Checks key, time, signature and nonce, in this order; a nonce is used up only by whom it belongs to.
    fn authenticate(
        &self,
        dialect: &dyn Dialect,
        replay: &Replay,
        envelope: &Envelope,
        manner: &Manner,
    ) -> Result<AccountId, Failure> {
        let now_s = clock::now().seconds();
        let key =
            self.keyring.get(&envelope.access_key).ok_or_else(|| dialect.gate(&Gate::UnknownKey, manner))?;
        // A timestamp may be any number: the difference may not fit.
        if now_s.abs_diff(envelope.timestamp_s) > dialect.window_s().unsigned_abs() {
            return Err(dialect.gate(&Gate::Expired, manner));
        }
        dialect.verify(envelope, key.secret.expose())?;
        if envelope.session_token.is_some() {
            // Temporary keys are not handed out yet, so no token belongs to any key.
            return Err(dialect.gate(&Gate::BadToken, manner));
        }
        if let Some(nonce) = &envelope.nonce {
            match replay.take(&envelope.access_key, nonce, envelope.timestamp_s, now_s) {
                Nonce::Fresh => {}
                Nonce::Seen => return Err(dialect.gate(&Gate::Replayed, manner)),
                Nonce::Full => return Err(dialect.gate(&Gate::Unavailable, manner)),
            }
        }
        Ok(key.account.clone())
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
