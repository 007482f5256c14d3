//! A service that knows one key, for the tests of this crate.

use std::sync::Arc;

use causeway_dialect::Dialect;
use causeway_dialect_alibaba::Alibaba;
use causeway_model::Secret;
use causeway_ops::Settings;
use causeway_server::{AccessKey, Keyring, RateLimits, Service};
use causeway_store::Store;

pub const SECRET: &str = "secret";

/// A service that knows the key `known`.
pub fn service(store: Arc<dyn Store>) -> Service {
    let mut settings = Settings::default();
    settings.regions.insert(Alibaba.id(), Alibaba.default_regions());
    let mut keyring = Keyring::default();
    keyring.add("known", AccessKey { secret: Secret::new(SECRET), account: "1000".into() });
    Service::new(vec![Arc::new(Alibaba)], Arc::new(settings), keyring, store, RateLimits::Off).unwrap()
}
