//! What every store must do. A store's tests call [`run`] with a way to make an empty one.

use std::sync::Arc;

use causeway_model::{Key, Kind, Millis, Secret, Token, TokenId, View, Write};

use crate::nonces::SpentNonce;
use crate::store::{Store, transact, transact_spending};

fn counter(n: u64) -> Write {
    let token = Token {
        id: TokenId(1),
        scope: "counter".to_owned(),
        fingerprint: Secret::new(n.to_string()),
        subject: Key { kind: Kind::Token, id: 1 },
        used: Millis(0),
    };
    Write::Put(token.into())
}

fn count(view: &View) -> u64 {
    view.token(TokenId(1)).map_or(0, |token| token.fingerprint.expose().parse().expect("a number"))
}

/// Runs every check. Panics where one fails.
pub async fn run<S: Store>(make: impl Fn() -> S) {
    serialises(Arc::new(make())).await;
    snapshots_stand_still(&make()).await;
    acknowledged_writes_are_visible(&make()).await;
    watch_tells_the_keys(&make()).await;
    nothing_to_write_is_fine(&make()).await;
    a_panicking_decision_harms_nobody_else(&make()).await;
    nonces_are_kept_with_what_they_were_for(&make()).await;
}

/// Many tasks that each read and add one lose no addition.
async fn serialises<S: Store>(store: Arc<S>) {
    const TASKS: u64 = 16;
    const EACH: u64 = 50;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let add_one = |view: &View| (vec![counter(count(view) + 1)], ());
                    transact(&*store, add_one).await.expect("the store commits");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("the task ends");
    }
    assert_eq!(count(&store.view()), TASKS * EACH);
}

async fn snapshots_stand_still(store: &dyn Store) {
    let before = store.view();
    transact(store, |_| (vec![counter(7)], ())).await.expect("the store commits");
    assert_eq!((count(&before), count(&store.view())), (0, 7));
}

async fn acknowledged_writes_are_visible(store: &dyn Store) {
    let (answer, view) =
        transact(store, |view| (vec![counter(count(view) + 5)], "five")).await.expect("commits");
    assert_eq!((answer, count(&view), count(&store.view())), ("five", 5, 5));
    transact(store, |_| (vec![Write::Delete(TokenId(1).key())], ())).await.expect("the store commits");
    assert!(store.view().is_empty());
}

async fn watch_tells_the_keys(store: &dyn Store) {
    let mut watch = store.watch();
    transact(store, |_| (vec![counter(1)], ())).await.expect("the store commits");
    assert_eq!(watch.recv().await.expect("a change")[..], [TokenId(1).key()]);
}

async fn nothing_to_write_is_fine(store: &dyn Store) {
    let (answer, view) = transact(store, |view| (Vec::new(), view.len())).await.expect("the store answers");
    assert_eq!((answer, view.len()), (0, 0));
}

async fn a_panicking_decision_harms_nobody_else(store: &dyn Store) {
    let broken =
        transact(store, |_| -> (Vec<Write>, ()) { panic!("a fault in a decision, made by this test") });
    assert!(broken.await.is_err());
    transact(store, |_| (vec![counter(3)], ())).await.expect("the store goes on");
    assert_eq!(count(&store.view()), 3);
}

async fn nonces_are_kept_with_what_they_were_for(store: &dyn Store) {
    let nonce = |n: u8| SpentNonce { mark: [n; 16], taken_s: 1_000, until_s: 1_900 + i64::from(n) };
    transact_spending(store, Some(nonce(1)), |_| (vec![counter(1)], ())).await.expect("the store commits");
    transact_spending(store, Some(nonce(2)), |_| (Vec::new(), ())).await.expect("the store commits");
    transact(store, |_| (vec![counter(2)], ())).await.expect("the store commits");
    assert_eq!(store.spent_nonces(1_901).expect("nonces"), [nonce(1), nonce(2)]);
    assert_eq!(store.spent_nonces(1_902).expect("nonces"), [nonce(2)]);
}
