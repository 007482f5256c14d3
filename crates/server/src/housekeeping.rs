//! What has to be forgotten in time: client tokens whose life is over.

use std::sync::Arc;
use std::time::Duration;

use causeway_model::Millis;
use causeway_ops::expired_tokens;
use causeway_store::{Store, StoreError, transact};
use tokio::sync::watch;

use crate::clock;

/// How often it is looked for what is over. A token is forgotten so much later than it may be at most.
const PAUSE: Duration = Duration::from_secs(3_600);

/// Keeps house until `stop` turns true.
pub async fn run(store: Arc<dyn Store>, mut stop: watch::Receiver<bool>) {
    let mut timer = tokio::time::interval(PAUSE);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        match forget_tokens(&*store, clock::now()).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "client tokens were forgotten"),
            Err(error) => tracing::warn!(%error, "client tokens could not be forgotten"),
        }
    }
}

/// Forgets the tokens that are over; gives how many.
async fn forget_tokens(store: &dyn Store, now: Millis) -> Result<usize, StoreError> {
    let mut forgotten = 0;
    // Looked for in a snapshot first: the writer has better things to do.
    while !expired_tokens(&store.view(), now).is_empty() {
        let (count, _) = transact(store, move |view| {
            let writes = expired_tokens(view, now);
            let count = writes.len();
            (writes, count)
        })
        .await?;
        forgotten += count;
    }
    Ok(forgotten)
}

#[cfg(test)]
mod tests {
    use causeway_model::{Key, Kind, Token, TokenId, Write, limits};
    use causeway_store::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn tokens_are_forgotten_when_their_life_is_over() {
        let store = MemoryStore::new().unwrap();
        let now = Millis(limits::CLIENT_TOKEN_LIFE_MS * 2);
        let count = limits::TOKENS_FORGOTTEN_MAX as u64 + 1;
        let token = |id: u64, used: Millis| {
            let (scope, subject) = (format!("scope {id}"), Key { kind: Kind::Network, id: 1 });
            Write::Put(Token { id: TokenId(id), scope, fingerprint: 0, subject, used }.into())
        };
        // Two apart, so that none stands behind another.
        let mut writes: Vec<Write> = (0..count).map(|n| token(n * 2, Millis(0))).collect();
        writes.push(token(u64::MAX - 1, now));
        transact(&store, move |_| (writes.clone(), ())).await.unwrap();
        assert_eq!(forget_tokens(&store, now).await.unwrap() as u64, count);
        assert!(store.view().token(TokenId(u64::MAX - 1)).is_some());
        assert_eq!(store.view().len(), 1);
    }
}
