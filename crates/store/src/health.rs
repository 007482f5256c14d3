//! Whether the writer of a store does its work.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::store::StoreError;

/// A group that is being committed for longer than this is stuck: a commit takes milliseconds.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(10);
/// A commit that failed is told for so long; a later one that succeeds ends it before.
const FAILURE_TOLD: Duration = Duration::from_secs(30);

/// What the writer is doing.
#[derive(Default)]
struct State {
    /// Since when the group under way has been worked on.
    under_way: Option<Instant>,
    /// The last commit, when it failed.
    failed: Option<(Instant, StoreError)>,
}

/// The writer's side: it tells what it does, and its end by its own end.
pub(crate) struct Pulse {
    state: Arc<Mutex<State>>,
    _lives: watch::Sender<()>,
}

/// The side of those who ask.
#[derive(Clone)]
pub(crate) struct Health {
    state: Arc<Mutex<State>>,
    lives: watch::Receiver<()>,
}

/// Both sides.
pub(crate) fn pulse() -> (Pulse, Health) {
    let state = Arc::default();
    let (_lives, lives) = watch::channel(());
    (Pulse { state: Arc::clone(&state), _lives }, Health { state, lives })
}

impl Pulse {
    /// A group is taken up.
    pub fn begin(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).under_way = Some(Instant::now());
    }

    /// It is done with; `None` when nothing was to be committed.
    pub fn end(&self, committed: Option<&Result<(), StoreError>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.under_way = None;
        match committed {
            None => {}
            Some(Ok(())) => state.failed = None,
            Some(Err(error)) => state.failed = Some((Instant::now(), error.clone())),
        }
    }
}

impl Health {
    /// Whether writes can be expected to succeed.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the writer is gone; [`StoreError::Failed`] when a commit does not end; and the error
    /// of the last commit, when it failed not long ago.
    pub fn check(&self) -> Result<(), StoreError> {
        self.check_at(Instant::now())
    }

    fn check_at(&self, now: Instant) -> Result<(), StoreError> {
        if self.lives.has_changed().is_err() {
            return Err(StoreError::Closed);
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = state.under_way.map(|since| now.saturating_duration_since(since))
            && under_way > COMMIT_TIME_MAX
        {
            let text = format!("a commit has not ended for {} s", under_way.as_secs());
            return Err(StoreError::Failed(text));
        }
        match &state.failed {
            Some((at, error)) if now.saturating_duration_since(*at) < FAILURE_TOLD => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Waits until the writer is gone.
    pub async fn ended(mut self) {
        while self.lives.changed().await.is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_fails_or_does_not_end_is_told() {
        let (pulse, health) = pulse();
        let full = StoreError::Failed("disk full".to_owned());
        let told_after = |time: Duration| health.check_at(Instant::now() + time).map_err(|it| it.to_string());
        assert_eq!(told_after(Duration::ZERO), Ok(()));
        pulse.begin();
        assert_eq!(told_after(COMMIT_TIME_MAX / 2), Ok(()));
        assert!(told_after(COMMIT_TIME_MAX + Duration::from_secs(1)).unwrap_err().contains("not ended for"));
        pulse.end(Some(&Err(full.clone())));
        assert!(told_after(FAILURE_TOLD / 2).unwrap_err().contains("disk full"));
        pulse.begin();
        pulse.end(None);
        assert!(told_after(Duration::ZERO).is_err(), "what commits nothing shows nothing");
        assert_eq!(told_after(FAILURE_TOLD + Duration::from_secs(1)), Ok(()));
        pulse.end(Some(&Ok(())));
        assert_eq!(told_after(Duration::ZERO), Ok(()));
        drop(pulse);
        assert!(matches!(health.check(), Err(StoreError::Closed)));
    }
}
