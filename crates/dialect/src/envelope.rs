//! What a dialect reads from the transport before it looks at the action.

use std::fmt;

use crate::params::Params;

/// The outside of a request: who claims to ask for what, and what the claim is signed with.
///
/// Its `Debug` shows no parameter and no signature: parameters may hold pre-shared keys.
#[derive(Clone)]
pub struct Envelope {
    /// The product (service) addressed, in lower case, such as `vpc`.
    pub service: String,
    /// The action's name as sent.
    pub action: String,
    /// The API version as sent.
    pub version: String,
    /// The region as sent; empty when none was.
    pub region: String,
    /// The claimed access key id; empty for actions that need none.
    pub access_key: String,
    /// The session token sent with temporary keys.
    pub session_token: Option<String>,
    /// When the request says it was made, in seconds since the epoch.
    pub timestamp_s: i64,
    /// The nonce, where the scheme has one.
    pub nonce: Option<String>,
    /// What was signed, and the signature.
    pub signing: Signing,
    /// The answer is wanted as XML (where the API has XML).
    pub wants_xml: bool,
    /// The language wanted for messages, such as `en-US`; empty when none was asked for.
    pub language: String,
    /// The host as the client called it, without scheme, with port.
    pub host: String,
    /// The decoded parameters of query and form, in order, as far as they had to be read to know who asks for what.
    pub pairs: Vec<(String, String)>,
    /// The action's own parameters, as a tree. Empty until [`Dialect::read`](crate::Dialect::read).
    pub params: Params,
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("service", &self.service)
            .field("action", &self.action)
            .field("region", &self.region)
            .field("access_key", &self.access_key)
            .field("timestamp_s", &self.timestamp_s)
            .finish_non_exhaustive()
    }
}

/// A signature. What it covers is made when it is checked: that costs, and nobody is to cause it who has no key.
#[derive(Clone, Default)]
pub struct Signing {
    /// The dialect's word for the scheme, such as `ACS3-HMAC-SHA256`.
    pub scheme: &'static str,
    /// What the key is derived with (date and service of a credential scope), where the scheme does that.
    pub scope: Vec<String>,
    /// The signature as sent.
    pub signature: String,
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

impl Manner {
    /// The manner of a request that could be opened.
    pub fn of(envelope: &Envelope, request_id: String) -> Self {
        Self {
            request_id,
            wants_xml: envelope.wants_xml,
            action: envelope.action.clone(),
            host: envelope.host.clone(),
            language: envelope.language.clone(),
        }
    }
}

/// How much of a request could be read when it failed, so that the refusal takes the wanted form.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Id of the request, made by the server, in the dialect's form.
    pub request_id: String,
    /// The answer is wanted as XML.
    pub wants_xml: bool,
    /// The action's name, where it was read.
    pub action: String,
    /// The host as the client called it.
    pub host: String,
    /// The language wanted.
    pub language: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    #[test]
    fn debug_shows_no_parameter_and_no_signature() {
        let signing = Signing { signature: "hunter2".into(), ..Signing::default() };
        let envelope = Envelope {
            service: "vpc".into(),
            action: "CreateVpnConnection".into(),
            version: String::new(),
            region: String::new(),
            access_key: "id".into(),
            session_token: None,
            timestamp_s: 0,
            nonce: None,
            signing,
            wants_xml: false,
            language: String::new(),
            host: String::new(),
            pairs: vec![("Psk".into(), "hunter2".into())],
            params: Params::from_pairs([("Psk", "hunter2")]).unwrap(),
        };
        let request = Request {
            method: "POST".into(),
            path: "/".into(),
            query: "Psk=hunter2".into(),
            headers: Vec::new(),
            body: "Psk=hunter2".into(),
        };
        let shown = format!("{envelope:?} {:?} {request:?}", envelope.signing);
        assert!(shown.contains("CreateVpnConnection") && !shown.contains("hunter2"), "{shown}");
    }
}
