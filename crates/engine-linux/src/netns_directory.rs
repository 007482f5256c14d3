//! The directory of named network namespaces, as iproute2 keeps it: a mount of its own, shared between mount namespaces.
//!
//! `ip netns add` makes it so where it is not yet, by mounting the directory on itself with all that is mounted in it.
//! Every namespace named before then is mounted twice from there on, once out of reach, and can't be removed any more
//! ("Device or resource busy"). So whoever names the first one has to do it.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::{io, ptr};

use crate::error::LinuxError;

const PATH: &str = "/var/run/netns";
const C_PATH: &std::ffi::CStr = c"/var/run/netns";

/// Makes the directory, and the mount, unless they are there.
pub(crate) fn ensure() -> Result<(), LinuxError> {
    make().map_err(|source| LinuxError::System { what: format!("making {PATH} a shared mount"), source })
}

fn make() -> io::Result<()> {
    if !Path::new(PATH).exists() {
        match DirBuilder::new().mode(0o755).create(PATH) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    // iproute2 takes the same lock: two that mount at once would mount twice.
    let _lock = File::open(PATH).and_then(|directory| directory.lock().map(|()| directory))?;
    match mount(None, libc::MS_SHARED | libc::MS_REC) {
        // It is no mount yet.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            mount(Some(C_PATH), libc::MS_BIND | libc::MS_REC)?;
            mount(None, libc::MS_SHARED | libc::MS_REC)
        }
        other => other,
    }
}

fn mount(source: Option<&std::ffi::CStr>, flags: libc::c_ulong) -> io::Result<()> {
    let source = source.map_or(ptr::null(), std::ffi::CStr::as_ptr);
    // SAFETY: `source` is null or, like the target, a terminated string that lives over the call; without a type and
    // data the kernel reads neither.
    match unsafe { libc::mount(source, C_PATH.as_ptr(), ptr::null(), flags, ptr::null()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
