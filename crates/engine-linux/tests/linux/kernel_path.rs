//! The kernel's own ESP and xfrm interfaces under the same engine: this test program runs its own cases
//! inside a virtual machine with Debian's kernel, under emulation, because the machine that tests are run
//! on may have neither.
//!
//! Needs qemu-system-x86_64, busybox, cpio, and a kernel: installed, or unpacked in the directory
//! `CAUSEWAY_TEST_KERNEL`. On Debian:
//!
//! ```text
//! apt-get install --no-install-recommends qemu-system-x86 busybox-static cpio kmod
//! apt-get download "$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/{print $2}')"
//! dpkg -x linux-image-*.deb DIR && depmod -b DIR "$(ls DIR/lib/modules)"
//! ```

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Modules that the engine's work needs, with what they need.
const MODULES: [&str; 39] = [
    "jitterentropy_rng",
    "drbg",
    "authencesn",
    "libchacha20poly1305",
    "cryptomgr",
    "aes_generic",
    "cryptd",
    "crypto_null",
    "ghash-generic",
    "gcm",
    "seqiv",
    "echainiv",
    "authenc",
    "cbc",
    "ctr",
    "hmac",
    "sha1_generic",
    "sha256_generic",
    "sha512_generic",
    "md5",
    "des_generic",
    "chacha20poly1305",
    "chacha_generic",
    "poly1305_generic",
    "aesni-intel",
    "veth",
    "bridge",
    "tun",
    "udp_tunnel",
    "xfrm_algo",
    "xfrm_user",
    "esp4",
    "esp6",
    "xfrm_interface",
    "nf_tables",
    "nft_counter",
    "nft_ct",
    "sch_tbf",
    "sch_fq_codel",
];
/// Programs and libraries that are opened by name at run time.
const FILES: [&str; 3] =
    ["/usr/sbin/charon-systemd", "/usr/bin/ping", "/usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so"];
/// The cases that run inside, by name.
const CASES: [&str; 9] = [
    "contract::",
    "failover::",
    "algorithms::",
    "selectors::pairs",
    "selectors::children",
    "selectors::one_child",
    "inner::",
    "on_traffic::traffic",
    "on_traffic::several",
];
/// What the guest prints when all cases passed.
const PASSED: &str = "CASES PASSED";
/// Emulation is slow, on a busy machine more so: this only ends what would never end.
const GUEST_LIMIT_S: &str = "1500";

struct Kernel {
    image: PathBuf,
    modules: PathBuf,
}

/// The kernel to boot, or what is missing.
fn kernel() -> Result<Kernel, String> {
    let root = std::env::var_os("CAUSEWAY_TEST_KERNEL").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let boot = fs::read_dir(root.join("boot")).map_err(|_| "no kernel in /boot".to_owned())?;
    let names = boot.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let version = names.filter_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned)).max();
    let version = version.ok_or("no kernel in /boot")?;
    let modules = root.join("lib/modules").join(&version).join("kernel");
    match modules.exists() {
        true => Ok(Kernel { image: root.join("boot").join(format!("vmlinuz-{version}")), modules }),
        false => Err(format!("no modules of kernel {version}")),
    }
}

fn missing_tool() -> Option<&'static str> {
    let has = |tool: &&str| {
        let found = Command::new(tool).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
        found.is_err()
    };
    ["qemu-system-x86_64", "busybox", "cpio"].into_iter().find(has)
}

#[test]
fn the_kernels_own_esp_carries_it_all() {
    if std::process::id() == 1 || Path::new("/guest").exists() {
        return;
    }
    let kernel = match (missing_tool(), kernel()) {
        (Some(tool), _) => return eprintln!("SKIPPED: there is no {tool}"),
        (None, Err(why)) => return eprintln!("SKIPPED: {why}; see CAUSEWAY_TEST_KERNEL"),
        (None, Ok(kernel)) => kernel,
    };
    let work = tempfile::tempdir().unwrap();
    let root = work.path().join("root");
    fill(&root, &kernel);
    let image = work.path().join("initramfs");
    let pack = "find . | cpio --quiet -o -H newc | gzip -1 > \"$0\"";
    let packed = Command::new("sh").arg("-c").arg(pack).arg(&image).current_dir(&root).status().unwrap();
    assert!(packed.success(), "packing the initramfs");
    let output = Command::new("timeout")
        .args([GUEST_LIMIT_S, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-cpu", "max"])
        .args(["-m", "1024", "-nographic", "-no-reboot", "-nic", "none"])
        .args(["-append", "console=ttyS0 quiet panic=-1 rdinit=/init"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(&image)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let console = String::from_utf8_lossy(&output.stdout);
    assert!(console.contains(PASSED), "{console}");
    assert!(console.contains("data plane: kernel"), "the guest did not use its kernel's ESP: {console}");
    eprintln!("{}", console.lines().filter(|line| line.starts_with("test ")).collect::<Vec<_>>().join("\n"));
}

/// Lays out the guest's file system.
fn fill(root: &Path, kernel: &Kernel) {
    let own = std::env::current_exe().unwrap();
    let mut files: BTreeSet<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    files.extend([own.clone(), crate::common::shim().exe]);
    let plugins = fs::read_dir("/usr/lib/ipsec/plugins").unwrap().flatten().map(|entry| entry.path());
    files.extend(plugins.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        ["random", "nonce", "openssl", "kdf", "kernel-netlink", "socket-default", "vici"]
            .iter()
            .any(|plugin| name == format!("libstrongswan-{plugin}.so"))
    }));
    for file in files.clone() {
        files.extend(libraries(&file));
    }
    for file in &files {
        copy(file, &root.join(file.strip_prefix("/").unwrap()));
    }
    copy(Path::new(&which("busybox")), &root.join("bin/busybox"));
    for dir in ["proc", "sys", "dev", "run", "tmp", "etc", "guest", "var"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    std::os::unix::fs::symlink("/run", root.join("var/run")).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
    let modules = add_modules(root, &kernel.modules);
    let init = root.join("init");
    fs::File::create(&init).unwrap().write_all(init_script(&own, &modules).as_bytes()).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).unwrap();
}

fn init_script(own: &Path, modules: &[String]) -> String {
    let load: String = modules
        .iter()
        .map(|name| format!("insmod /modules/{name} 2>&1 | grep -v -e exists -e device\n"))
        .collect();
    format!(
        "#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/bin:/usr/sbin:/bin RUST_BACKTRACE=0
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t tmpfs run /run; mount -t tmpfs tmp /tmp
ip link set lo up 2>/dev/null
{load}
{own} {cases} --nocapture --test-threads=1 && echo {PASSED}
poweroff -f
",
        own = own.display(),
        cases = CASES.join(" "),
    )
}

/// Copies modules and what they need, and returns their file names in the order of loading.
fn add_modules(root: &Path, from: &Path) -> Vec<String> {
    let table = fs::read_to_string(from.parent().unwrap().join("modules.dep")).unwrap_or_default();
    let rows: Vec<(&str, Vec<&str>)> = table
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(module, needs)| (module, needs.split_whitespace().collect()))
        .collect();
    let stem =
        |path: &str| path.rsplit('/').next().unwrap_or(path).split('.').next().unwrap_or("").to_owned();
    let mut order: Vec<String> = Vec::new();
    for wanted in MODULES {
        let row = rows.iter().find(|(module, _)| stem(module).replace('_', "-") == wanted.replace('_', "-"));
        // A module that is built in has no row.
        let Some((module, needs)) = row else { continue };
        // The table names what is needed last first.
        for path in needs.iter().rev().chain([module]) {
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            if !order.contains(&name) {
                copy(&from.parent().unwrap().join(path), &root.join("modules").join(&name));
                order.push(name);
            }
        }
    }
    order
}

fn libraries(file: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(file).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

fn which(program: &str) -> String {
    let output = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}
