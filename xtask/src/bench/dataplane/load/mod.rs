//! Load and measures: TCP by iperf3, UDP by a sender and a receiver of our own, round trips by ping.

pub mod flows;
pub mod rtt;
pub mod tcp;
pub mod udp;
