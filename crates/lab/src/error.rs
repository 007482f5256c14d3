//! What can go wrong in a lab.

use causeway_engine_linux::LinuxError;

#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("{0:?} is no name: 1 to 10 characters of a-z and 0-9")]
    Name(String),
    #[error("there is no host or site {0:?}")]
    Unknown(String),
    #[error("the network or subnet of {0:?} does not exist")]
    NoSubnet(String),
    #[error("the public address {0} is a gateway's or another site's")]
    Taken(std::net::IpAddr),
    #[error("{0} is no address of a host in that subnet")]
    HostAddress(std::net::IpAddr),
    #[error(transparent)]
    Node(#[from] LinuxError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("{command} said: {output}")]
    Command { command: String, output: String },
    #[error("{0} took too long")]
    Timeout(String),
}
