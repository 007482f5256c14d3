//! A small signing client of both APIs, for the demo and the benchmarks. People use their cloud's own SDKs.

pub mod alibaba;
pub mod client;
pub mod request;
pub mod tencent;

pub use client::{Client, ClientError, nonce, now};
pub use request::{AccessKey, SignedRequest};
