//! A request as the transport received it.

use std::fmt;

use bytes::Bytes;

/// A request as it came over the wire; nothing is decoded yet, because signatures cover the raw bytes.
///
/// Its `Debug` shows neither query nor headers nor body: they may hold pre-shared keys and signatures.
#[derive(Clone)]
pub struct Request {
    /// Method in upper case, such as `POST`.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Query as received, without the question mark; empty when there is none.
    pub query: String,
    /// Headers: lower-case name, value. Values that are not UTF-8 are kept out.
    pub headers: Vec<(String, String)>,
    /// Body as received.
    pub body: Bytes,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// The first header of a (lower-case) name, trimmed.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// The media type of the body in lower case, without its parameters; empty when there is none.
    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}
