//! What messages that nobody asked for cost the real process: memory that is asked of it and bodies
//! that are too large.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Place, Serving};
use crate::support::raw_query::{deflate, upper};

const MIB: usize = 1024 * 1024;

impl Serving {
    /// A line of `/proc/PID/status`, in bytes.
    fn memory(&self, name: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }

    /// Sends requests, so many at a time, and waits for their answers.
    async fn flood(&self, path: &str, count: usize, at_once: usize) {
        for _ in 0..count / at_once {
            let requests = (0..at_once).map(|_| self.get(path, &[]));
            for answer in futures_util::future::join_all(requests).await {
                assert_eq!(answer.status, 200, "{}", answer.body);
            }
        }
    }

    /// The status line of the answer to these bytes, where the rest of them never comes.
    fn answer_to(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_unpacks_to_a_thousand_times_its_size_is_never_unpacked() {
    let place = Place::new("");
    let serving = place.serve().await;
    // 11 KiB in the URL, 8 MiB when it is unpacked: as much as DEFLATE can do.
    let bomb = deflate(&vec![b' '; 8 * MIB]);
    assert!(bomb.len() < 9 * 1024, "{}", bomb.len());
    let path = format!("/logout?SAMLResponse={}", upper(&STANDARD.encode(bomb)));
    let harmless = format!("/logout?SAMLResponse={}", upper(&STANDARD.encode(deflate(b"<a/>"))));
    serving.flood(&harmless, 200, 50).await;
    let before = serving.memory("VmHWM");

    serving.flood(&path, 1_000, 50).await;

    let more = serving.memory("VmHWM").saturating_sub(before);
    assert!(more < 8 * MIB, "the peak rose by {more} bytes");
    assert_eq!(serving.get("/healthz", &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_messages_leave_no_memory_behind() {
    let place = Place::new("");
    let serving = place.serve().await;
    let streams = [deflate(b"<a><b></a>"), b"no stream".to_vec(), deflate(&[0xFF; 20_000])];
    let paths =
        streams.map(|bytes| format!("/logout?SAMLResponse={}", upper(&STANDARD.encode(bytes))));
    for path in &paths {
        serving.flood(path, 500, 50).await;
    }
    let before = serving.memory("VmRSS");
    for path in &paths {
        serving.flood(path, 1_000, 50).await;
    }
    let more = serving.memory("VmRSS").saturating_sub(before);
    // A leak of one kilobyte each would be three times this.
    assert!(more < MIB, "{more} bytes more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_is_refused_before_it_comes() {
    let place = Place::new("");
    let serving = place.serve().await;
    let before = serving.memory("VmHWM");
    let form = "application/x-www-form-urlencoded";
    for (path, length, status) in [
        ("/saml/acs", 100 * MIB, "413"),
        ("/saml/acs", 512 * 1024 + 1, "413"),
        ("/logout", 100 * MIB, "413"),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: {form}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        assert_eq!(serving.answer_to(&head), format!("HTTP/1.1 {status}"), "{path} {length}");
        // One that does not say how long it is is cut off at the limit. It is not even Base64.
        let chunk = "%".repeat(64 * 1024);
        let chunks = format!("{:x}\r\n{chunk}\r\n", chunk.len()).repeat(9);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: {form}\r\n\
             Transfer-Encoding: chunked\r\n\r\n{chunks}"
        );
        assert_eq!(serving.answer_to(&head), format!("HTTP/1.1 {status}"), "{path} in chunks");
    }
    let long = "x".repeat(17 * 1024);
    let head = format!("GET /logout?SAMLResponse={long} HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
    assert_eq!(serving.answer_to(&head), "HTTP/1.1 414");
    let more = serving.memory("VmHWM").saturating_sub(before);
    assert!(more < 16 * MIB, "the peak rose by {more} bytes");
}
