//! What a dialect does with its own facts, which nobody else reads.

use std::sync::Arc;

use causeway_model::Facet;

/// Makes new dialect facts of old ones, so that what a caller does not name stays.
#[derive(Clone)]
pub struct FacetChange(pub Arc<dyn Fn(&str) -> Facet + Send + Sync>);

impl FacetChange {
    /// A change.
    pub fn new(change: impl Fn(&str) -> Facet + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }
}

impl std::fmt::Debug for FacetChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FacetChange(..)")
    }
}

/// Tells by the dialect's own facts of a resource whether it will do; the error is the dialect's own word for why
/// it will not.
#[derive(Clone)]
pub struct FacetTest(pub Arc<Suits>);

/// See [`FacetTest`].
pub type Suits = dyn Fn(&str) -> Result<(), &'static str> + Send + Sync;

impl FacetTest {
    /// A test.
    pub fn new(test: impl Fn(&str) -> Result<(), &'static str> + Send + Sync + 'static) -> Self {
        Self(Arc::new(test))
    }
}

impl std::fmt::Debug for FacetTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FacetTest(..)")
    }
}
