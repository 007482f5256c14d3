//! What a dialect is, and what dialects share: parameter trees, encodings, times, XML.

pub mod dialect;
pub mod encoding;
pub mod envelope;
pub mod json;
pub mod params;
pub mod request;
pub mod response;
pub mod time;
pub mod tree;
pub mod xml;

pub use dialect::{ActionInfo, Call, DecodeContext, Dialect, EncodeContext, Gate, RateLimit};
pub use envelope::{Envelope, Manner, Signing};
pub use params::{Params, ParamsError};
pub use request::Request;
pub use response::{Failure, Response};
