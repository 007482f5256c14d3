//! From request to response: the one list of what happens to every request.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use causeway_dialect::{
    Call, DecodeContext, Dialect, EncodeContext, Envelope, Failure, Gate, Manner, Request, Response,
};
use causeway_model::{AccountId, View};
use causeway_ops::{Caller, OpError, Operation, Outcome, Settings, decide};
use causeway_store::{SpentNonce, Store, StoreError, transact_spending};

use crate::body::{BodyReader, Sender};
use crate::clock;
use crate::failures::Failures;
use crate::keyring::{AccessKey, Keyring};
use crate::limits::{ConnectionLimits, LOGGED_CHARS_MAX};
use crate::places::Places;
use crate::rate::{self, RateLimits, Rates};
use crate::replay::{Nonce, Replay};

/// What the service is made of.
pub struct Service {
    dialects: Vec<(Arc<dyn Dialect>, Replay)>,
    settings: Arc<Settings>,
    keyring: Keyring,
    store: Arc<dyn Store>,
    rates: Option<Rates>,
    failures: Failures,
    pub(crate) bodies: BodyReader,
    pub(crate) places: Places,
    pub(crate) limits: ConnectionLimits,
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
    ///
    /// # Errors
    /// When the store can't tell which nonces were taken by the services before this one.
    pub fn new(
        dialects: Vec<Arc<dyn Dialect>>,
        settings: Arc<Settings>,
        keyring: Keyring,
        store: Arc<dyn Store>,
        rate_limits: RateLimits,
    ) -> Result<Self, StoreError> {
        let spent = store.spent_nonces(clock::now().seconds())?;
        let dialects = dialects
            .into_iter()
            .map(|dialect| {
                let replay = Replay::new(dialect.id().as_str(), dialect.window_s(), &spent);
                (dialect, replay)
            })
            .collect();
        let rates = match rate_limits {
            RateLimits::Off => None,
            RateLimits::On(own) => Some(Rates::new(own)),
        };
        let limits = ConnectionLimits::default();
        Ok(Self {
            dialects,
            settings,
            keyring,
            store,
            rates,
            failures: Failures::default(),
            bodies: BodyReader::default(),
            places: Places::new(limits.connections, limits.of_one),
            limits,
        })
    }

    /// The same with other limits of connections. They hold for all listeners together.
    #[must_use]
    pub fn limited(self, limits: ConnectionLimits) -> Self {
        Self { places: Places::new(limits.connections, limits.of_one), limits, ..self }
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

    /// What a request's head tells about its sender, before its body is read.
    ///
    /// # Errors
    /// The answer, where the head alone shows that the request will be refused: its key is not known, or its time is
    /// over.
    pub(crate) fn sender(&self, head: &Request) -> Result<Sender, Response> {
        let Some((dialect, _)) = self.dialects.iter().find(|(dialect, _)| dialect.recognises(head)) else {
            return Ok(Sender::Nameless);
        };
        let Ok(envelope) = dialect.open(head) else { return Ok(Sender::Nameless) };
        match self.check_claim(&**dialect, &envelope, clock::now().seconds()) {
            Ok(_) => Ok(Sender::Named),
            Err(gate) => {
                let manner = Manner::of(&envelope, dialect.request_id(&envelope, clock::random_u128()));
                Err(dialect.fail(&dialect.gate(&gate, &manner), &manner))
            }
        }
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
        let spent = match (&operation, &envelope.nonce) {
            (Operation::Read(_), _) | (_, None) => None,
            (_, Some(nonce)) => {
                Some(replay.spent(&envelope.access_key, nonce, envelope.timestamp_s, now.seconds()))
            }
        };
        let (outcome, view) = self
            .execute(&caller, operation, spent)
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
        let key = self.check_claim(dialect, envelope, now_s).map_err(Refused::Gate)?;
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
                Nonce::Full => return Err(Refused::Gate(Gate::Unavailable)),
            }
        }
        Ok(key.account.clone())
    }

    /// Checks key and time.
    fn check_claim(
        &self,
        dialect: &dyn Dialect,
        envelope: &Envelope,
        now_s: i64,
    ) -> Result<&AccessKey, Gate> {
        let Some(key) = self.keyring.get(&envelope.access_key) else {
            self.tell_failure(None, now_s);
            return Err(Gate::UnknownKey);
        };
        // A timestamp may be any number: the difference may not fit.
        if now_s.abs_diff(envelope.timestamp_s) > dialect.window_s().unsigned_abs() {
            return Err(Gate::Expired);
        }
        Ok(key)
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
            let left_s = rate::left_s(limit, now_s);
            Refused::Gate(Gate::TooMany { seen, allowed: limit.calls, window_s: limit.per_s, left_s })
        })
    }

    /// Decides on the newest snapshot and writes nothing.
    fn check(&self, caller: &Caller, operation: &Operation) -> Result<(), OpError> {
        decide(&self.store.view(), caller, operation, clock::now(), &mut clock::random_u64).map(drop)
    }

    /// Reads are answered from the newest snapshot; everything else is a transaction, which makes the nonce durable as
    /// well, also when the operation is refused: it might not be a second time.
    async fn execute(
        &self,
        caller: &Caller,
        operation: Operation,
        nonce: Option<SpentNonce>,
    ) -> Result<Result<(Outcome, Arc<View>), OpError>, StoreError> {
        let now = clock::now();
        if matches!(operation, Operation::Read(_)) {
            let view = self.store.view();
            let decided = decide(&view, caller, &operation, now, &mut clock::random_u64);
            return Ok(decided.map(|decision| (decision.outcome, view)));
        }
        let caller = caller.clone();
        let (result, view) = transact_spending(&*self.store, nonce, move |view| {
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
