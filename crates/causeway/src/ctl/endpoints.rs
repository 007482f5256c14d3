//! How to point each client at the service.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use serde_json::Value;

/// The lines for each client, from the service's status.
///
/// # Errors
/// When the status lacks a member.
pub fn text(status: &Value) -> anyhow::Result<String> {
    let member = |name: &str| {
        status.get(name).and_then(Value::as_str).with_context(|| format!("the status has no {name}"))
    };
    let (at, id, secret) = (called(member("address")?), member("key_id")?, member("key_secret")?);
    let mut text = TEMPLATE.replace("{at}", &at).replace("{id}", id).replace("{secret}", secret);
    if let Ok(tls) = member("tls_address").map(called) {
        let lines = match member("ca") {
            Ok(ca) => TLS_TEMPLATE.replace("{ca}", ca),
            // With a certificate of the operator's.
            Err(_) => GIVEN_TLS_TEMPLATE.to_owned(),
        };
        text.push_str(&lines.replace("{tls}", &tls));
    }
    if ["address", "tls_address"].into_iter().any(|name| member(name).is_ok_and(is_everywhere)) {
        text.push_str(EVERYWHERE_TEMPLATE);
    }
    Ok(text)
}

/// Whether a listener takes what comes to any of the machine's addresses.
fn is_everywhere(address: &str) -> bool {
    address.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_unspecified())
}

/// The address to call for a listener's: the unspecified one is no destination, and in no certificate.
fn called(address: &str) -> String {
    match address.parse::<SocketAddr>() {
        Ok(any) if any.ip().is_unspecified() => {
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), any.port()).to_string()
        }
        _ => address.to_owned(),
    }
}

const TEMPLATE: &str = r#"# Alibaba Cloud: Python SDK (alibabacloud_vpc20160428)
from alibabacloud_tea_openapi.utils_models import Config
Config(access_key_id="{id}", access_key_secret="{secret}", region_id="cn-hangzhou", endpoint="{at}", protocol="http")

# Alibaba Cloud: Python core SDK (aliyun-python-sdk-vpc)
client = AcsClient("{id}", "{secret}", "cn-hangzhou"); request.set_endpoint("{at}"); request.set_protocol_type("http")

# Alibaba Cloud: Node SDK (@alicloud/vpc20160428)
new Config({ accessKeyId: "{id}", accessKeySecret: "{secret}", regionId: "cn-hangzhou", endpoint: "{at}", protocol: "http" })

# Alibaba Cloud: command line
aliyun vpc DescribeVpnGateways --endpoint {at} --insecure --force --access-key-id {id} --access-key-secret {secret} --region cn-hangzhou

# Alibaba Cloud: Terraform
provider "alicloud" {
  access_key             = "{id}"
  secret_key             = "{secret}"
  region                 = "cn-hangzhou"
  protocol               = "HTTP"
  account_type           = "Domestic"
  skip_region_validation = true
  endpoints {
    vpc             = "{at}"
    sts             = "{at}"
    ecs             = "{at}"
    location        = "{at}"
    resourcemanager = "{at}"
  }
}

# Tencent Cloud: Python SDK (tencentcloud-sdk-python-vpc)
client = VpcClient(Credential("{id}", "{secret}"), "ap-guangzhou", ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint="{at}")))

# Tencent Cloud: Node SDK (tencentcloud-sdk-nodejs)
new VpcClient({ credential: { secretId: "{id}", secretKey: "{secret}" }, region: "ap-guangzhou", profile: { httpProfile: { protocol: "http://", endpoint: "{at}" } } })

# Tencent Cloud: command line
tccli vpc DescribeVpnGateways --endpoint http://{at} --secretId {id} --secretKey {secret} --region ap-guangzhou

# Tencent Cloud: Terraform (its host names need no resolution when it uses the service as its proxy)
#   export HTTP_PROXY=http://{at}
provider "tencentcloud" {
  secret_id  = "{id}"
  secret_key = "{secret}"
  region     = "ap-guangzhou"
  protocol   = "HTTP"
}
"#;

const TLS_TEMPLATE: &str = r#"
# HTTPS at {tls}. Trust the service's authority:
#   cp {ca} causeway-ca.pem      (what `causeway ctl ca` prints)
#   Alibaba Python SDK:      Config(..., endpoint="{tls}", protocol="HTTPS", ca="causeway-ca.pem")
#   Alibaba Python core SDK: AcsClient(..., verify="causeway-ca.pem")
#   Tencent Python SDK:      HttpProfile(endpoint="{tls}", certification="causeway-ca.pem")
#   Node:   NODE_EXTRA_CA_CERTS=causeway-ca.pem
#   Go (Terraform, aliyun): SSL_CERT_FILE=causeway-ca.pem
"#;

const GIVEN_TLS_TEMPLATE: &str = r#"
# HTTPS at {tls}, with the certificate given by --tls-cert: call the name that stands in it, by the protocol HTTPS.
"#;

const EVERYWHERE_TEMPLATE: &str = r#"
# The service listens on every address of this machine: from another machine put its address in place of 127.0.0.1,
# and for HTTPS give it to the service's certificate with --tls-name.
"#;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    fn lines(address: &str, tls: Option<&str>, ca: Option<&str>) -> String {
        let status =
            json!({"address": address, "tls_address": tls, "ca": ca, "key_id": "id", "key_secret": "secret"});
        text(&status).unwrap()
    }

    #[test]
    fn no_client_is_sent_to_the_unspecified_address() {
        for any in ["0.0.0.0:8440", "[::]:8440"] {
            let lines = lines(any, Some(any), Some("ca.pem"));
            assert!(!lines.contains(any) && lines.contains(r#"endpoint="127.0.0.1:8440""#), "{lines}");
            assert!(lines.contains("from another machine"), "{lines}");
        }
        let lines = lines("192.0.2.1:8440", None, None);
        assert!(lines.contains(r#"endpoint="192.0.2.1:8440""#), "{lines}");
        assert!(!lines.contains("another machine") && !lines.contains("HTTPS at"), "{lines}");
    }

    #[test]
    fn the_authority_is_named_where_there_is_one() {
        let own = lines("127.0.0.1:1", Some("127.0.0.1:2"), Some("/x/ca.pem"));
        assert!(own.contains("cp /x/ca.pem causeway-ca.pem") && own.contains("127.0.0.1:2"), "{own}");
        let given = lines("127.0.0.1:1", Some("127.0.0.1:2"), None);
        assert!(given.contains("HTTPS at 127.0.0.1:2") && !given.contains("ca.pem"), "{given}");
    }
}
