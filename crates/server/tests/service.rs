//! Who is let in: keys, signatures, nonces, and what a restart forgets.

use std::sync::Arc;

use causeway_client::{AccessKey as ClientKey, SignedRequest, alibaba, nonce, now};
use causeway_dialect::{Dialect, Request};
use causeway_dialect_alibaba::Alibaba;
use causeway_model::{Millis, Secret, Write, fixtures};
use causeway_ops::Settings;
use causeway_server::{AccessKey, Keyring, RateLimits, Service};
use causeway_store::{MemoryStore, Store, transact};
use serde_json::Value;

fn key(id: &str) -> ClientKey {
    ClientKey { id: id.to_owned(), secret: "secret".to_owned() }
}

/// A service that knows the key `known`.
fn service(store: Arc<dyn Store>) -> Service {
    let mut settings = Settings::default();
    settings.regions.insert(Alibaba.id(), Alibaba.default_regions());
    let mut keyring = Keyring::default();
    keyring.add("known", AccessKey { secret: Secret::new("secret"), account: "1000".into() });
    Service::new(vec![Arc::new(Alibaba)], Arc::new(settings), keyring, store, RateLimits::Off)
}

fn received(signed: SignedRequest) -> Request {
    let (path, query) = signed.target.split_once('?').unwrap();
    Request {
        method: signed.method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: signed.headers,
        body: signed.body.into(),
    }
}

fn regions(key: &ClientKey, at: Millis) -> Request {
    received(alibaba::sign(key, "localhost", "2016-04-28", "DescribeRegions", &[], at, nonce()))
}

/// The code of the answer; empty when there is none.
async fn code(service: &Service, request: &Request) -> String {
    let response = service.answer(request, "127.0.0.1:1".parse().unwrap()).await;
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    body["Code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_body_is_not_looked_at_before_the_key_is_known() {
    let service = service(Arc::new(MemoryStore::new().unwrap()));
    for (id, wanted) in [("unknown", "InvalidAccessKeyId.NotFound"), ("known", "SignatureDoesNotMatch")] {
        let mut request = regions(&key(id), now());
        request.headers.push(("content-type".into(), "application/json".into()));
        request.body = "{ no JSON, and not what was signed".into();
        assert_eq!(code(&service, &request).await, wanted);
    }
}

#[tokio::test]
async fn a_request_is_carried_out_once() {
    let service = service(Arc::new(MemoryStore::new().unwrap()));
    let request = regions(&key("known"), now());
    assert_eq!(code(&service, &request).await, "");
    assert_eq!(code(&service, &request).await, "SignatureNonceUsed");
}

#[tokio::test]
async fn a_restart_lets_nothing_in_a_second_time() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let earlier = Millis(now().0 - 2_000);
    let captured = regions(&key("known"), earlier);
    // Nothing was ever done: a client whose clock is behind is welcome.
    assert_eq!(code(&service(Arc::clone(&store)), &captured).await, "");
    transact(&*store, |_| (vec![Write::Put(fixtures::gateway(1).into())], ())).await.unwrap();
    let restarted = service(store);
    assert_eq!(code(&restarted, &captured).await, "InvalidTimeStamp.Expired");
    assert_eq!(code(&restarted, &regions(&key("known"), now())).await, "");
}
