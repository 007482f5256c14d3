//! Who is let in: keys, signatures, nonces, and what a restart forgets.

use std::sync::Arc;

use causeway_client::{AccessKey as ClientKey, SignedRequest, alibaba, nonce, now};
use causeway_dialect::Request;
use causeway_model::Millis;
use causeway_server::Service;
use causeway_store::{MemoryStore, SqliteStore, Store};
use serde_json::Value;

mod support;

use support::{SECRET, service};

fn key(id: &str) -> ClientKey {
    ClientKey { id: id.to_owned(), secret: SECRET.to_owned() }
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

fn call(key: &ClientKey, action: &str, parameters: &[(&str, &str)], at: Millis) -> Request {
    let parameters: Vec<_> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    received(alibaba::sign(key, "localhost", "2016-04-28", action, &parameters, at, nonce()))
}

fn regions(key: &ClientKey, at: Millis) -> Request {
    call(key, "DescribeRegions", &[], at)
}

async fn answer(service: &Service, request: &Request) -> Value {
    let response = service.answer(request, "127.0.0.1:1".parse().unwrap()).await;
    serde_json::from_slice(&response.body).unwrap()
}

/// The code of the answer; empty when there is none.
async fn code(service: &Service, request: &Request) -> String {
    answer(service, request).await["Code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_body_is_not_looked_at_before_the_key_is_known() {
    let service = service(Arc::new(MemoryStore::new().unwrap()));
    for (id, wanted) in [("unknown", "InvalidAccessKeyId.NotFound"), ("known", "SignatureDoesNotMatch")] {
        let mut request = regions(&key(id), now());
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

const REGION: (&str, &str) = ("RegionId", "cn-hangzhou");

/// Whatever the client's clock shows, and however little the store holds when the service ends.
#[tokio::test]
async fn a_restart_carries_out_nothing_a_second_time() {
    for offset_ms in [-600_000, -1_000, 0, 1_000, 600_000] {
        let dir = tempfile::tempdir().unwrap();
        let at = Millis(now().0 + offset_ms);
        let key = key("known");
        let create = call(&key, "CreateCustomerGateway", &[REGION, ("IpAddress", "203.0.113.7")], at);
        let refused = call(&key, "DeleteCustomerGateway", &[REGION, ("CustomerGatewayId", "cgw-none")], at);
        let first = service(Arc::new(SqliteStore::open(dir.path()).unwrap()));
        assert_ne!(code(&first, &refused).await, "", "there is none");
        let made = answer(&first, &create).await;
        let id = made["CustomerGatewayId"].as_str().unwrap_or_else(|| panic!("{made}"));
        let delete = call(&key, "DeleteCustomerGateway", &[REGION, ("CustomerGatewayId", id)], now());
        assert_eq!(code(&first, &delete).await, "");
        assert!(first.store().view().is_empty());
        drop(first);
        // Twice: what the second service was told it must tell the third.
        for _ in 0..2 {
            let restarted = service(Arc::new(SqliteStore::open(dir.path()).unwrap()));
            for captured in [&create, &refused, &delete] {
                assert_eq!(code(&restarted, captured).await, "SignatureNonceUsed", "{offset_ms} ms");
            }
            // Nobody is locked out, whatever their clock shows.
            assert_eq!(code(&restarted, &regions(&key, at)).await, "", "{offset_ms} ms");
        }
    }
}

#[tokio::test]
async fn what_reads_costs_no_write() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let service = service(Arc::clone(&store));
    assert_eq!(code(&service, &regions(&key("known"), now())).await, "");
    assert_eq!(store.spent_nonces(0).unwrap(), []);
    let create = call(&key("known"), "CreateCustomerGateway", &[REGION, ("IpAddress", "203.0.113.7")], now());
    assert_eq!(code(&service, &create).await, "");
    assert_eq!(store.spent_nonces(0).unwrap().len(), 1);
}
