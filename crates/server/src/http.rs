//! Sockets: HTTP/1.1, plain and over TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use causeway_dialect::{Request, Response};
use http_body_util::Full;
use hyper::Version;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::body::{Sender, Unread};
use crate::limits::{DRAIN_TIME_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, SMALL_BODY_BYTES_MAX};
use crate::patient::Patient;
use crate::service::Service;

/// Serves until `stop` turns true, then lets open requests finish.
///
/// With `tls` every connection is one of TLS.
pub async fn serve(
    service: Arc<Service>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: existing connections may free some.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = socket.set_nodelay(true);
        let (service, tls, stop) = (Arc::clone(&service), tls.clone(), stop.clone());
        connections.spawn(async move {
            let place = tokio::select! {
                place = service.places.take(peer.ip()) => place,
                () = told_to_stop(stop.clone()) => return,
            };
            let Some(place) = place else {
                return tracing::debug!(%peer, "too many connections");
            };
            match tls {
                None => connection(service, socket, peer, stop).await,
                Some(tls) => match tokio::time::timeout(HEAD_TIME_MAX, tls.accept(socket)).await {
                    Ok(Ok(socket)) => connection(service, socket, peer, stop).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                },
            }
            drop(place);
        });
    }
    let drain = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, drain).await;
}

async fn connection(
    service: Arc<Service>,
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    stop: watch::Receiver<bool>,
) {
    let socket = Patient::new(socket, service.limits.write_pause);
    let handler = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(handle(&service, request, peer).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(socket), handler);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = told_to_stop(stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Waits for the end of the service. The guard that the channel gives does not live on.
async fn told_to_stop(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn handle(
    service: &Service,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
) -> hyper::Response<Full<Bytes>> {
    if let Some(fault) = wrong_host(&request) {
        return closing(text(400, fault));
    }
    if request.uri().path() == "/healthz" {
        return health(service);
    }
    let (head, body) = request.into_parts();
    // The reader's buffer may grow beyond its limit before it gives up.
    if head_bytes(&head.uri, &head.headers) > HEAD_BYTES_MAX {
        return text(431, "the request's line and headers are too large\n");
    }
    let headers = match readable(&head.headers) {
        Ok(headers) => headers,
        Err(name) => return text(400, format!("the value of the header {name} is not UTF-8\n")),
    };
    let mut read = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: Bytes::new(),
    };
    if read.header("host").is_none()
        && let Some(authority) = head.uri.authority()
    {
        read.headers.push(("host".to_owned(), authority.to_string()));
    }
    let is_small = body.size_hint().upper().is_some_and(|octets| octets <= SMALL_BODY_BYTES_MAX as u64);
    let sender = if is_small { Ok(Sender::Nameless) } else { service.sender(&read) };
    let sender = match sender {
        Ok(sender) => sender,
        Err(refusal) => return finish(refusal),
    };
    // A large body's place is held until the answer is there: the body lives as long.
    let (bytes, _place) = match service.bodies.read(body, sender, peer.ip()).await {
        Ok(placed) => placed,
        Err(Unread::TooLarge) => return finish(service.too_large(&read)),
        Err(Unread::TooSlow) => return text(408, "the body took too long\n"),
        Err(Unread::Broken) => return text(400, "the body could not be read\n"),
    };
    read.body = bytes;
    finish(service.answer(&read, peer).await)
}

/// Whether the service can do its work.
fn health(service: &Service) -> hyper::Response<Full<Bytes>> {
    match service.store().health() {
        Ok(()) => text(200, "ok\n"),
        Err(error) => {
            // What it is about is the operator's alone.
            tracing::warn!(%error, "not healthy");
            text(503, "the store can't write\n")
        }
    }
}

/// What makes it unclear to whom a request goes (RFC 9112, 3.2): others on its way may read it otherwise. Where it ends
/// is the parser's matter: of a length and chunks it takes the chunks, and closes the connection afterwards (6.3).
fn wrong_host<B>(request: &hyper::Request<B>) -> Option<&'static str> {
    match request.headers().get_all(HOST).iter().count() {
        0 if request.version() >= Version::HTTP_11 => Some("no Host header\n"),
        0 | 1 => None,
        _ => Some("more than one Host header\n"),
    }
}

fn closing<B>(mut response: hyper::Response<B>) -> hyper::Response<B> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Names and values of headers; or the name of one that can't be read. To go on without it would make a signature
/// that covers it look wrong.
fn readable(headers: &HeaderMap) -> Result<Vec<(String, String)>, &HeaderName> {
    let read = |(name, value): (&'_ HeaderName, &HeaderValue)| match std::str::from_utf8(value.as_bytes()) {
        Ok(value) => Some((name.as_str().to_owned(), value.to_owned())),
        Err(_) => None,
    };
    headers.iter().map(|header| read(header).ok_or(header.0)).collect()
}

/// Octets of a request's line and headers, with the separators of headers.
fn head_bytes(uri: &hyper::Uri, headers: &HeaderMap) -> usize {
    let line = uri.path_and_query().map_or(0, |it| it.as_str().len());
    headers.iter().fold(line, |sum, (name, value)| sum + name.as_str().len() + value.len() + 4)
}

fn text(status: u16, text: impl Into<Vec<u8>>) -> hyper::Response<Full<Bytes>> {
    let content_type = "text/plain; charset=utf-8";
    finish(Response { status, content_type, headers: Vec::new(), body: text.into() })
}

fn finish(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut builder =
        hyper::Response::builder().status(response.status).header("content-type", response.content_type);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(response.body))).unwrap_or_else(|error| {
        tracing::error!(%error, "a response could not be written");
        let mut broken = hyper::Response::new(Full::new(Bytes::new()));
        *broken.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        broken
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_its_line_and_its_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(head_bytes(&"/?Action=X".parse().unwrap(), &headers), 10);
        headers.append("a", HeaderValue::from_static("123"));
        headers.append("a", HeaderValue::from_static(""));
        assert_eq!(head_bytes(&"http://host:1/".parse().unwrap(), &headers), 1 + 8 + 5);
    }

    #[test]
    fn a_header_that_is_not_utf_8_is_named() {
        let mut headers = HeaderMap::new();
        headers.append("a", HeaderValue::from_bytes("é".as_bytes()).unwrap());
        assert_eq!(readable(&headers).unwrap(), [("a".to_owned(), "é".to_owned())]);
        headers.append("x-name", HeaderValue::from_bytes(b"\xe9").unwrap());
        assert_eq!(readable(&headers).unwrap_err(), "x-name");
    }
}
