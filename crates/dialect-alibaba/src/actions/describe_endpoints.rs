//! DescribeEndpoints of Location: every product of the cloud is where the client called.

use causeway_dialect::{EncodeContext, Failure};
use causeway_ops::{Operation, Outcome};
use serde_json::{Value, json};

use crate::action::{Action, Input};
use crate::params::Fields;
use crate::selects;

pub const ACTION: Action = Action { service: "location", name: "DescribeEndpoints", decode, encode };

/// Codes of products: those of `aliyun-python-sdk-core` 2.16.1 (`data/endpoints.json`), of the other products that the
/// VPN APIs' clients call, and later ones of the network.
#[rustfmt::skip]
const PRODUCTS: &[&str] = &[
    "actiontrail", "airec", "alb", "alidfs", "alidns", "alidnsgtm", "alikafka", "alimt",
    "apigateway", "arms", "baas", "bastionhost", "batchcompute", "beebot", "bssopenapi", "cas",
    "cbn", "ccc", "cccvn", "ccs", "cdn", "cloudap", "cloudauth", "clouddesktop", "cloudfirewall",
    "cloudphoto", "cloudwf", "cms", "codepipeline", "cps", "cr", "cs", "csb", "dbs", "dcdn", "ddos",
    "ddosbasic", "ddosbgp", "ddoscoo", "ddosdip", "ddosrewards", "dds", "dm", "dmsenterprise",
    "domain", "domain-intl", "drds", "drdspost", "drdspre", "dts", "dybaseapi", "dysmsapi", "eci",
    "ecs", "ehs", "eipanycast", "elasticsearch", "emas", "emr", "ens", "ensdisk", "ess", "faas",
    "fc", "foas", "ga", "gameshield", "gpdb", "green", "hbase", "hcs_mgw", "hcs_sgw", "hdm",
    "hitsdb", "hpc", "hsm", "httpdns", "imagesearch", "imm", "ims", "iot", "iovcc", "itaas",
    "ivision", "jaq", "kms", "kvstore", "linkedmall", "linkwan", "live", "location", "luban", "mts",
    "nas", "nlb", "nlp", "oas", "odpsmayi", "odpsplusmayi", "ons", "onsvip", "openanalytics", "oss",
    "ots", "pcdn", "petadata", "polardb", "privatelink", "pts", "push", "pvtz", "qualitycheck",
    "ram", "rds", "redisa", "resourcemanager", "ros", "rtc", "saf", "sca", "scdn", "slb", "smartag",
    "sts", "tag", "trademark", "uis", "vipaegis", "vod", "vpc", "vpcpeer", "vs", "waf", "xianzhi",
    "yunmarket",
];

/// The refusals of regions and products that the cloud does not know, in the words by which
/// `aliyun-python-sdk-core` 2.16.1 recognises them (`location_service_endpoint_resolver.py`). Clients then take an
/// address of their own tables. Which status comes with them is not documented.
fn decode(input: &Input<'_>) -> Result<Operation, Failure> {
    if let Some(id) = input.fields.text("Id")
        && !input.regions.iter().any(|region| region.id.as_str() == id)
    {
        return Err(Failure::new(404, "InvalidRegionId", "The specified region does not exist."));
    }
    let product = input.fields.text("ServiceCode").unwrap_or_default().to_ascii_lowercase();
    if PRODUCTS.binary_search(&product.as_str()).is_err() {
        return Err(Failure::new(400, "Illegal Parameter", "Please check the parameters"));
    }
    Ok(selects::settings())
}

fn encode(_: &Outcome, context: &EncodeContext<'_>) -> Value {
    let fields = Fields::of(&context.envelope.params);
    let product = fields.text("ServiceCode").unwrap_or_default();
    let endpoint = json!({
        "Endpoint": context.envelope.host,
        "Id": fields.text("Id").unwrap_or_else(|| context.caller.region.to_string()),
        "Namespace": "",
        "Protocols": {"Protocols": ["HTTP", "HTTPS"]},
        // Spelled so by the cloud.
        "SerivceCode": product,
        "Type": fields.text("Type").unwrap_or_else(|| "openAPI".to_owned()),
    });
    json!({"Success": true, "Endpoints": {"Endpoint": [endpoint]}})
}

#[cfg(test)]
mod tests {
    use super::PRODUCTS;
    use crate::testing::World;

    #[test]
    fn the_endpoint_is_the_host_called() {
        for product in ["vpc", "Sts", "ecs", "resourcemanager"] {
            let pairs = [("ServiceCode", product), ("Id", "cn-beijing"), ("Type", "openAPI")];
            let shown = World::new().ok("DescribeEndpoints", &pairs);
            let endpoint = &shown["Endpoints"]["Endpoint"][0];
            assert_eq!(endpoint["Endpoint"], "127.0.0.1:8440");
            assert_eq!(endpoint["Id"], "cn-beijing");
            assert_eq!(endpoint["SerivceCode"], product);
            assert_eq!(endpoint["Protocols"]["Protocols"][0], "HTTP");
        }
    }

    #[test]
    fn what_the_cloud_does_not_know_is_refused() {
        assert!(PRODUCTS.is_sorted());
        let code = |product, region| {
            World::new().code("DescribeEndpoints", &[("ServiceCode", product), ("Id", region)])
        };
        assert_eq!(code("no-such-product", "cn-beijing"), "Illegal Parameter");
        assert_eq!(code("vpc", "cn-atlantis"), "InvalidRegionId");
    }
}
