//! How long a thread had to wait for a CPU.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

/// `/proc/thread-self/schedstat` of the thread that opened it.
pub struct RunDelay(File);

impl RunDelay {
    /// Of the calling thread. `None` where /proc is not there, or the kernel does not count it (without `CONFIG_SCHED_INFO`).
    pub fn of_this_thread() -> Option<Self> {
        let this = Self(File::open("/proc/thread-self/schedstat").ok()?);
        this.read().map(|_| this)
    }

    /// For how long it could have run so far, and another had the CPU.
    pub fn read(&self) -> Option<Duration> {
        // Three numbers of 64 bits.
        let mut buffer = [0; 64];
        let len = self.0.read_at(&mut buffer, 0).ok()?;
        waited(std::str::from_utf8(&buffer[..len]).ok()?)
    }
}

/// Time on CPUs, time waiting for one, both in nanoseconds, and how often it came to a CPU.
fn waited(text: &str) -> Option<Duration> {
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(_)), Some(Ok(waited)), Some(Ok(times))) = (numbers.next(), numbers.next(), numbers.next())
    else {
        return None;
    };
    // Whoever reads its own has come to a CPU: zero is a kernel that does not count.
    (times > 0).then(|| Duration::from_nanos(waited))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    #[test]
    fn kernels_that_do_not_count_are_told_apart() {
        assert_eq!(waited("52 1700 3\n"), Some(Duration::from_nanos(1700)));
        assert_eq!(waited("52 0 1\n"), Some(Duration::ZERO));
        assert_eq!([waited("0 0 0\n"), waited(""), waited("1 2"), waited("a b c")], [None; 4]);
    }

    /// Moves the calling thread to the CPU that it runs on, for good.
    fn stay() {
        // SAFETY: all-zero is an empty set, and the CPU is one of this machine's.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(libc::sched_getcpu() as usize, &mut set);
            assert_eq!(libc::sched_setaffinity(0, size_of_val(&set), &set), 0);
        }
    }

    #[test]
    fn two_that_share_a_cpu_wait_for_it() {
        const LONG: Duration = Duration::from_millis(400);
        let is_over = AtomicBool::new(false);
        let waited = std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                stay();
                let delay = RunDelay::of_this_thread()?;
                let before = delay.read()?;
                // Takes its CPU along, and works beside this one.
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
                let start = Instant::now();
                while start.elapsed() < LONG {
                    std::hint::spin_loop();
                }
                is_over.store(true, Ordering::Relaxed);
                Some(delay.read()? - before)
            });
            first.join().unwrap()
        });
        match waited {
            Some(waited) => assert!(waited > LONG / 10, "{waited:?}"),
            None => eprintln!("not tested: this kernel does not count"),
        }
    }
}
