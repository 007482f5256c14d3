//! What the tests of actions share.

use std::sync::Arc;

use causeway_dialect::{DecodeContext, Dialect, EncodeContext, Envelope, Params, Signing};
use causeway_model::{AccountId, DialectId, Millis, Region, View};
use causeway_ops::{AccountSettings, Caller, Operation, Outcome, Settings};
use serde_json::Value;

use crate::action::Input;
use crate::refusal::Refusal;
use crate::{Tencent, actions, catalog, check};

/// 2023-11-15 06:13:20 in China.
pub const NOW: Millis = Millis(1_700_000_000_000);

/// The id of every request.
pub const REQUEST_ID: &str = "481e9b6e-81d1-4859-b8cf-a673e010b388";

/// Settings with the cloud's regions and one account.
pub fn settings() -> Settings {
    let account = AccountSettings::new("100000000001", "test");
    Settings {
        regions: [(DialectId::from(crate::ID), Tencent.default_regions())].into(),
        public_pools: vec!["203.0.113.0/24".parse().unwrap()],
        accounts: [(account.id.clone(), account)].into(),
    }
}

/// A caller in Guangzhou.
pub fn caller() -> Caller {
    Caller {
        account: AccountId::from("100000000001"),
        dialect: DialectId::from(crate::ID),
        region: Region::from("ap-guangzhou"),
        rules: Tencent.rules(),
        token: None,
        settings: Arc::new(settings()),
    }
}

/// The outside of a request for an action.
pub fn envelope(service: &str, action: &str, params: Value) -> Envelope {
    Envelope {
        service: service.to_owned(),
        action: action.to_owned(),
        version: catalog::service(service).unwrap().version.to_owned(),
        region: "ap-guangzhou".to_owned(),
        access_key: "AKID".to_owned(),
        session_token: None,
        timestamp_s: NOW.seconds(),
        nonce: None,
        signing: Signing::default(),
        wants_xml: false,
        language: "en-US".to_owned(),
        host: "127.0.0.1".to_owned(),
        pairs: Vec::new(),
        params: Params(params.as_object().cloned().unwrap_or_default()),
    }
}

/// What decoding an action of `vpc` gives.
pub fn decode(action: &str, params: Value) -> Result<Operation, Refusal> {
    decode_in("vpc", action, params)
}

/// What decoding an action of a service gives.
pub fn decode_in(service: &str, action: &str, params: Value) -> Result<Operation, Refusal> {
    let envelope = envelope(service, action, params);
    let settings = settings();
    let account = AccountId::from("100000000001");
    let region = Region::from("ap-guangzhou");
    let spec = catalog::service(service).unwrap();
    check::check(spec, spec.action(action).unwrap(), &envelope.params)?;
    let context = DecodeContext { settings: &settings, account: &account, now: NOW, request_id: REQUEST_ID };
    let input = Input { envelope: &envelope, context, region: &region };
    (actions::find(service, action).unwrap().decode)(&input)
}

/// The answer of an action of `vpc` to an outcome in an empty store, without its request id.
pub fn encode(action: &str, params: Value, outcome: &Outcome) -> Value {
    encode_in("vpc", action, params, outcome, &View::default()).unwrap()
}

/// The answer of an action to an outcome in a store, without its request id.
pub fn encode_in(
    service: &str,
    action: &str,
    params: Value,
    outcome: &Outcome,
    view: &View,
) -> Result<Value, Refusal> {
    let envelope = envelope(service, action, params);
    let caller = caller();
    let context = EncodeContext { view, caller: &caller, envelope: &envelope, request_id: "r", now: NOW };
    let answer = (actions::find(service, action).unwrap().encode)(outcome, &context)?;
    Ok(serde_json::from_slice(&answer.object()).unwrap())
}

/// A caller's whole call: decoded, decided and encoded on a store, which is changed by it.
pub fn call(view: &mut View, service: &str, action: &str, params: Value) -> Result<Value, Refusal> {
    let operation = decode_in(service, action, params.clone())?;
    let caller = caller();
    let mut number = view.revision().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut entropy = || {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        number
    };
    let decision = causeway_ops::decide(view, &caller, &operation, NOW, &mut entropy)
        .map_err(|error| crate::errors::refuse(service, action, &error))?;
    view.apply(&decision.writes);
    encode_in(service, action, params, &decision.outcome, view)
}

/// The members of `extra` laid over those of `base`.
pub fn merged(mut base: Value, extra: Value) -> Value {
    if let (Some(base), Value::Object(extra)) = (base.as_object_mut(), extra) {
        base.extend(extra);
    }
    base
}
