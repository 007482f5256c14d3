//! After an engine was replaced: its SAs are gone, the daemon's are not. Rekeying makes them anew.

use super::vici::Vici;
use std::io;
use std::path::Path;

/// Rekeys every CHILD_SA that the daemon believes to be installed. Returns how many.
///
/// # Errors
/// Of the VICI connection.
pub fn rekey_all(path: &Path) -> io::Result<usize> {
    let mut vici = Vici::connect(path)?;
    let children = vici.list_child_sas()?;
    let installed: Vec<_> = children.into_iter().filter(|child| child.state == "INSTALLED").collect();
    for child in &installed {
        vici.rekey_child(&child.unique_id)?;
    }
    Ok(installed.len())
}
