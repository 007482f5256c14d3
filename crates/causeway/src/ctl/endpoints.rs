//! How to point each client at the service.

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
    let (at, id, secret) = (member("address")?, member("key_id")?, member("key_secret")?);
    let mut text = TEMPLATE.replace("{at}", at).replace("{id}", id).replace("{secret}", secret);
    if let Ok(tls) = member("tls_address") {
        text.push_str(&TLS_TEMPLATE.replace("{tls}", tls).replace("{ca}", member("ca")?));
    }
    Ok(text)
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
#   causeway ctl ca > causeway-ca.pem      (the file is {ca})
#   Alibaba Python SDK:      Config(..., endpoint="{tls}", protocol="HTTPS", ca="causeway-ca.pem")
#   Alibaba Python core SDK: AcsClient(..., verify="causeway-ca.pem")
#   Tencent Python SDK:      HttpProfile(endpoint="{tls}", certification="causeway-ca.pem")
#   Node:   NODE_EXTRA_CA_CERTS=causeway-ca.pem
#   Go (Terraform, aliyun): SSL_CERT_FILE=causeway-ca.pem
"#;
