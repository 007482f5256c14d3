//! Sends signed requests over one kept connection.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use causeway_model::Millis;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::request::{AccessKey, SignedRequest};
use crate::{alibaba, tencent};

/// How long a call may take: a service that hangs must not hang its clients.
pub const CALL_TIME_MAX: Duration = Duration::from_secs(30);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No answer.
    #[error("no answer from {0}: {1}")]
    Transport(SocketAddr, String),
    /// The API refused.
    #[error("{action}: {code}: {message}")]
    Refused {
        /// The action called.
        action: String,
        /// The API's code.
        code: String,
        /// The API's message.
        message: String,
    },
}

impl ClientError {
    /// The API's code, when it refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            ClientError::Transport(..) => None,
            ClientError::Refused { code, .. } => Some(code),
        }
    }
}

/// A client of one service.
pub struct Client {
    address: SocketAddr,
    host: String,
    key: AccessKey,
    connection: Option<SendRequest<Full<Bytes>>>,
    time_max: Duration,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(address: SocketAddr, key: AccessKey) -> Self {
        Self { address, host: address.to_string(), key, connection: None, time_max: CALL_TIME_MAX }
    }

    /// The same, with another time for each call than [`CALL_TIME_MAX`].
    #[must_use]
    pub fn answers_within(self, time_max: Duration) -> Self {
        Self { time_max, ..self }
    }

    /// Calls an action of the Alibaba Cloud API.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn alibaba(
        &mut self,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, ClientError> {
        let owned: Vec<(String, String)> =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = alibaba::sign(&self.key, &self.host, version, action, &owned, now(), nonce());
        let answer = self.json(request).await?;
        match answer.get("Code").and_then(Value::as_str) {
            Some(code) => Err(refused(action, code, &answer["Message"])),
            None => Ok(answer),
        }
    }

    /// Calls an action of the Tencent Cloud API. Gives the members of `Response`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tencent(
        &mut self,
        to: tencent::Destination<'_>,
        action: &str,
        parameters: &Value,
    ) -> Result<Value, ClientError> {
        let request = tencent::sign(&self.key, &self.host, to, action, parameters, now());
        let mut answer = self.json(request).await?;
        let response = answer["Response"].take();
        match response["Error"]["Code"].as_str() {
            Some(code) => Err(refused(action, code, &response["Error"]["Message"])),
            None => Ok(response),
        }
    }

    async fn json(&mut self, request: SignedRequest) -> Result<Value, ClientError> {
        let body = self.send(request).await?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Transport(self.address, error.to_string()))
    }

    /// Sends a request and reads the body of the answer. A connection that was closed meanwhile is opened again
    /// once.
    ///
    /// # Errors
    /// [`ClientError::Transport`] when there is no answer, or none in time ([`Client::answers_within`]).
    pub async fn send(&mut self, request: SignedRequest) -> Result<Bytes, ClientError> {
        let time = self.time_max;
        // When the time is over the connection is gone: it was taken out for the call.
        tokio::time::timeout(time, self.exchange(request)).await.unwrap_or_else(|_| {
            Err(ClientError::Transport(self.address, format!("none within {} s", time.as_secs_f32())))
        })
    }

    async fn exchange(&mut self, request: SignedRequest) -> Result<Bytes, ClientError> {
        let failed = |error: &dyn std::fmt::Display| ClientError::Transport(self.address, error.to_string());
        let mut kept = self.connection.take();
        if let Some(connection) = &mut kept
            && connection.ready().await.is_err()
        {
            kept = None;
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => connect(self.address).await.map_err(|error| failed(&error))?,
        };
        let mut builder = hyper::Request::builder().method(request.method).uri(&request.target);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let request = builder.body(Full::new(Bytes::from(request.body))).map_err(|error| failed(&error))?;
        let response = connection.send_request(request).await.map_err(|error| failed(&error))?;
        let body = response.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes();
        self.connection = Some(connection);
        Ok(body)
    }
}

async fn connect(
    address: SocketAddr,
) -> Result<SendRequest<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(socket)).await?;
    // Its end shows when the next request is sent.
    tokio::spawn(connection);
    Ok(sender)
}

fn refused(action: &str, code: &str, message: &Value) -> ClientError {
    let message = message.as_str().unwrap_or_default().to_owned();
    ClientError::Refused { action: action.to_owned(), code: code.to_owned(), message }
}

/// Now, by the system's clock.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A number that no request had before.
///
/// # Panics
/// When the system has no random numbers.
pub fn nonce() -> u128 {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    u128::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_that_hangs_is_told() {
        // Connections are made by the kernel; nobody answers on them.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let key = AccessKey { id: "k".into(), secret: "s".into() };
        let client = Client::new(listener.local_addr().unwrap(), key);
        let mut client = client.answers_within(Duration::from_millis(50));
        let call = client.alibaba("2016-04-28", "DescribeRegions", &[]);
        let error = tokio::time::timeout(Duration::from_secs(10), call).await.expect("it ends").unwrap_err();
        assert!(error.to_string().contains("none within"), "{error}");
    }
}
