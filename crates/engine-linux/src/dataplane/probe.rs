//! Looks what a node's kernel can do, by trying it in a namespace of its own.

use std::net::Ipv4Addr;

use nlink::netlink::link::XfrmLink;
use nlink::netlink::xfrm::{IpsecProtocol, XfrmSaBuilder};
use nlink::netlink::{Connection, Xfrm};

use super::{Choice, Kind};
use crate::error::LinuxError;
use crate::netns::Namespace;

/// Chooses the data plane of a node.
///
/// # Errors
/// [`LinuxError::NoDataPlane`] when neither works here, and others when not even a namespace can be made.
pub(crate) async fn probe(namespace: &Namespace) -> Result<Choice, LinuxError> {
    namespace.ensure(&[]).await?;
    let lacking = kernel_lacks(namespace).await;
    namespace.remove().await?;
    let Some(what) = lacking else {
        return Ok(Choice { kind: Kind::Kernel, reason: "the kernel has ESP and xfrm interfaces".into() });
    };
    let user = tokio::task::spawn_blocking(uxfrm::probe::probe).await.map_err(|_| LinuxError::Stopped)?;
    if !user.uxfrm_works() {
        return Err(LinuxError::NoDataPlane { kernel: what, user: user.to_string() });
    }
    Ok(Choice { kind: Kind::Uxfrm, reason: format!("the kernel has no {what}") })
}

/// What the kernel's own IPsec is missing, with its answer.
async fn kernel_lacks(namespace: &Namespace) -> Option<String> {
    let link = XfrmLink::new("probe", 1).link("lo");
    let added = match namespace.route() {
        Ok(socket) => socket.add_link(link).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = added {
        return Some(format!("xfrm interfaces ({error})"));
    }
    // The kernel looks for the protocol when an SA is added. The key is for an SA nobody sends with.
    let ends = (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::new(127, 0, 0, 2).into());
    let sa = XfrmSaBuilder::new(ends.0, ends.1, 0x1000, IpsecProtocol::Esp).aead_aes_gcm(&[1; 20], 128);
    let added = match Connection::<Xfrm>::new_in(namespace.name()) {
        Ok(socket) => socket.add_sa(sa).await,
        Err(error) => Err(error),
    };
    added.err().map(|error| format!("ESP ({error})"))
}
