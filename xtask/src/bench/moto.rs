//! Requests to moto's EC2 API, which checks no signature.

use causeway_client::SignedRequest;

/// A call of an EC2 action that answers JSON or XML; the load looks only at the status.
pub fn request(host: &str, body: String) -> SignedRequest {
    let authorization = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=0";
    let headers = [
        ("host", host),
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", authorization),
    ];
    SignedRequest {
        method: "POST",
        target: "/".to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body,
    }
}

/// Makes a gateway.
pub fn create() -> String {
    "Action=CreateVpnGateway&Version=2016-11-15&Type=ipsec.1".to_owned()
}

/// Reads one gateway.
pub fn by_id(id: &str) -> String {
    format!("Action=DescribeVpnGateways&Version=2016-11-15&VpnGatewayId.1={id}")
}

/// Reads the list; moto has no pages here.
pub fn list() -> String {
    "Action=DescribeVpnGateways&Version=2016-11-15".to_owned()
}
