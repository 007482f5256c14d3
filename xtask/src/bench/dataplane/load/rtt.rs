//! Round trip times of an idle path, by ping.

use anyhow::ensure;

use super::super::lab::{FAR_HOST, Lab, Side};

/// The median round trip of 200 pings, one each 10 ms, in milliseconds.
pub fn median_ms(lab: &Lab) -> anyhow::Result<f64> {
    let text = lab.exec(&lab.host(Side::A), &format!("ping -n -i 0.01 -c 200 {FAR_HOST}"))?;
    let mut times: Vec<f64> =
        text.lines().filter_map(|line| line.split("time=").nth(1)?.split(' ').next()?.parse().ok()).collect();
    ensure!(times.len() >= 190, "only {} of 200 pings came back", times.len());
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
