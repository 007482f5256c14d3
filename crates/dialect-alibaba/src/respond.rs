//! The envelopes of answers and refusals, in JSON and XML.

use causeway_dialect::json::Members;
use causeway_dialect::{EncodeContext, Failure, Manner, Response, xml};
use serde_json::{Value, json};

const JSON: &str = "application/json;charset=utf-8";
/// Clients compare this text as a whole.
const XML: &str = "text/xml;charset=utf-8";

fn response(status: u16, root: &str, body: &Value, wants_xml: bool, request_id: &str) -> Response {
    let headers = vec![("x-acs-request-id", request_id.to_owned())];
    let (content_type, body) =
        if wants_xml { (XML, xml::document(root, body)) } else { (JSON, body.to_string().into_bytes()) };
    Response { status, content_type, headers, body }
}

/// The answer of an action that was carried out: its members and the request id.
pub fn success(mut body: Value, context: &EncodeContext<'_>) -> Response {
    if let Value::Object(members) = &mut body {
        members.insert("RequestId".to_owned(), context.request_id.into());
    }
    let root = format!("{}Response", context.envelope.action);
    response(200, &root, &body, context.envelope.wants_xml, context.request_id)
}

/// The same in JSON, of members that were written at once.
pub fn written(members: Members, request_id: &str) -> Response {
    let headers = vec![("x-acs-request-id", request_id.to_owned())];
    let body = members.with("RequestId", request_id).object();
    Response { status: 200, content_type: JSON, headers, body }
}

/// A refusal. All members must be texts: the Go SDK panics on anything else.
pub fn failure(failure: &Failure, manner: &Manner) -> Response {
    let recommend = format!(
        "https://api.aliyun.com/troubleshoot?q={}&product=Vpc&requestId={}",
        failure.code, manner.request_id
    );
    let body = json!({
        "RequestId": manner.request_id,
        "HostId": manner.host,
        "Code": failure.code,
        "Message": failure.message,
        "Recommend": recommend,
    });
    let mut response = response(failure.status, "Error", &body, manner.wants_xml, &manner.request_id);
    // By this header, not by the code, the newer SDKs tell that they were throttled.
    response.headers.extend(failure.retry_after_s.map(|seconds| ("x-acs-retry-after", seconds.to_string())));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manner(wants_xml: bool) -> Manner {
        Manner {
            request_id: "R-1".into(),
            wants_xml,
            action: "CreateVpc".into(),
            host: "vpc.aliyuncs.com".into(),
            language: String::new(),
        }
    }

    #[test]
    fn refusals_in_json() {
        let it = failure(&Failure::new(404, "InvalidVpcId.NotFound", "Gone."), &manner(false));
        assert_eq!((it.status, it.content_type), (404, "application/json;charset=utf-8"));
        assert_eq!(
            String::from_utf8(it.body).unwrap(),
            "{\"RequestId\":\"R-1\",\"HostId\":\"vpc.aliyuncs.com\",\"Code\":\"InvalidVpcId.NotFound\",\
             \"Message\":\"Gone.\",\"Recommend\":\"https://api.aliyun.com/troubleshoot?q=InvalidVpcId.NotFound\
             &product=Vpc&requestId=R-1\"}"
        );
    }

    #[test]
    fn a_client_that_is_throttled_is_told_for_how_long() {
        let throttled = Failure::new(400, "Throttling.User", "").retry_after(7);
        for wants_xml in [false, true] {
            let header = |it: &Response| it.headers.iter().find(|it| it.0 == "x-acs-retry-after").cloned();
            let told = header(&failure(&throttled, &manner(wants_xml)));
            assert_eq!(told, Some(("x-acs-retry-after", "7".to_owned())));
            assert_eq!(header(&failure(&Failure::new(400, "A", ""), &manner(wants_xml))), None);
        }
    }

    #[test]
    fn refusals_in_xml() {
        let it = failure(&Failure::new(400, "A", "<b>"), &manner(true));
        assert_eq!(it.content_type, "text/xml;charset=utf-8");
        let text = String::from_utf8(it.body).unwrap();
        assert!(text.starts_with(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><RequestId>R-1</RequestId><HostId>vpc.aliyuncs.com\
             </HostId><Code>A</Code><Message>&lt;b&gt;</Message><Recommend>"
        ));
    }
}
