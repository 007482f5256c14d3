//! A virtual machine with a stock kernel in which one test of this program runs. Needs qemu-system-x86_64, busybox, cpio and a
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
use std::process::{Command, Stdio};

/// What the guest prints when the test passed there.
pub const PASSED: &str = "COMPARED WITH THE KERNEL";

/// In the order of loading where `modules.dep` does not say it.
const MODULES: [&str; 22] = [
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
    "xfrm_algo",
    "xfrm_user",
    "esp4",
    "esp6",
];
const LIMIT_S: &str = "120";

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

/// Runs the test of that name inside, or says why it cannot.
pub fn run(test: &str) {
    if let Some(tool) = ["qemu-system-x86_64", "busybox", "cpio"].into_iter().find(|tool| !has(tool)) {
        return eprintln!("SKIPPED: this kernel has no ESP, and there is no {tool}");
    }
    let Some((image, modules)) = kernel() else {
        return eprintln!("SKIPPED: this kernel has no ESP, and CAUSEWAY_TEST_KERNEL names no other");
    };
    let work = tempfile::tempdir().unwrap();
    let root = work.path().join("root");
    fill(&root, &modules, test);
    let archive = work.path().join("initramfs");
    let pack = "find . | cpio --quiet -o -H newc | gzip -1 > \"$0\"";
    let packed = Command::new("sh").arg("-c").arg(pack).arg(&archive).current_dir(&root).status().unwrap();
    assert!(packed.success(), "packing the initramfs");
    let output = Command::new("timeout")
        .args([LIMIT_S, "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "512", "-nographic"])
        .args([
            "-no-reboot",
            "-nic",
            "none",
            "-append",
            "console=ttyS0 quiet panic=-1 rdinit=/init",
            "-kernel",
        ])
        .arg(&image)
        .arg("-initrd")
        .arg(&archive)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let console = String::from_utf8_lossy(&output.stdout);
    assert!(console.contains(PASSED), "{console}");
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
         {load}\ntouch /dev/net/tun\n/test --exact {test} --nocapture\npoweroff -f\n"
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
