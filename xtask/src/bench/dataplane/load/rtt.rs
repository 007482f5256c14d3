//! Round trip times of a path without other traffic, by ping.

use anyhow::ensure;

use super::super::lab::{FAR_HOST, Lab, Side};

/// When the next ping leaves.
#[derive(Clone, Copy, Debug)]
pub enum Spacing {
    /// After so many milliseconds. After ten no code on the way is in a cache any more, and every CPU sleeps.
    Ms(u32),
    /// As soon as the one before has come back.
    None,
}

impl Spacing {
    fn option(self) -> String {
        match self {
            Self::Ms(ms) => format!("-i {}", f64::from(ms) / 1000.0),
            Self::None => "-A".to_owned(),
        }
    }
}

/// The median round trip of 200 pings, in milliseconds.
pub fn median_ms(lab: &Lab, spacing: Spacing) -> anyhow::Result<f64> {
    let ping = format!("ping -n {} -c 200 {FAR_HOST}", spacing.option());
    let text = lab.exec(&lab.host(Side::A), &ping)?;
    let mut times: Vec<f64> =
        text.lines().filter_map(|line| line.split("time=").nth(1)?.split(' ').next()?.parse().ok()).collect();
    ensure!(times.len() >= 190, "only {} of 200 pings came back", times.len());
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
