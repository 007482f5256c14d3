//! The run directory is on a tmpfs: what is in it belongs to this boot, and secrets in it reach no disk.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::LinuxError;
use crate::records;

/// Bounds what records and logs can take: a tunnel's record is about 1 KiB.
const OPTIONS: &str = "mode=0700,size=256m";

/// Makes the directory and mounts a tmpfs on it unless it is on one.
pub(crate) fn ensure(path: &Path) -> Result<(), LinuxError> {
    records::make_private_dir(path)?;
    let mounted = is_tmpfs(path).and_then(|there| if there { Ok(()) } else { mount(path) });
    mounted.map_err(|source| failed("a tmpfs for", path, source))
}

/// Takes the tmpfs that [`ensure`] mounted, and the directory, away.
pub(crate) fn remove(path: &Path) -> Result<(), LinuxError> {
    let unmounted = name(path).and_then(|target| {
        // SAFETY: `target` is a terminated string that lives over the call.
        match unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    });
    match unmounted.map_err(|error| (error.raw_os_error(), error)) {
        // EINVAL: no mount point, because the directory was on a tmpfs before.
        Ok(()) | Err((Some(libc::EINVAL | libc::ENOENT), _)) => records::remove_dir(path),
        Err((_, source)) => Err(failed("removing the tmpfs at", path, source)),
    }
}

fn failed(what: &str, path: &Path, source: io::Error) -> LinuxError {
    LinuxError::System { what: format!("{what} {}", path.display()), source }
}

fn is_tmpfs(path: &Path) -> io::Result<bool> {
    let target = name(path)?;
    // SAFETY: statfs holds integers only, for which zero is a value.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: `target` is a terminated string and `found` a statfs to write to; both live over the call.
    match unsafe { libc::statfs(target.as_ptr(), &raw mut found) } {
        0 => Ok(found.f_type == libc::TMPFS_MAGIC),
        _ => Err(io::Error::last_os_error()),
    }
}

fn mount(path: &Path) -> io::Result<()> {
    let (target, kind, options) = (name(path)?, c"tmpfs", CString::new(OPTIONS)?);
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // SAFETY: all four pointers are to terminated strings that live over the call; tmpfs takes its options
    // as such a string.
    let done =
        unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn name(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
