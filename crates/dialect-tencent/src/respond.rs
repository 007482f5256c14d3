//! The envelope of answers.

use causeway_dialect::json::Members;
use causeway_dialect::{Failure, Response};
use serde_json::json;

/// Without a charset: the Python SDK takes an error with any other content type for an empty success.
pub const CONTENT_TYPE: &str = "application/json";

/// A success: its members, and the request's id.
pub fn success(members: Members, request_id: &str) -> Response {
    response(&members.with("RequestId", request_id))
}

/// A refusal. Its HTTP status is 200, like every answer's.
pub fn failure(failure: &Failure, request_id: &str) -> Response {
    let error = json!({"Code": failure.code, "Message": failure.message});
    response(&Members::new().with("Error", error).with("RequestId", request_id))
}

fn response(members: &Members) -> Response {
    let body = [b"{\"Response\":{", members.text(), b"}}"].concat();
    Response { status: 200, content_type: CONTENT_TYPE, headers: Vec::new(), body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_one_top_level_member_and_the_exact_content_type() {
        let answer = success(Members::new().with("TotalCount", 0), "r");
        assert_eq!(answer.body, br#"{"Response":{"TotalCount":0,"RequestId":"r"}}"#);
        let answer = failure(&Failure::new(400, "A.B", "m"), "r");
        assert_eq!((answer.status, answer.content_type), (200, "application/json"));
        assert_eq!(answer.body, br#"{"Response":{"Error":{"Code":"A.B","Message":"m"},"RequestId":"r"}}"#);
    }
}
