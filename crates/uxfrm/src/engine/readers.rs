//! Who reads the counters over the local socket: one line asks, `json` or `prometheus`, and the text comes once; or again
//! and again, where the line also names the milliseconds between (`json 1000`). JSON is one line each time; Prometheus' text ends
//! with an empty line then.

use super::report::Report;
use crate::datapath::WORKER_STACK_LEN;
use crate::sys;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// How long a reader may take to ask and to read.
const READER_TIMEOUT: Duration = Duration::from_secs(2);
/// Readers at a time; more are turned away.
const MAX_READERS: usize = 16;
/// The shortest time between two reports, in milliseconds.
const SHORTEST_INTERVAL_MS: u64 = 100;

type Question = SyncSender<Report>;

/// The control thread's end: each reader has a thread, which asks for reports here.
pub struct Readers {
    questions: Receiver<Question>,
    handle: Handle,
}

/// A reader's end.
#[derive(Clone)]
struct Handle {
    questions: Sender<Question>,
    wake: Arc<OwnedFd>,
}

impl Readers {
    /// # Errors
    /// Where there is no event descriptor to be had.
    pub fn new() -> io::Result<Self> {
        let (sender, questions) = channel();
        Ok(Self { questions, handle: Handle { questions: sender, wake: Arc::new(sys::event_fd()?) } })
    }

    /// Serves a reader from now on, without ever waiting for it.
    pub fn add(&self, stream: UnixStream) {
        // One is ours.
        if Arc::strong_count(&self.handle.wake) > MAX_READERS {
            return;
        }
        let handle = self.handle.clone();
        let reader = thread::Builder::new().name("stats".into()).stack_size(WORKER_STACK_LEN);
        // A reader that went away, or finds no thread, is nobody to tell.
        let _ = reader.spawn(move || serve(&stream, &handle));
    }

    /// Answers all that ask.
    pub fn answer(&self, report: impl Fn() -> Report) {
        sys::clear(&self.handle.wake);
        self.questions.try_iter().for_each(|reader| drop(reader.try_send(report())));
    }
}

impl AsFd for Readers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.wake.as_fd()
    }
}

impl Handle {
    fn report(&self) -> io::Result<Report> {
        let (sender, receiver) = sync_channel(1);
        self.questions.send(sender).map_err(io::Error::other)?;
        sys::signal(&self.wake);
        receiver.recv().map_err(io::Error::other)
    }
}

fn serve(mut stream: &UnixStream, handle: &Handle) -> io::Result<()> {
    stream.set_read_timeout(Some(READER_TIMEOUT))?;
    stream.set_write_timeout(Some(READER_TIMEOUT))?;
    let mut line = String::new();
    BufReader::new(io::Read::take(stream, 64)).read_line(&mut line)?;
    let (format, interval) = line.trim().split_once(' ').map_or((line.trim(), None), |(f, i)| (f, Some(i)));
    let interval = match interval.map(str::parse::<u64>) {
        None => None,
        Some(Ok(interval)) => Some(Duration::from_millis(interval.max(SHORTEST_INTERVAL_MS))),
        Some(Err(_)) => return stream.write_all(b"not a number of milliseconds\n"),
    };
    loop {
        let text = match format {
            "json" => handle.report()?.json() + "\n",
            "prometheus" => handle.report()?.prometheus() + if interval.is_some() { "\n" } else { "" },
            other => format!("unknown request {other:?}: json or prometheus\n"),
        };
        stream.write_all(text.as_bytes())?;
        let Some(interval) = interval else { return Ok(()) };
        thread::sleep(interval);
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    /// What a reader gets that sends `line`, up to so many lines.
    fn lines(line: &str, count: usize) -> Vec<String> {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let readers = Readers::new().unwrap();
        readers.add(theirs);
        (&ours).write_all(line.as_bytes()).unwrap();
        ours.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (mut reader, mut lines, mut text) = (BufReader::new(&ours), Vec::new(), String::new());
        while lines.len() < count {
            readers.answer(report);
            match reader.read_line(&mut text) {
                Ok(0) => break,
                Ok(_) => lines.push(std::mem::take(&mut text)),
                Err(_) => {}
            }
        }
        lines
    }

    #[test]
    fn counters_come_once_or_as_a_stream() {
        let once = lines("json\n", 9);
        assert_eq!(once.len(), 1, "{once:?}");
        let stream = lines("json 100\n", 3);
        assert_eq!(stream.len(), 3);
        for line in stream.iter().chain(&once) {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(json["sas"][0]["counters"]["bytes"], 1000);
        }
        let text = lines("prometheus 100\n", 200);
        assert!(text.iter().filter(|line| *line == "\n").count() >= 2, "each ends with an empty line");
        assert!(lines("json soon\n", 9)[0].starts_with("not a number"));
        assert!(lines("yaml\n", 9)[0].starts_with("unknown request"));
    }

    #[test]
    fn readers_are_no_more_than_sixteen() {
        let readers = Readers::new().unwrap();
        let mut streams: Vec<UnixStream> = Vec::new();
        for _ in 0..MAX_READERS + 1 {
            let (ours, theirs) = UnixStream::pair().unwrap();
            readers.add(theirs);
            streams.push(ours);
        }
        let last = streams.pop().unwrap();
        assert_eq!(io::Read::read(&mut &last, &mut [0]).unwrap(), 0, "turned away");
    }
}
