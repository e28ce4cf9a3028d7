use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

const SLOW: Duration = Duration::from_millis(300);

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    task: JoinHandle<Ended>,
    /// Requests that reached a handler.
    handled: Arc<AtomicUsize>,
}

async fn start(limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let handled = Arc::new(AtomicUsize::new(0));
    let (seen, slow_seen) = (Arc::clone(&handled), Arc::clone(&handled));
    let peer = move |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move {
        seen.fetch_add(1, Ordering::SeqCst);
        peer.to_string()
    };
    let slow = move || async move {
        slow_seen.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(SLOW).await;
        "slow"
    };
    let router = Router::new().route("/peer", get(peer)).route("/slow", get(slow));
    let task = tokio::spawn(serve(listener, router, limits, shutdown.clone()));
    Server { address, shutdown, task, handled }
}

fn short(head: u64, idle: u64) -> Limits {
    Limits {
        head: Duration::from_millis(head),
        idle: Duration::from_millis(idle),
        drain: Duration::from_secs(2),
        ..Limits::default()
    }
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

/// What arrives until the server closes, and when that was.
async fn until_closed(stream: &mut TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes));
    // A reset is an end as well.
    let _ = read.await.expect("the server closes");
    (String::from_utf8(bytes).unwrap(), begun.elapsed())
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let read = stream.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

#[tokio::test]
async fn answers_with_the_address_of_the_peer() {
    let server = start(Limits::default()).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let (answer, _) = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with(&stream.local_addr().unwrap().to_string()), "{answer}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start(Limits::default()).await;
    let mut stream = connect(&server).await;
    let two = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n\
               GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    stream.write_all(two.as_bytes()).await.unwrap();
    let (answers, _) = until_closed(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert!(answers.contains("slow") && answers.ends_with(|c: char| c.is_ascii_digit()));
    assert_eq!(server.handled.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let server = start(short(150, 5_000)).await;
    let (answer, after) = until_closed(&mut connect(&server).await).await;
    assert_eq!(answer, "");
    assert!(after >= Duration::from_millis(100) && after < Duration::from_secs(2), "{after:?}");
}

#[tokio::test]
async fn a_head_that_drips_is_cut_even_on_a_connection_that_was_fine_before() {
    let server = start(short(200, 5_000)).await;
    for requests_before in [0, 1] {
        let mut stream = connect(&server).await;
        for _ in 0..requests_before {
            stream.write_all(b"GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
        }
        let begun = Instant::now();
        let head = b"GET /peer HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
        let mut sent = 0;
        for byte in head {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            sent += 1;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        assert!(sent < head.len(), "the connection outlived {:?}", begun.elapsed());
        assert_eq!(server.handled.load(Ordering::SeqCst), requests_before);
    }
}

#[tokio::test]
async fn a_head_in_two_parts_within_the_time_is_answered() {
    let server = start(short(1_000, 5_000)).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /peer HTT").await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    stream.write_all(b"P/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_idle_connection_lives_longer_than_a_head_may_take_but_not_for_ever() {
    let server = start(short(100, 800)).await;
    let mut stream = connect(&server).await;
    for pause in [0, 250] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        stream.write_all(b"GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"), "after {pause} ms");
    }
    let (_, after) = until_closed(&mut stream).await;
    assert!(after >= Duration::from_millis(500) && after < Duration::from_secs(3), "{after:?}");
}

#[tokio::test]
async fn heads_have_a_size_and_a_number_of_fields() {
    let server = start(Limits::default()).await;
    let head = |target: usize, fields: usize, value: usize| {
        let mut head = format!("GET /peer?{} HTTP/1.1\r\nHost: a\r\n", "q".repeat(target));
        head += "Connection: close\r\n";
        for index in 0..fields {
            head += &format!("x-{index}: {}\r\n", "v".repeat(value));
        }
        head + "\r\n"
    };
    for (case, status) in [
        (head(16_000, 0, 0), "200"),
        (head(17_000, 0, 0), "414"),
        (head(0, 62, 0), "200"),
        (head(0, 63, 0), "431"),
        (head(0, 1, 30_000), "200"),
        (head(0, 1, 40_000), "431"),
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(case.as_bytes()).await.unwrap();
        let answer = read_some(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let server = start(Limits::default()).await;
    for case in [
        "GET /peer HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "GET /peer HTTP/1.1\r\nHost : a\r\n\r\n",
        "\u{16}\u{3}\u{1} hello\r\n\r\n",
    ] {
        let mut stream = connect(&server).await;
        stream.write_all(case.as_bytes()).await.unwrap();
        let answer = read_some(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{case}: {answer}");
    }
    assert_eq!(server.handled.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_full_server_lets_the_next_one_wait() {
    let server = start(Limits { connections: 1, ..Limits::default() }).await;
    let mut first = connect(&server).await;
    first.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut second = connect(&server).await;
    second.write_all(b"GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.handled.load(Ordering::SeqCst), 1);
    assert!(until_closed(&mut first).await.0.ends_with("slow"));
    assert!(until_closed(&mut second).await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_shutdown_waits_for_the_answer_and_takes_nobody_new() {
    let server = start(short(5_000, 5_000)).await;
    let mut busy = connect(&server).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut idle = connect(&server).await;
    idle.write_all(b"GET /peer HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_some(&mut idle).await;
    assert!(!server.shutdown.has_begun());
    server.shutdown.begin();
    assert!(server.shutdown.has_begun());
    assert_eq!(until_closed(&mut idle).await.0, "");
    assert!(until_closed(&mut busy).await.0.ends_with("slow"));
    assert_eq!(server.task.await.unwrap(), Ended::Drained);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn what_is_not_answered_in_the_time_to_drain_is_cut() {
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let server = start(limits).await;
    let mut busy = connect(&server).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.shutdown.begin();
    assert_eq!(server.task.await.unwrap(), Ended::Cut { connections: 1 });
    assert_eq!(until_closed(&mut busy).await.0, "");
}

#[tokio::test]
async fn an_old_connection_ends_after_its_answer() {
    let limits = Limits { age: Duration::from_millis(100), ..Limits::default() };
    let server = start(limits).await;
    let mut stream = connect(&server).await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (answer, _) = until_closed(&mut stream).await;
    assert!(answer.ends_with("slow"), "{answer}");
}
