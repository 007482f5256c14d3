//! Requests: anything that may come over the wire, and well-formed ones with any parameters.

use std::fmt::Write as _;

use arbitrary::Arbitrary;
use causeway_dialect::Request;
use causeway_dialect::encoding::percent_encode;

use crate::words::{ALIBABA, HEADERS, TENCENT, VALUES};

/// A value: a word that some parser knows, the id of something that was made before, or anything.
#[derive(Arbitrary, Clone, Debug)]
pub enum Text {
    /// One of [`VALUES`].
    Known(u8),
    /// One of the ids that exist.
    Id(u8),
    /// Anything.
    Free(String),
}

impl Text {
    /// The text, given the ids that exist.
    pub fn resolve(&self, ids: &[String]) -> String {
        match self {
            Text::Known(place) => pick(VALUES, *place).to_owned(),
            Text::Id(_) if ids.is_empty() => String::new(),
            Text::Id(place) => ids[usize::from(*place) % ids.len()].clone(),
            Text::Free(text) => text.clone(),
        }
    }
}

fn pick<'a>(words: &[&'a str], place: u8) -> &'a str {
    words[usize::from(place) % words.len()]
}

/// Whatever a client may send.
#[derive(Arbitrary, Debug)]
pub struct Wire {
    get: bool,
    query: String,
    headers: Vec<(u8, Text)>,
    body: Vec<u8>,
}

impl Wire {
    /// As the server hands it to the dialects.
    pub fn request(&self) -> Request {
        let named = self.headers.iter().map(|(name, value)| {
            let name = pick(HEADERS, *name).to_owned();
            (name, value.resolve(&[]))
        });
        Request {
            method: if self.get { "GET" } else { "POST" }.to_owned(),
            path: "/".to_owned(),
            query: self.query.clone(),
            headers: named.collect(),
            body: self.body.clone().into(),
        }
    }
}

/// A call of an action with everything that the transport wants, but the right signature.
#[derive(Arbitrary, Debug)]
pub struct Signed {
    /// Which action.
    pub action: u8,
    /// Its parameters: a name, a place in a list, a value.
    pub parameters: Vec<(u8, u8, Text)>,
}

impl Signed {
    fn pairs(&self, names: &[&str], ids: &[String]) -> Vec<(String, String)> {
        let each = self.parameters.iter().map(|(name, place, value)| {
            // Few places, so that the members of one item meet.
            (pick(names, *name).replace('#', &(place % 4).to_string()), value.resolve(ids))
        });
        each.collect()
    }

    /// As a request to the first dialect, signed by version 1.0.
    pub fn alibaba(&self, actions: &[&str], ids: &[String]) -> Request {
        alibaba_query(pick(actions, self.action), &self.pairs(ALIBABA, ids))
    }

    /// As a request to the second dialect, signed by its first scheme.
    pub fn tencent(&self, actions: &[&str], ids: &[String]) -> Request {
        tencent_query(pick(actions, self.action), &self.pairs(TENCENT, ids))
    }
}

/// A request to the first dialect with these parameters.
pub fn alibaba_query(action: &str, pairs: &[(String, String)]) -> Request {
    let mut query = format!(
        "Action={action}&Version=2016-04-28&AccessKeyId=id&Signature=00&SignatureMethod=HMAC-SHA1\
         &SignatureVersion=1.0&SignatureNonce=1&Timestamp=2027-01-15T08%3A00%3A00Z&RegionId=cn-hangzhou"
    );
    append(&mut query, pairs);
    get(query, "vpc.aliyuncs.com")
}

/// A request to the second dialect with these parameters, signed by its first scheme.
pub fn tencent_query(action: &str, pairs: &[(String, String)]) -> Request {
    let mut query = format!(
        "Action={action}&Version=2017-03-12&Region=ap-guangzhou&Timestamp=1800000000&Nonce=1&SecretId=id&Signature=00"
    );
    append(&mut query, pairs);
    get(query, "vpc.tencentcloudapi.com")
}

/// A request to the second dialect with a JSON body, signed by TC3.
pub fn tencent_json(action: &str, body: Vec<u8>) -> Request {
    let authorization = "TC3-HMAC-SHA256 Credential=id/2027-01-15/vpc/tc3_request, \
                         SignedHeaders=content-type;host, Signature=00";
    let headers = [
        ("host", "vpc.tencentcloudapi.com"),
        ("content-type", "application/json"),
        ("authorization", authorization),
        ("x-tc-action", action),
        ("x-tc-version", "2017-03-12"),
        ("x-tc-timestamp", "1800000000"),
        ("x-tc-region", "ap-guangzhou"),
    ];
    Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: body.into(),
    }
}

fn append(query: &mut String, pairs: &[(String, String)]) {
    for (name, value) in pairs {
        // Writing to memory does not fail.
        let _ = write!(query, "&{}={}", percent_encode(name), percent_encode(value));
    }
}

fn get(query: String, host: &str) -> Request {
    Request {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query,
        headers: vec![("host".to_owned(), host.to_owned())],
        body: Vec::new().into(),
    }
}
