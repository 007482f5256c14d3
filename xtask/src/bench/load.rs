//! A closed loop of requests over several connections, and what came of it.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use causeway_client::{AccessKey, Client, SignedRequest};
use tokio::task::LocalSet;

/// What a load came to.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Requests answered in a second.
    pub per_second: f64,
    /// Half of the requests took no longer.
    pub p50: Duration,
    /// 99 of 100 requests took no longer.
    pub p99: Duration,
}

/// When a load ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so long.
    Elapsed(Duration),
    /// After so many requests.
    Count(usize),
}

/// Sends requests that `make` makes from a running number, over `connections` connections, each waiting for its
/// answer. `check` looks at every answer.
///
/// # Errors
/// When a request is not answered, or `check` finds an answer wrong.
pub async fn drive(
    address: SocketAddr,
    connections: usize,
    until: Until,
    make: impl Fn(usize) -> SignedRequest + 'static,
    check: impl Fn(&[u8]) -> bool + 'static,
) -> anyhow::Result<Figures> {
    let shared = Rc::new(Shared {
        make: Box::new(make),
        check: Box::new(check),
        next: RefCell::new(0),
        times: RefCell::new(Vec::new()),
    });
    let began = Instant::now();
    let local = LocalSet::new();
    let tasks: Vec<_> = (0..connections)
        .map(|_| local.spawn_local(worker(address, Rc::clone(&shared), until, began)))
        .collect();
    local
        .run_until(async {
            for task in tasks {
                task.await??;
            }
            anyhow::Ok(())
        })
        .await?;
    let elapsed = began.elapsed();
    let mut times = shared.times.take();
    if times.is_empty() {
        bail!("no request was answered");
    }
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(Figures { per_second: times.len() as f64 / elapsed.as_secs_f64(), p50: at(0.50), p99: at(0.99) })
}

type Make = Box<dyn Fn(usize) -> SignedRequest>;
type Check = Box<dyn Fn(&[u8]) -> bool>;

struct Shared {
    make: Make,
    check: Check,
    next: RefCell<usize>,
    times: RefCell<Vec<Duration>>,
}

async fn worker(address: SocketAddr, shared: Rc<Shared>, until: Until, began: Instant) -> anyhow::Result<()> {
    // The requests are signed already; the client's own key is not used.
    let mut client = Client::new(address, AccessKey { id: String::new(), secret: String::new() });
    loop {
        let number = shared.next.replace_with(|next| *next + 1);
        let is_over = match until {
            Until::Elapsed(time) => began.elapsed() >= time,
            Until::Count(count) => number >= count,
        };
        if is_over {
            return Ok(());
        }
        let request = (shared.make)(number);
        let sent = Instant::now();
        let answer = client.send(request).await.context("a request was not answered")?;
        shared.times.borrow_mut().push(sent.elapsed());
        if !(shared.check)(&answer) {
            bail!("a wrong answer: {}", String::from_utf8_lossy(&answer));
        }
    }
}
