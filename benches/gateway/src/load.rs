//! Requests at a constant rate, whatever the answers take (an open loop): a slow answer delays none
//! of the requests after it, and what it would have delayed is counted against it.
//!
//! Each connection is a thread with its own timetable. A request that is due while its connection
//! still waits for the last answer is timed from when it was due; otherwise from when it was sent,
//! so that a late timer of this machine is nobody's fault.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use crate::machine::percentile;
use crate::traffic;

/// Where requests go, and what they are.
#[derive(Args, Clone)]
pub struct Target {
    /// The port on loopback
    #[arg(long)]
    pub port: u16,
    /// The path
    #[arg(long)]
    pub path: String,
    /// The bearer token
    #[arg(long)]
    pub token: String,
    /// A file of bodies, one to a line
    #[arg(long)]
    pub bodies: PathBuf,
}

/// A load at a constant rate.
#[derive(Args)]
pub struct Load {
    #[command(flatten)]
    target: Target,
    /// Requests per second
    #[arg(long)]
    rate: f64,
    /// Connections that share them
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// How long it lasts; the first fifth is not counted
    #[arg(long)]
    seconds: f64,
}

/// Connections that are held.
#[derive(Args)]
pub struct Idle {
    #[command(flatten)]
    target: Target,
    /// How many
    #[arg(long)]
    connections: usize,
}

/// One connection that speaks HTTP/1.1.
struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, input: vec![0; 64 * 1024] })
    }

    /// Sends a request and reads its answer to the end. Fails unless that is a 202.
    fn exchange(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.input[filled..])?;
            ensure!(read > 0, "the connection was closed");
            filled += read;
            let answer = std::str::from_utf8(&self.input[..filled])?;
            let Some((head, body)) = answer.split_once("\r\n\r\n") else { continue };
            ensure!(head.starts_with("HTTP/1.1 202 "), "not accepted: {answer}");
            if body.len() >= content_length(head)? {
                return Ok(());
            }
        }
    }
}

fn content_length(head: &str) -> Result<usize> {
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(value.trim().parse()?);
        }
    }
    bail!("an answer without a length")
}

impl Target {
    fn requests(&self) -> Result<Vec<Vec<u8>>> {
        let Self { path, token, .. } = self;
        let request = |body: String| {
            let length = body.len();
            format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
                 content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .into_bytes()
        };
        Ok(traffic::bodies(&self.bodies)?.into_iter().map(request).collect())
    }

    /// Sends one request; fails unless it is accepted.
    pub fn probe(&self) -> Result<()> {
        let requests = self.requests()?;
        Connection::open(self.port)?.exchange(requests.first().context("no bodies")?)
    }
}

impl Load {
    /// Runs it and prints what it took as JSON.
    pub fn run(self) -> Result<()> {
        let requests = self.target.requests()?;
        let begin = Instant::now() + Duration::from_millis(100);
        let took = std::thread::scope(|scope| {
            let lanes: Vec<_> = (0..self.connections)
                .map(|lane| {
                    let (this, requests) = (&self, &requests);
                    scope.spawn(move || this.lane(lane, requests, begin))
                })
                .collect();
            let join = |lane: std::thread::ScopedJoinHandle<'_, _>| lane.join().expect("no panic");
            lanes.into_iter().map(join).collect::<Result<Vec<Vec<f64>>>>()
        })?;
        let mut took = took.concat();
        let at = |took: &mut Vec<f64>, percent| percentile(took, percent);
        println!(
            "{}",
            json!({
                "requests": took.len(),
                "rate": took.len() as f64 / (self.seconds * 0.8),
                "p50_ms": at(&mut took, 50.0),
                "p99_ms": at(&mut took, 99.0),
            })
        );
        Ok(())
    }

    /// One connection's timetable. Gives back how long its requests took, in milliseconds.
    fn lane(&self, lane: u32, requests: &[Vec<u8>], begin: Instant) -> Result<Vec<f64>> {
        let mut connection = Connection::open(self.target.port)?;
        let every = Duration::from_secs_f64(f64::from(self.connections) / self.rate);
        let counted = begin + Duration::from_secs_f64(self.seconds * 0.2);
        let end = begin + Duration::from_secs_f64(self.seconds);
        let mut due = begin + every * lane / self.connections;
        let mut took = Vec::new();
        for request in requests.iter().cycle().skip(lane as usize) {
            let before = Instant::now();
            let late = before > due;
            if !late {
                std::thread::sleep(due - before);
            }
            let from = if late { due } else { Instant::now() };
            if from > end {
                break;
            }
            connection.exchange(request)?;
            if from > counted {
                took.push(from.elapsed().as_secs_f64() * 1_000.0);
            }
            due += every;
        }
        Ok(took)
    }
}

impl Idle {
    /// Opens them, each after one request, says so, and holds them until input ends.
    pub fn run(self) -> Result<()> {
        let requests = self.target.requests()?;
        let mut held = Vec::new();
        for request in requests.iter().cycle().take(self.connections) {
            let mut connection = Connection::open(self.target.port)?;
            connection.exchange(request)?;
            connection.input = Vec::new();
            held.push(connection);
        }
        println!("{} held", held.len());
        std::io::stdin().read_to_end(&mut Vec::new())?;
        let mut alive = 0;
        for connection in held {
            connection.stream.set_nonblocking(true)?;
            let peeked = connection.stream.peek(&mut [0]);
            alive += usize::from(peeked.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock));
        }
        println!("{alive} alive");
        Ok(())
    }
}
