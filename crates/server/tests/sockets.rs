//! What clients can do to the service over their connections, with or without a key.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use causeway_client::{nonce, now};
use causeway_dialect::encoding::{hex_lower, hmac_sha256, sha256_hex};
use causeway_dialect::time::iso_utc;
use causeway_model::{Key, View};
use causeway_server::{ConnectionLimits, Service, http};
use causeway_store::{Decider, MemoryStore, SpentNonce, Store, StoreError};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::time::timeout;

mod support;

/// Nothing here takes longer, unless somebody waits until a client is cut off (`BODY_TIME_MAX`, `HEAD_TIME_MAX`).
const PATIENCE: Duration = Duration::from_secs(20);
const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
/// The last request of a connection.
const CLOSE: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Addresses of a running service, which ends with this.
struct Running {
    addresses: Vec<SocketAddr>,
    _stop: watch::Sender<bool>,
}

async fn run(service: Service, listeners: usize) -> Running {
    let (stop, stopped) = watch::channel(false);
    let service = Arc::new(service);
    let mut addresses = Vec::new();
    for _ in 0..listeners {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        tokio::spawn(http::serve(Arc::clone(&service), listener, None, stopped.clone()));
    }
    Running { addresses, _stop: stop }
}

async fn plain() -> Running {
    run(support::service(Arc::new(MemoryStore::new().unwrap())), 1).await
}

async fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((IpAddr::from(from), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// All that comes back until the service closes the connection, which it has to.
async fn exchange(to: SocketAddr, sent: &str) -> String {
    let mut stream = connect([127, 0, 0, 1], to).await;
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut got = Vec::new();
    let mut some = [0; 4096];
    let reading = async {
        // A connection that is closed with something unread ends with an error.
        while let Ok(octets @ 1..) = stream.read(&mut some).await {
            got.extend_from_slice(&some[..octets]);
        }
    };
    timeout(PATIENCE, reading).await.expect("the service closes the connection");
    String::from_utf8(got).unwrap()
}

/// A call with a form of this length as its body, signed with the secret.
fn form(key: &str, secret: &str, octets: usize) -> (String, String) {
    let body = format!("Filler={}", "x".repeat(octets - "Filler=".len()));
    let headers = [
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("host", "localhost".to_owned()),
        ("x-acs-action", "DescribeRegions".to_owned()),
        ("x-acs-content-sha256", sha256_hex(body.as_bytes())),
        ("x-acs-date", iso_utc(now())),
        ("x-acs-signature-nonce", format!("{:x}", nonce())),
        ("x-acs-version", "2016-04-28".to_owned()),
    ];
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let signed: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("POST\n/\n\n{signed}\n{names}\n{}", sha256_hex(body.as_bytes()));
    let text = format!("ACS3-HMAC-SHA256\n{}", sha256_hex(canonical.as_bytes()));
    let signature = hex_lower(&hmac_sha256(secret.as_bytes(), text.as_bytes()));
    let sent: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "POST / HTTP/1.1\r\n{sent}content-length: {octets}\r\nauthorization: ACS3-HMAC-SHA256 \
         Credential={key},SignedHeaders={names},Signature={signature}\r\n\r\n"
    );
    (head, body)
}

/// Sends the head of a request and a part of its body that is just too large to need no place.
async fn send_partly(from: [u8; 4], to: SocketAddr, head: &str) -> TcpStream {
    let mut stream = connect(from, to).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all("x".repeat(70_000).as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn bodies_that_never_end_keep_nobody_waiting_for_long() {
    let running = plain().await;
    let to = running.addresses[0];
    let mut held = Vec::new();
    // Who names no key; and who names one that is known, from as many addresses as have all places.
    let nameless = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n";
    for n in 0..32 {
        held.push(send_partly([127, 0, 1, n], to, nameless).await);
    }
    for n in 0..16 {
        let (head, _) = form("known", "not the secret", 9_000_000);
        held.push(send_partly([127, 0, 2, n / 4], to, &head).await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (head, body) = form("known", support::SECRET, 70_000);
    let mut right = connect([127, 0, 0, 1], to).await;
    right.write_all((head + &body).as_bytes()).await.unwrap();
    let mut answer = [0; 17];
    timeout(PATIENCE, right.read_exact(&mut answer)).await.expect("an answer").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n");
    drop(held);
}

#[tokio::test]
async fn a_large_body_is_not_read_of_who_has_no_key() {
    let running = plain().await;
    let (head, _) = form("unknown", "secret", 9_000_000);
    // None of the body is sent.
    let answer = exchange(running.addresses[0], &head).await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("InvalidAccessKeyId.NotFound"), "{answer}");
    let nameless = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n";
    let answer = exchange(running.addresses[0], nameless).await;
    assert!(answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn who_takes_nothing_of_the_answers_is_cut_off() {
    let limits = ConnectionLimits { write_pause: Duration::from_millis(500), ..ConnectionLimits::default() };
    let service = support::service(Arc::new(MemoryStore::new().unwrap())).limited(limits);
    let running = run(service, 1).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(running.addresses[0]).await.unwrap();
    // Many requests, one after the other, until the service reads no more because it can't answer.
    let many = HEALTHZ.repeat(1_000);
    let broken = async { while stream.write_all(many.as_bytes()).await.is_ok() {} };
    timeout(PATIENCE, broken).await.expect("the service closes the connection");
}

#[tokio::test]
async fn no_request_can_be_read_in_two_ways() {
    let running = plain().await;
    let to = running.addresses[0];
    let both =
        |first: &str, second: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{first}{second}\r\n0\r\n\r\n");
    let [length, chunked] = ["Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n"];
    for (sent, status, closes) in [
        (HEALTHZ.to_owned(), "200", false),
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), "200", true),
        ("GET /healthz HTTP/1.1\r\n\r\n".to_owned(), "400", true),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), "400", true),
        ("GET /healthz HTTP/1.1\r\nHost: http://a:1\r\n\r\n".to_owned(), "200", false),
        (both(chunked, ""), "404", false),
        (both(length, "Content-Length: 5\r\n"), "400", true),
        // What follows is not taken for a request, wherever others see this one end (RFC 9112, 6.3).
        (both(length, chunked), "404", true),
        (both(chunked, length), "404", true),
    ] {
        let answers = exchange(to, &format!("{sent}{HEALTHZ}{CLOSE}")).await;
        assert_eq!(answers.get(9..12), Some(status), "{sent}: {answers}");
        let count = answers.matches("HTTP/1.").count();
        assert_eq!(count, if closes { 1 } else { 3 }, "{sent}: {answers}");
    }
}

#[tokio::test]
async fn the_places_of_one_address_are_those_of_all_listeners() {
    let limits = ConnectionLimits { of_one: 2, ..ConnectionLimits::default() };
    let service = support::service(Arc::new(MemoryStore::new().unwrap())).limited(limits);
    let running = run(service, 2).await;
    let [first, second] = running.addresses[..] else { panic!("two listeners") };
    let held = [connect([127, 0, 0, 1], first).await, connect([127, 0, 0, 1], second).await];
    // The service has seen them when it answers another address.
    let answers = |from: [u8; 4], to: SocketAddr| async move {
        let mut stream = connect(from, to).await;
        let _ = stream.write_all(HEALTHZ.as_bytes()).await;
        let mut some = [0; 12];
        matches!(timeout(PATIENCE, stream.read_exact(&mut some)).await, Ok(Ok(_)))
    };
    for to in [first, second] {
        assert!(answers([127, 0, 0, 2], to).await);
        assert!(!answers([127, 0, 0, 1], to).await, "closed at once");
    }
    drop(held);
}

/// A store whose writer does nothing any more.
struct Stuck(MemoryStore);

impl Store for Stuck {
    fn view(&self) -> Arc<View> {
        self.0.view()
    }

    fn transact(&self, _: Decider, _: Option<SpentNonce>) -> BoxFuture<'_, Result<Arc<View>, StoreError>> {
        Box::pin(std::future::pending())
    }

    fn spent_nonces(&self, now_s: i64) -> Result<Vec<SpentNonce>, StoreError> {
        self.0.spent_nonces(now_s)
    }

    fn health(&self) -> Result<(), StoreError> {
        Err(StoreError::Failed("a commit has not ended for 60 s".to_owned()))
    }

    fn ended(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn watch(&self) -> broadcast::Receiver<Arc<[Key]>> {
        self.0.watch()
    }
}

#[tokio::test]
async fn a_service_whose_store_is_stuck_is_not_healthy() {
    let running = run(support::service(Arc::new(Stuck(MemoryStore::new().unwrap()))), 1).await;
    let answer = exchange(running.addresses[0], CLOSE).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(!answer.contains("60 s"), "strangers are told no more than that: {answer}");
}
