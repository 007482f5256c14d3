//! Names of namespaces, links and files. All derive from the node's tag and the control plane's keys, so
//! that whoever comes later finds what is there.

use causeway_plan::{GatewayKey, InstanceKey, NetworkKey, Scope, SubnetKey};

/// An instance's leg to the public fabric.
pub const PUBLIC: &str = "public";
/// An instance's leg in its subnet.
pub const PRIVATE: &str = "private";
/// Starts the name of every tunnel interface.
pub const TUNNEL_PREFIX: &str = "ipsec";

/// The tunnel interface of an interface id.
pub fn tunnel(if_id: u32) -> String {
    format!("{TUNNEL_PREFIX}{if_id}")
}

/// The bridge of a subnet, in its network's namespace: at most 14 of the 15 bytes a link's name has.
pub fn bridge(subnet: &SubnetKey) -> String {
    format!("b-{subnet}")
}

/// The subnet that a bridge is for.
pub fn subnet_of(bridge: &str) -> Option<SubnetKey> {
    SubnetKey::new(bridge.strip_prefix("b-")?).ok()
}

/// The far end of an instance's public leg in the fabric, and of its private leg in the network.
pub fn port(instance: &InstanceKey) -> String {
    format!("g{}{}", instance.index, instance.gateway)
}

/// What a namespace is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    Fabric,
    Network(NetworkKey),
    Instance(InstanceKey),
    /// A host or site of a lab.
    Lab(String),
}

/// Names under one node tag.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
}

impl Names {
    pub fn new(tag: &str) -> Self {
        Self { prefix: format!("cw{tag}-") }
    }

    pub fn fabric(&self) -> String {
        format!("{}fabric", self.prefix)
    }

    pub fn network(&self, key: &NetworkKey) -> String {
        format!("{}net-{key}", self.prefix)
    }

    pub fn instance(&self, key: &InstanceKey) -> String {
        format!("{}gw-{}-{}", self.prefix, key.gateway, key.index)
    }

    pub fn lab(&self, name: &str) -> String {
        format!("{}lab-{name}", self.prefix)
    }

    /// The tag in the name of a namespace of whatever node.
    pub fn tag_of(namespace: &str) -> Option<String> {
        let (tag, _) = namespace.strip_prefix("cw")?.split_once('-')?;
        Self::new(tag).role(namespace).map(|_| tag.to_owned())
    }

    /// What a namespace of this node is for; `None` for one of somebody else.
    pub fn role(&self, namespace: &str) -> Option<Role> {
        let rest = namespace.strip_prefix(&self.prefix)?;
        if rest == "fabric" {
            return Some(Role::Fabric);
        }
        let (kind, name) = rest.split_once('-')?;
        match kind {
            "net" => Some(Role::Network(NetworkKey::new(name).ok()?)),
            "gw" => {
                let (gateway, index) = name.split_once('-')?;
                let key = InstanceKey { gateway: GatewayKey::new(gateway).ok()?, index: index.parse().ok()? };
                Some(Role::Instance(key))
            }
            "lab" => Some(Role::Lab(name.to_owned())),
            _ => None,
        }
    }

    /// The scope that a namespace of this node belongs to.
    pub fn scope(&self, namespace: &str) -> Option<Scope> {
        match self.role(namespace)? {
            Role::Network(key) => Some(Scope::Network(key)),
            Role::Instance(key) => Some(Scope::Gateway(key.gateway)),
            Role::Fabric | Role::Lab(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_keys_and_fit_a_link() {
        let names = Names::new("t1");
        let network = NetworkKey::new("abcdefghijkl").unwrap();
        let instance = InstanceKey { gateway: GatewayKey::new("abcdefghijkl").unwrap(), index: 1 };
        assert_eq!(names.role(&names.network(&network)), Some(Role::Network(network)));
        assert_eq!(names.role(&names.instance(&instance)), Some(Role::Instance(instance.clone())));
        assert_eq!(names.role(&names.fabric()), Some(Role::Fabric));
        assert_eq!(Names::new("t").role(&names.fabric()), None);
        assert!(port(&instance).len() <= 15);
        assert!(bridge(&SubnetKey::new("abcdefghijkl").unwrap()).len() <= 15);
        assert!(tunnel(u32::MAX).len() <= 15);
    }
}
