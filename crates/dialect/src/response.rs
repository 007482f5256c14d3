//! A response as it goes over the wire.

/// A finished response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

/// A refusal in the words of one dialect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// HTTP status, where the API tells failures by it.
    pub status: u16,
    /// The API's error code.
    pub code: String,
    /// The API's message.
    pub message: String,
    /// The request may be sent again after so many seconds, where the refusal is one of time.
    pub retry_after_s: Option<u32>,
}

impl Failure {
    /// A refusal.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), retry_after_s: None }
    }

    /// The same for a request that may be sent again later.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}
