use bytes::Bytes;
use causeway_dialect::{DecodeContext, Dialect, Gate, Request};
use causeway_model::AccountId;
use causeway_ops::OpError;
use serde_json::{Value, json};

use super::Tencent;
use crate::testing;

fn decoded(action: &str, service: &str, region: &str, params: Value) -> Result<String, (String, String)> {
    let mut envelope = testing::envelope(service, action, params);
    envelope.region = region.to_owned();
    let settings = testing::settings();
    let account = AccountId::from("100000000001");
    let context = DecodeContext {
        settings: &settings,
        account: &account,
        request_id: testing::REQUEST_ID,
        now: testing::NOW,
    };
    Tencent
        .decode(&envelope, context)
        .map(|call| call.region.to_string())
        .map_err(|failure| (failure.code, failure.message))
}

#[test]
fn every_action_that_is_carried_out_is_in_the_catalogue_once() {
    let catalogue = Tencent.catalogue();
    let actions = Tencent.actions();
    for (place, action) in actions.iter().enumerate() {
        assert!(catalogue.contains(action), "{action:?}");
        assert!(!actions[place + 1..].contains(action), "{action:?} twice");
    }
}

#[test]
fn the_first_region_is_the_default_and_unknown_ones_are_refused() {
    assert_eq!(decoded("DescribeVpnGateways", "vpc", "", json!({})).as_deref(), Ok("ap-guangzhou"));
    assert_eq!(decoded("DescribeVpnGateways", "vpc", "ap-shanghai", json!({})).as_deref(), Ok("ap-shanghai"));
    let message = "A value specified in `X-TC-Region` is not valid, is unsupported, or cannot be used.";
    let wanted = Err(("InvalidParameterValue".to_owned(), message.to_owned()));
    assert_eq!(decoded("DescribeVpnGateways", "vpc", "mars", json!({})), wanted);
}

#[test]
fn actions_of_the_catalogue_that_are_not_carried_out_say_so_after_their_parameters_are_right() {
    let code =
        |params: Value| decoded("CreateVpnGatewayRoutes", "vpc", "", params).expect_err("is refused").0;
    assert_eq!(code(json!({})), "MissingParameter");
    assert_eq!(code(json!({"VpnGatewayId": "vpngw-1", "Routes": []})), "UnsupportedOperation");
}

#[test]
fn refusals_are_answers_with_status_200_in_the_language_asked_for() {
    let request = Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: vec![
            ("x-tc-action".to_owned(), "CreateVpnGateway".to_owned()),
            ("x-tc-language".to_owned(), "zh-CN".to_owned()),
            ("host".to_owned(), "http://127.0.0.1:8440".to_owned()),
        ],
        body: Bytes::new(),
    };
    assert!(Tencent.recognises(&request));
    let manner = Tencent.manner(&request, 1);
    assert_eq!((manner.action.as_str(), manner.host.as_str()), ("CreateVpnGateway", "127.0.0.1:8440"));
    let gate = Gate::TooMany { seen: 21, allowed: 20, window_s: 1, left_s: 1 };
    let answer = Tencent.fail(&Tencent.gate(&gate, &manner), &manner);
    assert_eq!((answer.status, answer.content_type), (200, "application/json"));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let error = &body["Response"]["Error"];
    assert_eq!(error["Code"], "RequestLimitExceeded");
    assert_eq!(error["Message"], "您当前每秒请求 `21` 次，超过了每秒频率上限 `20`，请稍后重试。");
    assert_eq!(body["Response"]["RequestId"], manner.request_id.as_str());
    assert_eq!(body.as_object().unwrap().len(), 1);
    let envelope = testing::envelope("vpc", "CreateVpnGateway", json!({}));
    let failure = Tencent.refuse(&envelope, &OpError::InsufficientFunds);
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("UnsupportedOperation.InsufficientFunds", "Insufficient account balance.")
    );
}

#[test]
fn a_request_of_another_api_is_not_recognised() {
    let mut request = Request {
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query: "Action=DescribeVpnGateways&AccessKeyId=a&Signature=b".to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    assert!(!Tencent.recognises(&request));
    request.query = "Action=DescribeVpnGateways&SecretId=a&Signature=b".to_owned();
    assert!(Tencent.recognises(&request));
}
