//! The products (services) whose actions are known, by host name and by API version.

/// A product of the cloud.
struct Product {
    /// Its word in the catalogue.
    service: &'static str,
    /// API versions. No two products share one, so that the version alone names the product.
    versions: &'static [&'static str],
    /// First labels of its host names.
    hosts: &'static [&'static str],
}

const PRODUCTS: &[Product] = &[
    Product { service: "vpc", versions: &["2016-04-28"], hosts: &["vpc", "vpc-vpc", "vpc-share"] },
    Product { service: "sts", versions: &["2015-04-01"], hosts: &["sts", "sts-vpc"] },
    Product { service: "location", versions: &["2015-06-12"], hosts: &["location", "location-readonly"] },
    Product { service: "resourcemanager", versions: &["2020-03-31"], hosts: &["resourcemanager"] },
    Product { service: "ecs", versions: &["2014-05-26"], hosts: &["ecs", "ecs-cn-hangzhou"] },
    Product { service: "cbn", versions: &["2017-09-12"], hosts: &["cbn"] },
    Product { service: "bssopenapi", versions: &["2017-12-14"], hosts: &["business"] },
    Product { service: "cas", versions: &["2018-07-13", "2020-04-07"], hosts: &["cas"] },
];

const DOMAIN: &str = ".aliyuncs.com";

/// The product that an API version belongs to.
pub fn of_version(version: &str) -> Option<&'static str> {
    PRODUCTS.iter().find(|product| product.versions.contains(&version)).map(|product| product.service)
}

/// A host name without its port, if it is one of the cloud's.
fn cloud_host(host: &str) -> Option<&str> {
    let name = host.split(':').next().unwrap_or(host);
    name.strip_suffix(DOMAIN)
}

/// Whether a host is one of the cloud's, but of no product that is known.
pub fn is_unknown_host(host: &str) -> bool {
    cloud_host(host).is_some_and(|name| {
        let label = name.split('.').next().unwrap_or(name);
        !PRODUCTS.iter().any(|product| product.hosts.contains(&label))
    })
}

/// Whether a host is one of the cloud's.
pub fn is_cloud_host(host: &str) -> bool {
    cloud_host(host).is_some()
}

/// The region that a host name speaks of: `vpc.<region>.aliyuncs.com`.
pub fn region_of_host(host: &str) -> Option<&str> {
    cloud_host(host)?.split('.').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_versions() {
        assert_eq!(of_version("2016-04-28"), Some("vpc"));
        assert_eq!(of_version("2020-04-07"), Some("cas"));
        assert_eq!(of_version("2016-04-29"), None);
        assert_eq!(region_of_host("vpc.cn-hangzhou.aliyuncs.com:443"), Some("cn-hangzhou"));
        assert_eq!(region_of_host("vpc.aliyuncs.com"), None);
        assert_eq!(region_of_host("127.0.0.1:8440"), None);
        assert!(is_unknown_host("oss.aliyuncs.com"));
        assert!(!is_unknown_host("vpc.aliyuncs.com"));
        assert!(!is_unknown_host("127.0.0.1:8440"));
    }
}
