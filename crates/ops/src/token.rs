//! Client tokens: the same token with the same request gives the same result.

use causeway_model::{Millis, Secret, Token, TokenId, View, Write, limits};

use crate::{Caller, ClientToken, Decision, OpError, Outcome};

fn scope(caller: &Caller, token: &ClientToken) -> String {
    let ClientToken { text, action, .. } = token;
    format!("{}\n{}\n{}\n{action}\n{text}", caller.account, caller.dialect, caller.region)
}

/// FNV-1a: the number must be the same in every process that reads the store.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A request's fingerprint as the store keeps it.
fn stored(token: &ClientToken) -> Secret {
    Secret::new(token.fingerprint.to_string())
}

/// The place of a scope: the token that was stored for it, or the free id where it may be stored.
fn look_up(view: &View, scope: &str) -> (TokenId, Option<std::sync::Arc<Token>>) {
    let mut id = TokenId(hash(scope));
    loop {
        match view.token(id) {
            Some(known) if known.scope == scope => return (id, Some(known.clone())),
            Some(_) => id = TokenId(id.0.wrapping_add(1)),
            None => return (id, None),
        }
    }
}

/// The outcome of the request that used the caller's token before, if it did.
pub(crate) fn recall(view: &View, caller: &Caller, now: Millis) -> Result<Option<Outcome>, OpError> {
    let Some(token) = &caller.token else { return Ok(None) };
    let (_, Some(known)) = look_up(view, &scope(caller, token)) else { return Ok(None) };
    let is_over = now.0 - known.used.0 > limits::CLIENT_TOKEN_LIFE_MS;
    // What it made is gone: the token speaks of nothing any more.
    if is_over || view.record(known.subject).is_none() {
        return Ok(None);
    }
    if known.fingerprint != stored(token) {
        return Err(OpError::TokenMismatch);
    }
    Ok(Some(Outcome::Created(vec![known.subject])))
}

/// Adds the memory of the caller's token to a decision that made something.
pub(crate) fn remember(view: &View, caller: &Caller, now: Millis, mut decision: Decision) -> Decision {
    if let (Some(token), Outcome::Created(made)) = (&caller.token, &decision.outcome)
        && let Some(&subject) = made.first()
    {
        let scope = scope(caller, token);
        let (id, _) = look_up(view, &scope);
        let memory = Token { id, scope, fingerprint: stored(token), subject, used: now };
        decision.writes.push(Write::Put(memory.into()));
    }
    decision
}
