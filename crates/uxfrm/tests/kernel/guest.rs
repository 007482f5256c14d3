//! A virtual machine with a stock kernel in which one test of this program runs, alone or on a network. Needs qemu-system-x86_64, busybox, cpio and a
//! kernel: installed, or unpacked in the directory `CAUSEWAY_TEST_KERNEL`:
//!
//! ```text
//! apt-get install --no-install-recommends qemu-system-x86 busybox-static cpio kmod
//! apt-get download "$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/{print $2}')"
//! dpkg -x linux-image-*.deb DIR && depmod -b DIR "$(ls DIR/lib/modules)"
//! ```

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the guest prints when the test passed there.
#[allow(dead_code)]
pub const PASSED: &str = "COMPARED WITH THE KERNEL";

/// In the order of loading where `modules.dep` does not say it.
const MODULES: [&str; 28] = [
    "cryptomgr",
    "jitterentropy_rng",
    "drbg",
    "ghash-generic",
    "gcm",
    "ctr",
    "cbc",
    "aes_generic",
    "des_generic",
    "hmac",
    "sha1_generic",
    "sha256_generic",
    "sha512_generic",
    "md5",
    "authenc",
    "authencesn",
    "seqiv",
    "echainiv",
    "crypto_null",
    "chacha_generic",
    "poly1305_generic",
    "chacha20poly1305",
    "virtio_pci",
    "virtio_net",
    "xfrm_algo",
    "xfrm_user",
    "esp4",
    "esp6",
];
/// Emulation is slow, on a busy machine more so: this only ends what would never end.
const LIMIT_S: &str = "900";

fn kernel() -> Option<(PathBuf, PathBuf)> {
    let root = std::env::var_os("CAUSEWAY_TEST_KERNEL").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let names =
        fs::read_dir(root.join("boot")).ok()?.flatten().filter_map(|e| e.file_name().into_string().ok());
    let version = names.filter_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned)).max()?;
    let modules = root.join("lib/modules").join(&version);
    modules
        .join("modules.dep")
        .exists()
        .then(|| (root.join("boot").join(format!("vmlinuz-{version}")), modules))
}

fn has(tool: &str) -> bool {
    Command::new(tool).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// What is missing to boot a guest, if so.
fn missing() -> Option<String> {
    if let Some(tool) = ["qemu-system-x86_64", "busybox", "cpio"].into_iter().find(|tool| !has(tool)) {
        return Some(format!("a virtual machine with the kernel's ESP needs {tool}"));
    }
    let reason =
        "a virtual machine with the kernel's ESP needs a kernel, and CAUSEWAY_TEST_KERNEL names none";
    kernel().is_none().then(|| reason.into())
}

/// A guest that boots or runs; it ends with this value.
pub struct Guest {
    qemu: Child,
    work: tempfile::TempDir,
}

impl Guest {
    /// Boots a guest in which the test of that name runs, with these arguments of QEMU for its network. Says why
    /// where it can't.
    pub fn start(test: &str, network: &[&str]) -> Option<Self> {
        if let Some(reason) = missing() {
            // Whoever names a kernel wants the test to run.
            assert!(std::env::var_os("CAUSEWAY_TEST_KERNEL").is_none(), "{reason}");
            super::support::skipped(&reason);
            return None;
        }
        let (image, modules) = kernel().unwrap();
        let work = tempfile::tempdir().unwrap();
        let root = work.path().join("root");
        fill(&root, &modules, test);
        let archive = work.path().join("initramfs");
        let pack = "find . | cpio --quiet -o -H newc | gzip -1 > \"$0\"";
        let packed =
            Command::new("sh").arg("-c").arg(pack).arg(&archive).current_dir(&root).status().unwrap();
        assert!(packed.success(), "packing the initramfs");
        let qemu = Command::new("timeout")
            .args([LIMIT_S, "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-nographic"])
            .args(["-no-reboot", "-append", "console=ttyS0 quiet panic=-1 rdinit=/init"])
            .args(network)
            .arg("-kernel")
            .arg(&image)
            .arg("-initrd")
            .arg(&archive)
            .stdin(Stdio::null())
            .stdout(fs::File::create(work.path().join("console")).unwrap())
            .stderr(fs::File::create(work.path().join("errors")).unwrap())
            .spawn()
            .unwrap();
        Some(Self { qemu, work })
    }

    /// What the guest has printed so far, and QEMU's complaints.
    pub fn console(&self) -> String {
        let text = |file| fs::read(self.work.path().join(file)).unwrap_or_default();
        String::from_utf8_lossy(&[text("console"), text("errors")].concat()).into_owned()
    }

    /// Waits until the guest has ended, and gives what it printed.
    #[allow(dead_code)]
    pub fn wait(&mut self) -> String {
        self.qemu.wait().unwrap();
        self.console()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // `timeout` passes it on to QEMU.
        if matches!(self.qemu.try_wait(), Ok(None)) {
            // SAFETY: a child of ours that is not yet waited for.
            unsafe { libc::kill(self.qemu.id() as i32, libc::SIGTERM) };
            let _ = self.qemu.wait();
        }
    }
}

/// Runs the test of that name inside, or says why it cannot.
#[allow(dead_code)]
pub fn run(test: &str) {
    if let Some(mut guest) = Guest::start(test, &["-nic", "none"]) {
        let console = guest.wait();
        assert!(console.contains(PASSED), "{console}");
    }
}

fn copy(from: &Path, root: &Path, to: &str) {
    let to = root.join(to.trim_start_matches('/'));
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

fn fill(root: &Path, modules: &Path, test: &str) {
    let own = std::env::current_exe().unwrap();
    copy(&own, root, "/test");
    let libraries = Command::new("ldd").arg(&own).output().unwrap();
    for library in
        String::from_utf8_lossy(&libraries.stdout).split_whitespace().filter(|w| w.starts_with('/'))
    {
        copy(Path::new(library), root, library);
    }
    let busybox = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
    copy(Path::new(String::from_utf8_lossy(&busybox.stdout).trim()), root, "/bin/busybox");
    for directory in ["proc", "sys", "dev/net", "tmp"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let load: String = module_order(modules)
        .iter()
        .map(|path| {
            let name = path.rsplit('/').next().unwrap();
            copy(&modules.join(path), root, &format!("/modules/{name}"));
            format!("insmod /modules/{name} 2>/dev/null\n")
        })
        .collect();
    // The test looks for /dev/net/tun before it calls itself able to run.
    let script = format!(
        "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nmount -t proc proc /proc; mount -t sysfs sys /sys
         {load}\ntouch /dev/net/tun\n/test --exact {test} --include-ignored --nocapture\npoweroff -f\n"
    );
    fs::write(root.join("init"), script).unwrap();
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The wanted modules after those that they need.
fn module_order(modules: &Path) -> Vec<String> {
    let table = fs::read_to_string(modules.join("modules.dep")).unwrap();
    let mut order: Vec<String> = Vec::new();
    for wanted in MODULES {
        let stem = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or(path).split('.').next().unwrap_or("");
            name.replace('_', "-")
        };
        // A module that is built in has no row.
        let row = table
            .lines()
            .filter_map(|l| l.split_once(':'))
            .find(|(m, _)| stem(m) == wanted.replace('_', "-"));
        let Some((module, needs)) = row else { continue };
        for path in needs.split_whitespace().rev().chain([module]) {
            if !order.iter().any(|known| known == path) {
                order.push(path.to_owned());
            }
        }
    }
    order
}
